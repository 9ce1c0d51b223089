"""Text as tokens with their places in it: words, and single characters where a script has no blanks."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple


class Token(NamedTuple):
    """A token and the characters ``start`` up to but without ``end`` of the text that it is."""

    text: str
    start: int
    end: int


_SINGLE = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"  # Han, kana, Hangul


def tokens_of(text: str, *, characters: bool = False) -> list[Token]:
    """The tokens of a text; blanks part tokens and are none.

    ``characters``: every character is a token, as in data that is tagged by character. Otherwise tokens are words
    of letters (with their combining marks), runs of digits, and single characters of everything else, Han, kana
    and Hangul among them.

    >>> [token.text for token in tokens_of("USB-C 充电器 20W")]
    ['USB', '-', 'C', '充', '电', '器', '20', 'W']
    >>> tokens_of("a b", characters=True)
    [Token(text='a', start=0, end=1), Token(text='b', start=2, end=3)]
    """
    if characters:
        return [Token(c, i, i + 1) for i, c in enumerate(text) if not c.isspace()]
    return [Token(match[0], match.start(), match.end()) for match in _pattern().finditer(text)]


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    marks = "".join(chr(c) for c in range(0x300, 0x2E80) if unicodedata.category(chr(c))[0] == "M")
    return re.compile(rf"[^\W\d_{_SINGLE}](?:[{marks}]|[^\W\d_{_SINGLE}])*|\d+|\S")
