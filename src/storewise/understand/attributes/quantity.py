"""How many pieces are sold as one: pack of 12, SET/6, 12件装, 三件套, 36只装, 10g*6袋."""

from __future__ import annotations

import re
from collections.abc import Iterator

from storewise.understand.attributes import number
from storewise.understand.attributes.measure import Measurement
from storewise.understand.attributes.text import plain

MOST = 10_000
_WORD = "|".join(number.WORDS)
_COUNT = rf"(?:\d{{1,2}},\d{{3}}|\d{{1,5}}|(?:{_WORD})\b)"
_OF = re.compile(
    rf"\b(?:packs?|sets?|box|boxes|case|bag|lot|bundle|roll|packet|tube?|tin|pair|bx|pk)(?: ?of ?|/ ?)({_COUNT})(?![\w.%])"
    rf"|\b(?:sets?|pack|pk)[ -]?(\d{{1,4}})(?![\w.,/-])"
)
_SHORT = re.compile(r"\bs/(\d{1,3})(?![\w.])")
_FIRST = re.compile(
    r"^\s*(\d{1,3}) (?!(?:tier|hook|drawer|colou?rs?|light|led|way|in|part|door|layer|section|port|year|step|shel|person|panel|speed"
    r"|wheel|pocket|seat|bulb|draw|branch|compart|level|bit|core|pin|mm|cm|m|ft|inch|button|channel|bay|outlet|key|zone|in|days?|hours?)\w*\b)"
    r"(?=[a-z]{2,})"
)
_EACH = re.compile(
    rf"(?<![\w.,/#-])({_COUNT})[ -]?(?:per (?:box|pack|case)|(?:pcs?|pieces?|pce|packs?|pkt?|sets?|pairs?|ct|count|sheets|units)\b)"
)
_THINGS = "件支个只片包袋盒瓶罐块粒双条张枚卷把套颗串本册丸听节台对"
_HAN = re.compile(
    r"(?<![a-z0-9.第零一二三四五六七八九十百千万两])(\d{1,5}|[二三四五六七八九两十百]{1,4})"
    rf"\s?\(?([{_THINGS}])\)?(装|套装|套|入|组|/)?"
)
_NOT_AFTER = ("代发", "起", "半价", "以上", "以内", "减", "折", "一", "月")


def quantities(text: str) -> list[Measurement]:
    """Numbers of pieces in ``text``.

    >>> [m.value for t in ("Pack of 12", "SET/6 PLATES", "12件装", "set of three", "三件套", "36只装") for m in quantities(t)]
    ['12', '6', '12', '3', '3', '36']
    """
    low = plain(text)
    return [*_latin(low), *(() if low.isascii() else _han(low))]


def _latin(low: str) -> Iterator[Measurement]:
    for match in _OF.finditer(low):
        yield from _made(match[1] or match[2], match.start(), match.end(), 0.95 if match[1] else 0.85)
    for match in _SHORT.finditer(low):
        yield from _made(match[1], match.start(), match.end(), 0.8)
    first = _FIRST.match(low)
    if first and int(first[1]) > 1:  # 75 PETIT FOUR CASES
        yield from _made(first[1], *first.span(1), 0.55)
    for match in _EACH.finditer(low):
        yield from _made(match[1], match.start(), match.end(), 0.9)


def _han(low: str) -> Iterator[Measurement]:
    for match in _HAN.finditer(low):
        if low.startswith(_NOT_AFTER, match.end()) or low[match.start() - 1 : match.start()] in ("x", "第"):
            continue
        kept = match[3] is not None and match[3] != "/"
        yield from _made(match[1], match.start(), match.end() - (match[3] == "/"), 0.92 if kept else 0.6)


def _made(count: str, start: int, end: int, confidence: float) -> Iterator[Measurement]:
    value = number.parse(count)
    if value is not None and 1 <= value <= MOST:
        yield Measurement("quantity", number.write(value), "piece", start, end, confidence)
