"""Measures in text: numbers with units, ranges, sizes of two or three sides, in canonical units.

One expression finds up to three numbers in a row with their units; what they mean is decided here. All of
its repeats are bounded, so that time grows with the length of the text and no text makes it slow.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from storewise.understand.attributes import number, units
from storewise.understand.attributes.text import cased, plain


@dataclass(frozen=True, slots=True)
class Measurement:
    """``text[start:end]`` says ``value unit``: a number, a range "5-10", or sides "10x20x30".

    >>> [(m.name, m.value, m.unit) for m in measurements("保温壶 三升 (3L)  500克, 10x20x30 mm")]
    [('volume', '3000', 'ml'), ('volume', '3000', 'ml'), ('weight', '500', 'g'), ('dimensions', '1x2x3', 'cm')]
    """

    name: str
    value: str
    unit: str
    start: int
    end: int
    confidence: float


def measurements(text: str) -> list[Measurement]:
    """What is measured in ``text``, in the order of the text."""
    low = plain(text)
    upper = cased(text)
    return [m for match in _expression().finditer(low) for m in _read(match, low, upper)]


def normalise(text: str) -> tuple[str, str, str] | None:
    """Name, value and unit when the whole of ``text`` is one measure; its own result gives itself again.

    >>> normalise("3升"), normalise("3 L"), normalise("3000 ml")
    (('volume', '3000', 'ml'), ('volume', '3000', 'ml'), ('volume', '3000', 'ml'))
    """
    bare = text.strip()
    if (told := _told(plain(bare))) is not None:
        return told
    for one in measurements(bare):
        if (one.start, one.end) == (0, len(bare)):
            return one.name, one.value, one.unit
    return None


def _told(text: str) -> tuple[str, str, str] | None:
    """A measure that is told as such, number and unit: no doubt then what an A, an m or a g means."""
    match = _CANONICAL.fullmatch(text)
    unit = units.table().get(match[2]) if match else None
    if match is None or unit is None:
        return None
    sign = "x" if "x" in match[1] else "-"
    values = [number.write(float(v) * unit.factor) for v in match[1].split(sign)]
    name = "dimensions" if sign == "x" and unit.measure == "length" else unit.measure
    return name, sign.join(values), unit.canonical


_CANONICAL = re.compile(
    r"(\d{1,12}(?:\.\d{1,10})?(?:(?:x\d{1,12}(?:\.\d{1,10})?){1,2}|-\d{1,12}(?:\.\d{1,10})?)?) ?(\D+)"
)


@cache
def _expression() -> re.Pattern[str]:
    unit = rf"(?:{units.pattern()})"
    latin = rf"{number.DIGITS}(?:[ -]?{unit})?"
    side = rf"(?:\s?[wdhl] ?)?\s?(?:[x*]|~|-|to(?= )|至|到)\s?{latin}"
    mixed = rf"(?<![a-z0-9.])(?<!第){latin}(?:{side}){{0,2}}"
    han = rf"(?<!第)(?<![零〇一二三四五六七八九两十百千万点]){number.HAN_DIGITS}\s?(?:{_han_units()})"
    return re.compile(rf"{mixed}|{han}")


@cache
def _han_units() -> str:
    """Units that may follow a Chinese numeral; without 两 (50 g), which nearly always counts two things."""
    spellings = [s for s in units.table() if not s.isascii()]
    return "|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))


@cache
def _pieces() -> re.Pattern[str]:
    return re.compile(rf"({number.DIGITS}|{number.HAN_DIGITS})([ -]?(?:{units.pattern()}))?")


@dataclass(frozen=True, slots=True)
class _Piece:
    value: float
    unit: units.Unit | None
    spelling: str
    start: int
    end: int


def _read(match: re.Match[str], low: str, upper: str) -> Iterator[Measurement]:
    pieces = list(_split(match))
    if all(p.unit is None for p in pieces):
        return
    if len(pieces) > 1 and pieces[-1].unit is None:  # 7x17cm x 3
        count = pieces.pop()
        yield from _count(count, low[pieces[-1].end : count.start], 0.6)
    if len(pieces) > 1 and _counts(pieces, low):  # 2x 1.5m, 12 x 330 ml
        yield from _count(pieces[0], "x", 0.8)
        pieces = pieces[1:]
    joins = [low[a.end : b.start].strip() for a, b in itertools.pairwise(pieces)]
    if len(pieces) > 1 and _one_measure(pieces):
        if all(j[-1:] in ("x", "*") for j in joins):
            yield from _sides(pieces)
            return
        if all(j in ("-", "~", "to", "至", "到") for j in joins):
            yield from _range([pieces[0], pieces[-1]])
            return
    for piece in pieces:
        if piece.unit is not None:
            yield from _single(piece, low, upper)


def _counts(pieces: list[_Piece], low: str) -> bool:
    """True when the first number counts what the rest measures."""
    first, second = pieces[0], pieces[1]
    between = low[first.end : second.start]
    if first.unit is not None or between.strip() not in ("x", "*") or second.unit is None:
        return False
    return second.unit.measure in ("weight", "volume") or between == "x "


def _count(piece: _Piece, between: str, confidence: float) -> Iterator[Measurement]:
    if between.strip() in ("x", "*") and 1 < piece.value <= 1000 and piece.value == int(piece.value):
        yield _made("quantity", [piece.value], "piece", piece.start, piece.end, confidence)


def _split(match: re.Match[str]) -> Iterator[_Piece]:
    for one in _pieces().finditer(match.string, match.start(), match.end()):
        value = number.parse(one[1])
        spelling = (one[2] or "").strip(" -")
        if value is None:
            continue
        found = units.table().get(spelling) if spelling else None
        yield _Piece(value, found, spelling, one.start(), one.end())


def _one_measure(pieces: list[_Piece]) -> bool:
    """True when the last number has a unit and the others have none or one of the same measure."""
    last = pieces[-1].unit
    return last is not None and all(p.unit is None or p.unit.measure == last.measure for p in pieces)


def _sides(pieces: list[_Piece]) -> Iterator[Measurement]:
    last = pieces[-1].unit
    assert last is not None
    start, end = pieces[0].start, pieces[-1].end
    values = [p.value * (p.unit or last).factor for p in pieces]
    if last.measure == "length":
        yield _made("dimensions", values, "cm", start, end, 0.95)
    elif last.measure == "resolution" and len(values) == 2:
        yield _made("resolution", values, "px", start, end, 0.97)
    else:
        yield _made(last.measure, [values[-1]], last.canonical, pieces[-1].start, end, 0.8)


def _range(pieces: list[_Piece]) -> Iterator[Measurement]:
    low, high = pieces
    assert high.unit is not None
    first, second = low.value * (low.unit or high.unit).factor, high.value * high.unit.factor
    name, unit = high.unit.measure, high.unit.canonical
    if first < second and (first == 0 or second <= 1000 * first):
        yield _made(name, [first, second], unit, low.start, high.end, 0.9, sign="-")
    else:
        yield _made(name, [second], unit, high.start, high.end, 0.6)


def _single(piece: _Piece, low: str, upper: str) -> Iterator[Measurement]:
    found = piece.unit
    assert found is not None
    name, unit, value = found.measure, found.canonical, piece.value * found.factor
    confidence = _sure(piece, low, upper)
    if piece.spelling == "毫安" and value >= 0.5:  # of batteries, short for 毫安时
        name, unit, value = "charge", "mAh", piece.value
    if piece.spelling == "g" and confidence < 0:  # 64G: storage that lost its B
        name, unit, value, confidence = "storage", "GB", piece.value, 0.8
    if confidence > 0 and value > 0:
        yield _made(name, [value], unit, piece.start, piece.end, confidence)


def _sure(piece: _Piece, low: str, upper: str) -> float:
    """How sure a spelling that is also something else means the unit: 0 not at all, -1 "G" of storage."""
    spelling, value = piece.spelling, piece.value
    after = low[piece.end : piece.end + 8].lstrip()
    capital = upper[piece.end - len(spelling) : piece.end].isupper()
    tight_low = upper[piece.end - len(spelling) : piece.end].islower()
    tight = low[piece.end - len(spelling) - 1].isdigit()
    if spelling == "g":
        return _sure_of_grams(value, after, capital)
    if spelling == "m":
        if tight and value == 3 and capital:  # the maker
            return 0.0
        memory = after.startswith(("b", "缓存", "cache", "内存", "流量", "宽带", "带宽")) or value in (
            128,
            256,
            512,
        )
        return 0.0 if memory else (0.75 if capital else 0.9)
    if spelling == "in":
        return 0.9 if tight else 0.0  # "3 in 1" is no inch
    if spelling in ("gb", "mb", "kb") and (
        after.startswith(("/s", "ps")) or (upper[piece.end - 1].islower() and not tight_low)
    ):
        return 0.0  # bits: 10Gb, 300 Mb/s
    if spelling in ("a", "''"):
        return 0.8 if tight and value <= 200 else 0.0
    if spelling == "l":
        return 0.9 if value <= 1000 else 0.0
    if spelling in ("piece", "pack", "count", "ct", "pair") and value > 10_000:
        return 0.0
    if spelling in ("pack", "packs", "pk", "pc", "pcs", "pc(s)", "piece", "pieces", "pce"):
        return 0.92 if value == int(value) and value >= 1 else 0.0
    if piece.unit is not None and piece.unit.measure == "quantity":
        return 0.7 if value == int(value) and value >= 2 else 0.0
    return 0.95


def _sure_of_grams(value: float, after: str, capital: bool) -> float:
    network = after.startswith(
        ("手机", "网", "流量", "wifi", "wi-fi", "上网", "lte", "全网", "无线", "双频", "hz", "路由")
    )
    if value in (2.4, 5.8) or (value in (2, 3, 4, 5) and (network or not after.startswith(("x", "*", "/")))):
        return 0.0
    storage = after.startswith(
        ("内存", "硬盘", "u盘", "优盘", "运行", "版", "tf", "sd", "usb", "固态", "闪存", "ram", "ddr")
    )
    if value in (8, 16, 32, 64, 128, 256, 512) and (storage or capital):
        return -1.0
    return 0.9


def _made(
    name: str, values: list[float], unit: str, start: int, end: int, confidence: float, *, sign: str = "x"
) -> Measurement:
    return Measurement(name, sign.join(number.write(v) for v in values), unit, start, end, confidence)
