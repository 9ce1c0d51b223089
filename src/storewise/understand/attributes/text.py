"""Text as the extraction reads it: character by character the same length as the original, so that a place in
one is the place in the other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_CHARACTERS = 20_000
"""Of a longer text only this much is read; what stands later is not found. No error: shops have such texts."""

_FULL_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)}
_SAME = {0x3000: " ", 0xA0: " ", 0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"', 0x2033: '"', 0xD7: "x"}
_SAME |= {0x2010: "-", 0x2011: "-", 0x2012: "-", 0x2013: "-", 0x2014: "-", 0xFF5E: "~", 0x301C: "~"}
_TABLE: dict[int, int | str | None] = {**_FULL_WIDTH, **_SAME}
HAN = "\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
_JOINS = re.compile(r"[ \-'.&/+®™\u200d]{0,3}")


@lru_cache(maxsize=64)
def plain(text: str) -> str:
    """Lower case, half width, simple quotes and dashes; the same length, at most ``MAX_CHARACTERS``.

    >>> plain("ＲＥＤ　鞋　５００ＭＬ ×２")
    'red 鞋 500ml x2'
    """
    cut = cased(text)
    lower = cut.lower()
    if len(lower) == len(cut):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in cut)


def cased(text: str) -> str:
    """As :func:`plain`, in the original's case."""
    cut = text[:MAX_CHARACTERS]
    return cut if cut.isascii() else cut.translate(_TABLE)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of letters and digits, or one Chinese or Japanese character."""

    text: str
    start: int
    end: int


def tokens(plain_text: str) -> list[Token]:
    """Words and characters with their places.

    >>> [t.text for t in tokens("children's t-shirt 红色2件")]
    ['children', 's', 't', 'shirt', '红', '色', '2', '件']
    """
    return [Token(m.group(), m.start(), m.end()) for m in _TOKEN.finditer(plain_text)]


def joined(between: str) -> bool:
    """True when what stands between two tokens lets them be one phrase.

    >>> joined("-"), joined(", ")
    (True, False)
    """
    return not between or _JOINS.fullmatch(between) is not None


def is_han(token: str) -> bool:
    """True for a Chinese or Japanese character."""
    return len(token) == 1 and ("\u3040" <= token <= "\u9fff" or "\uf900" <= token <= "\ufaff")
