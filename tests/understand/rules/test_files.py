"""Rule files: what is wrong in them is said with line, value and the names that are known."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storewise.core.errors import ConfigError, LimitExceeded
from storewise.understand.rules import RuleFile, RuleSpec, parse_rules, read_rules
from storewise.understand.rules.condition import And, Compare, Field, Known, Linked, Match, Not, Or
from storewise.understand.rules.parse import normal, parse_condition

GOOD = """
[define]
gift = 'candidate.category = "gift"'

# the first
[[rule]]
name = "fits"
when = 'candidate.category = "charger"'
require = "candidate.attribute.fits in bought.attribute.model"
say_en = "Chargers have to fit"

[[rule]]
name = "no gifts"
forbid = "gift or candidate.price_minor > 100000"
strict = true
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    file = read_rules(written(tmp_path, GOOD))
    fits, gifts = parse_rules(file)
    assert (fits.name, fits.spec.action, fits.hard, fits.spec.say_en) == (
        "fits",
        "require",
        True,
        "Chargers have to fit",
    )
    assert fits.condition == Match(
        Field("candidate", "attribute.fits"), "=", Field("bought", "attribute.model")
    )
    gift = Compare(Field("candidate", "category"), "=", ("gift",))
    assert gifts.condition == Or((gift, Compare(Field("candidate", "price_minor"), ">", (100_000.0,))))
    again = RuleFile.model_validate(file.model_dump(mode="json"))  # as a snapshot carries it
    assert parse_rules(again) == [fits, gifts]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("gift or", "gifts or"), r"line 14 \(forbid\): 'gifts' at column 1 is no side and not defined \(did you mean 'gift'\?\)"),
        (("bought.attribute.model", "bougth.attribute.model"), r"line 9 .*'bougth' at column 29.*did you mean 'bought\.…'"),
        (("price_minor", "prize_minor"), r"line 14 .*'prize_minor' at column 19 is no field \(did you mean 'price_minor'"),
        (("> 100000", "> 'a lot'"), r"line 14 .*'a lot' .*> compares numbers"),
        (("strict = true", "stirct = true"), r"line 12, rule 2: 'stirct' is not a known key \(did you mean 'strict'"),
        (('name = "no gifts"', 'name = "fits"'), r"line 13: a rule named 'fits' stands above already"),
        (("require =", "forbid = 'gift'\nrequire ="), r"rule 1 \('fits'\) has forbid and require.*exactly one of forbid, require, prefer, avoid"),
        (('require = "candidate.attribute.fits in bought.attribute.model"', ""), "has no action"),
        (("forbid =", "prefer ="), "is strict, but prefer only moves products"),
        (('candidate.category = "gift"', "gift"), r"line 3 \(definition 'gift'\).*leads back to itself: gift → gift"),
        (("[define]", "[defines]"), "'defines' is not a known key"),
        (("gift = 'cand", "within = 'cand"), "'within' cannot name a condition"),
        (('say_en = "Chargers have to fit"', "weight = 0"), "weight"),
        (("[[rule]]\nname = \"fits\"", "rule = 3\n[[other]]"), "."),
    ],
)  # fmt: skip
def test_errors_name_line_value_and_what_is_known(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigError, match=told):
        read_rules(written(tmp_path, GOOD.replace(*change)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the condition is empty"),
        ('candidate.brand = "a" candidate', "does not continue the condition"),
        ("candidate.brand", "the end cannot follow candidate.brand"),
        ("candidate.brand = ", "the end is neither a constant nor a field"),
        ("candidate.brand is new", "cannot follow 'is'"),
        ("candidate.brand in []", "is no constant"),
        ('candidate.brand in ["a"', r"stands where '\]' has to"),
        ('(candidate.brand = "a"', r"stands where '\)' has to"),
        ("candidate replaces bought", "'replaces' at column 11 is no relation"),
        ("candidate substitutes candidate", "a relation joins the candidate with the past"),
        ("bought substitutes seen", "a relation joins the candidate with the past"),
        ("candidate.brand = candidate.category", "compares two fields of one kind"),
        ('bought.brand != "a"', "ambiguous over several products"),
        ("candidate.brand != bought.brand", "ambiguous over several products"),
        ('candidate.brand = "a" within 1 day', "needs a test on the past"),
        ("candidate substitutes bought within 0 days", "no positive number"),
        ("candidate substitutes bought within 1 month", "'month' at column 39 is no unit of time"),
        ("candidate.attribute = 3", r"stands where '\.' has to"),
        ("__import__('os')", "'__import__' at column 1 is no side"),
        ("candidate.brand = `a`", "'`a`' at column 19 cannot be read"),
        ('candidate.brand = "a', "cannot be read"),
        ("(" * 41 + "gift" + ")" * 41, "deeper than 40 brackets"),
        ("not " * 600, "2400 characters, 2000 are allowed"),
    ],
)
def test_conditions_that_cannot_be_read(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_condition(text)


def test_definitions_cannot_blow_up() -> None:
    doubled = {f"d{i}": f"d{i - 1} and d{i - 1}" for i in range(1, 20)} | {"d0": 'candidate.brand = "a"'}
    with pytest.raises(ConfigError, match="300 tests, which is the limit"):
        parse_condition("d19", defined=doubled)
    with pytest.raises(ConfigError, match="leads back to itself: a → b → a"):
        parse_condition("a", defined={"a": "not b", "b": "a or a"})


def test_too_many_rules() -> None:
    specs = tuple(RuleSpec(name=f"r{i}", forbid="candidate.brand is unknown") for i in range(201))
    with pytest.raises(LimitExceeded, match="201 rules, 200 are allowed"):
        parse_rules(RuleFile(rule=specs))


def test_how_words_bind() -> None:
    a, b, c = (Compare(Field("candidate", "brand"), "=", (name,)) for name in "abc")
    text = 'candidate.brand = "a" or candidate.brand = "b" and not candidate.brand = "c"'
    assert parse_condition(text) == Or((a, And((b, Not(c)))))
    assert parse_condition('not not candidate.brand = "A"') == a
    assert parse_condition('candidate.brand in ["a", "b"]') == Compare(a.field, "=", ("a", "b"))
    assert parse_condition("bought accessories_of candidate within 2 weeks") == Linked(
        "accessories_of", "bought", False, 1_209_600.0
    )
    assert parse_condition("bought.price_minor < candidate.price_minor") == Match(
        Field("candidate", "price_minor"), ">", Field("bought", "price_minor")
    )
    assert parse_condition("seen.attribute.x is unknown within 1 hour") == Not(
        Known(Field("seen", "attribute.x"), 3_600.0)
    )


def test_two_ways_of_writing_have_one_normal_form() -> None:
    one = parse_condition('candidate.brand in ["b", "a"] and not candidate.category = "x"')
    other = parse_condition('not candidate.category = "X" and candidate.brand in ["A", "b", "a"]')
    assert normal(one) == normal(other)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse_condition(text)


def test_the_page_on_rules_is_true(tmp_path: Path) -> None:
    """Its example is a rule file, its grammar the parser's."""
    from storewise.understand.rules import parse as parser

    page = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    assert [rule.name for rule in read_rules(written(tmp_path, example)).rule] == [
        "charger fits phone",
        "no substitute of yesterday's purchase",
    ]
    grammar = page.split("```\ncondition =")[1].split("```")[0].split()
    assert grammar == (parser.__doc__ or "").split("condition =", 1)[1].split("``NAME``")[0].split()
