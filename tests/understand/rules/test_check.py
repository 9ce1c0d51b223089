"""Each kind of finding on rules that have it, and no finding on rules that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from storewise.understand.rules import (
    Finding,
    ProductFacts,
    RuleFile,
    RuleSpec,
    check_rules,
    parse_rules,
    say,
)

SHOP = ProductFacts.of(
    pl.DataFrame(
        {
            "product_id": ["a", "b", "c", "d"],
            "category": ["phone", "phone", "charger", "food"],
            "brand": ["acme", "bolt", "acme", None],
            "price_minor": [50_000, 30_000, 2_000, 300],
            "attributes": ['{"model": "X"}', None, '{"fits": "X"}', None],
        }
    )
)


def found(*rules: dict[str, Any], active: list[bool] | None = None) -> list[Finding]:
    specs = tuple(RuleSpec(**{"name": f"r{i}"} | rule) for i, rule in enumerate(rules))
    return check_rules(parse_rules(RuleFile(rule=specs)), SHOP, None if active is None else np.array(active))


def kinds(*rules: dict[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.level, one.kind, one.rules) for one in found(*rules)]


PHONE = 'candidate.category = "phone"'


def test_good_rules_have_no_findings() -> None:
    assert not kinds(
        {
            "when": 'candidate.category = "charger" and bought.category = "phone"',
            "require": "candidate.attribute.fits in bought.attribute.model",
        },
        {"forbid": "candidate.product in bought.product within 7 days"},
        {"prefer": 'candidate.brand = "acme"'},
        {"forbid": "candidate.price_minor > 40000", "when": 'not bought.category = "phone"'},
    )


@pytest.mark.parametrize(
    ("required", "against"),
    [
        ({"require": PHONE}, {"forbid": PHONE}),
        ({"require": PHONE}, {"require": 'candidate.category = "food"'}),
        ({"require": PHONE}, {"forbid": 'candidate.category in ["phone", "food"]'}),
        ({"require": "candidate.price_minor < 1000"}, {"require": "candidate.price_minor >= 2000"}),
        ({"require": f"{PHONE} and candidate.price_minor < 40000"}, {"forbid": "candidate.price_minor <= 45000"}),
        ({"require": "candidate substitutes bought"}, {"forbid": "candidate substitutes bought or candidate.brand is unknown"}),
        ({"when": PHONE, "require": 'candidate.brand = "acme"'}, {"forbid": f'{PHONE} and candidate.brand = "acme"'}),
    ],
)  # fmt: skip
def test_contradictions_are_errors(required: dict[str, Any], against: dict[str, Any]) -> None:
    for pair in ((required, against), (against, required)):
        wrong = [one for one in found(*pair) if one.kind == "contradiction"]
        assert [(one.level, one.rules) for one in wrong] == [("error", ("r0", "r1"))]
        assert "whatever the shop sells" in wrong[0].text


@pytest.mark.parametrize(
    ("required", "against"),
    [
        ({"require": PHONE}, {"forbid": f'{PHONE} and candidate.brand = "acme"'}),
        ({"require": "candidate.price_minor < 1000"}, {"require": "candidate.price_minor < 400"}),
        ({"require": 'candidate.attribute.fits = "x"'}, {"require": 'candidate.attribute.fits = "X"', "strict": True}),
        ({"require": 'candidate.attribute.c = "red"'}, {"require": 'candidate.attribute.c = "blue"'}),  # two colours
        ({"when": PHONE, "require": 'candidate.brand = "acme"'}, {"when": 'candidate.category = "food"', "forbid": 'candidate.brand = "acme"'}),
        ({"require": "candidate substitutes bought"}, {"forbid": "candidate complements bought"}),
    ],
)  # fmt: skip
def test_rules_that_get_along_are_not_called_contradictions(
    required: dict[str, Any], against: dict[str, Any]
) -> None:
    assert "contradiction" not in {one.kind for one in found(required, against)}


def test_a_contradiction_of_this_shop_alone() -> None:
    """All its chargers are by acme; another shop could have others."""
    rules = ({"require": 'candidate.category = "charger"'}, {"forbid": 'candidate.brand = "acme"'})
    (wrong,) = [one for one in found(*rules) if one.kind == "contradiction"]
    assert wrong.text == "'r1' forbids all that 'r0' requires, among the products of this shop"


def test_names_that_nobody_has_and_rules_that_never_fire() -> None:
    told = found({"forbid": 'candidate.category = "fone" or candidate.attribute.modle = "X"'})
    texts = [one.text for one in told]
    assert "no product has category 'fone'; did you mean phone?" in texts
    assert any(
        text.startswith("no product has attribute.modle; did you mean attribute.model?") for text in texts
    )
    assert "can touch no product of this shop" in texts
    assert {one.level for one in told} == {"warning"}
    never = found({"forbid": f"{PHONE} and not {PHONE}"})
    assert [one.text for one in never] == ["can never touch a product, whatever the shop sells"]
    relation = found({"forbid": "candidate substitutes bought"})
    assert [one.text for one in relation] == ["the shop's graph has no relation 'substitutes'"]


def test_duplicates_redundant_and_opposed_rules() -> None:
    assert kinds({"forbid": PHONE}, {"require": f"not {PHONE}"})[0] == ("warning", "duplicate", ("r0", "r1"))
    small = {"forbid": f"{PHONE} and candidate.price_minor > 40000"}
    assert ("note", "redundant", ("r0", "r1")) in kinds(small, {"forbid": PHONE})
    assert ("note", "redundant", ("r1", "r0")) in kinds({"forbid": PHONE}, small)
    assert kinds({"prefer": PHONE}, {"avoid": PHONE}) == [("warning", "opposed", ("r0", "r1"))]
    assert kinds({"prefer": PHONE}, {"prefer": f"not not {PHONE}"}) == [
        ("warning", "duplicate", ("r0", "r1"))
    ]
    assert kinds({"prefer": PHONE}, {"forbid": "candidate.price_minor > 40000"}) == []


def test_what_a_shopper_without_a_past_would_never_see() -> None:
    (category,) = found({"forbid": PHONE})
    assert (category.kind, category.level) == ("removes_category", "warning")
    assert category.text.startswith(
        "remove all products of 1 of 3 categories for a shopper without a past: 'phone'"
    )
    (everything,) = found({"forbid": "candidate.product is known"})
    assert (everything.kind, everything.level) == ("removes_everything", "error")
    assert not found({"forbid": 'candidate.product = "a"'})
    assert (
        found({"forbid": 'candidate.product = "a"'}, active=[True, False, True, True])[0].kind
        == "removes_category"
    )


def test_too_much_to_check_is_said() -> None:
    many = " or ".join(f'bought.brand = "b{i}"' for i in range(8))
    assert ("note", "unchecked", ("r0",)) in kinds({"forbid": many})


def test_rules_speak_for_themselves_in_two_languages() -> None:
    spec = RuleSpec(name="own", forbid=PHONE, when='bought.brand = "acme"', say_en="No more phones")
    assert say(spec) == "No more phones"
    assert say(spec, "zh") == f'规则“own”不推荐符合以下条件的商品：{PHONE}（前提：bought.brand = "acme"）'
