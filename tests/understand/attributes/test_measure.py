"""Measures: known readings, and what holds for every text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import UnknownName
from storewise.understand.attributes import number, units
from storewise.understand.attributes.measure import measurements, normalise
from storewise.understand.attributes.quantity import quantities
from storewise.understand.attributes.size import ages, sizes
from storewise.understand.attributes.text import MAX_CHARACTERS, cased, plain

READ = [
    ("3升", "volume", "3000", "ml"),
    ("3 L", "volume", "3000", "ml"),
    ("3000ml", "volume", "3000", "ml"),
    ("三升", "volume", "3000", "ml"),
    ("500克", "weight", "500", "g"),
    ("0.5kg", "weight", "500", "g"),
    ("半斤", "weight", "250", "g"),
    ("一百二十克", "weight", "120", "g"),
    ("１２ｋｇ", "weight", "12000", "g"),
    ("1,000 ml", "volume", "1000", "ml"),
    ("1,5 l", "volume", "1500", "ml"),
    ("1.000,5 g", "weight", "1000.5", "g"),
    ('17"', "length", "43.18", "cm"),
    ("17 inch", "length", "43.18", "cm"),
    ("17英寸", "length", "43.18", "cm"),
    ("1/2 inch", "length", "1.27", "cm"),
    ('3-1/2"', "length", "8.89", "cm"),
    ("2½ ft", "length", "76.2", "cm"),
    ("1.5m", "length", "150", "cm"),
    ("65W", "power", "65", "W"),
    ("128GB", "storage", "128", "GB"),
    ("4000mAh", "charge", "4000", "mAh"),
    ("2.1 GHz", "frequency", "2100", "MHz"),
    ("10x20x30 cm", "dimensions", "10x20x30", "cm"),
    ("86×54mm", "dimensions", "8.6x5.4", "cm"),
    ("1440 x 900 pixels", "resolution", "1440x900", "px"),
    ("5-10 kg", "weight", "5000-10000", "g"),
    ("100 to 240 V", "voltage", "100-240", "V"),
    ("1~1.5斤", "weight", "500-750", "g"),
    ("1-5岁", "age", "1-5", "years old"),
]


@pytest.mark.parametrize(("text", "name", "value", "unit"), READ)
def test_a_measure_is_read(text: str, name: str, value: str, unit: str) -> None:
    assert normalise(text) == (name, value, unit)


@pytest.mark.parametrize(("text", "name", "value", "unit"), READ)
def test_normalising_again_changes_nothing(text: str, name: str, value: str, unit: str) -> None:
    assert normalise(f"{value} {unit}") == (name, value, unit)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5V/2A charger", {("voltage", "5"), ("current", "2")}),
        ("500mlx6瓶", {("volume", "500"), ("quantity", "6")}),
        ("12 x 330 ml", {("volume", "330"), ("quantity", "12")}),
        ("10g*6袋/盒", {("weight", "10"), ("quantity", "6")}),
        ("2x 1.5m cable", {("length", "150"), ("quantity", "2")}),
        ("16G,32G TF", {("storage", "16"), ("storage", "32")}),
        ("4g手机 3 in 1", set()),
        ("10Gb network, 300 Mb/s", set()),
        ("kfr-35gw h540s 2017", set()),
        ("第2件半价", set()),
    ],
)
def test_measures_in_context(text: str, expected: set[tuple[str, str]]) -> None:
    found = {(m.name, m.value) for m in (*measurements(text), *quantities(text))}
    assert found == expected


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("12 pcs", "12"), ("12件装", "12"), ("pack of 12", "12"), ("Set of twelve", "12"), ("SET/6 PLATES", "6"),
        ("SET 3 RED SPOT", "3"), ("S/4 CANDLES", "4"), ("三件套", "3"), ("(36只装)", "36"), ("十双装", "10"),
        ("6 pc(s)", "6"), ("75 PETIT FOUR CASES", "75"), ("1,000 sheets", "1000"),
    ],
)  # fmt: skip
def test_pieces_are_counted(text: str, pieces: str) -> None:
    assert pieces in {m.value for m in (*quantities(text), *measurements(text)) if m.name == "quantity"}


@pytest.mark.parametrize("text", ["3 TIER CAKE STAND", "10 COLOUR PEN", "一次性手套", "iPhone 7", "2017 new"])
def test_other_numbers_are_no_pieces(text: str) -> None:
    assert [m for m in (*quantities(text), *measurements(text)) if m.name == "quantity"] == []


@pytest.mark.parametrize("text", ["s.Oliver shirt", "Levi's", "6 pc(s)", "DVD-L", "T-shirt M&S"])
def test_letters_are_not_always_sizes(text: str) -> None:
    assert list(sizes(text)) == []


NUMBERS = st.floats(0.001, 99_999, allow_nan=False).map(lambda x: round(x, 3))


@given(NUMBERS, st.sampled_from(sorted(units.table())), st.sampled_from(sorted(units.table())))
def test_units_convert_there_and_back(value: float, one: str, other: str) -> None:
    if units.unit(one).measure == units.unit(other).measure:
        there = units.convert(value, one, other)
        assert units.convert(there, other, one) == pytest.approx(value, rel=1e-12)
    else:
        with pytest.raises(UnknownName):
            units.convert(value, one, other)


@given(st.floats(0.0001, 999_999_999, allow_nan=False))
def test_a_written_number_is_read_as_it_is(value: float) -> None:
    text = number.write(value)
    assert number.parse(text) == pytest.approx(value, rel=1e-5, abs=1e-10)
    assert number.write(float(text)) == text


@given(st.integers(1, 99_999))
def test_chinese_numerals_are_read(value: int) -> None:
    assert number.parse(_in_han(value)) == value


def _in_han(value: int) -> str:
    """An independent writer of Chinese numerals below 100,000."""
    if value >= 10_000:
        rest = value % 10_000
        return (
            _in_han(value // 10_000) + "万" + (("零" if rest < 1000 else "") + _in_han(rest) if rest else "")
        )
    out, zero = "", False
    for power, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // power % 10
        if digit:
            out += ("零" if zero and out else "") + "零一二三四五六七八九"[digit] + sign
            zero = False
        else:
            zero = True
    return out


PIECES = st.sampled_from(
    ["12", "1,5", "1/2", "½", "三", "两", "半", " ", "x", "×", "*", "-", "~", "kg", "克", "升", "ml", '"', "m", "in", "G",
     "件装", "pack of ", "set/", "第", "红", "👟", "ａ", "ＫＧ", "/", ".", ",", "(", "A4", "码", "İ", "ß", "岁"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join))


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_places_are_in_the_text_and_values_are_stable(text: str) -> None:
    assert len(plain(text)) == len(cased(text)) == len(text)
    for one in (*measurements(text), *quantities(text), *sizes(text), *ages(text)):
        assert 0 <= one.start < one.end <= len(text)
        assert one.value
        if one.unit:
            assert normalise(f"{one.value} {one.unit}") == (one.name, one.value, one.unit)


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1,1,",
        "1 x ",
        "5-",
        "一",
        "1/2 ",
        "x1x1 cm",
        "set of ",
        "ages 1 ",
        '1"',
        "1.000,",
        "(s",
        "两件",
        "½½",
    ],
)
def test_a_long_text_takes_bounded_time(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    started = time.process_time()
    found = [*measurements(text), *quantities(text), *sizes(text), *ages(text)]
    assert time.process_time() - started < 3.0
    assert all(one.end <= MAX_CHARACTERS for one in found)


def test_what_stands_beyond_the_limit_is_not_read() -> None:
    assert [m.value for m in measurements(" " * (MAX_CHARACTERS - 5) + "5 kg")] == ["5000"]
    assert measurements(" " * MAX_CHARACTERS + "5 kg") == []
