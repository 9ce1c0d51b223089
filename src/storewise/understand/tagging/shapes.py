"""What kind of character or word a token is, in any script."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_CJK = (
    ("CJK UNIFIED", "h"),
    ("CJK COMPATIBILITY", "h"),
    ("HIRAGANA", "j"),
    ("KATAKANA", "j"),
    ("HANGUL", "k"),
    ("CYRILLIC", "y"),
    ("ARABIC", "r"),
)


@lru_cache(maxsize=65536)
def character_class(character: str) -> str:
    """One letter for a character: ``d`` digit, ``a``/``A`` Latin, ``h`` Han, ``j`` kana, ``k`` Hangul, ``y``
    Cyrillic, ``r`` Arabic, ``l`` any other letter, ``s`` blank, ``m`` sign, ``p`` punctuation.

    >>> "".join(map(character_class, "5Gx手 ½+、"))
    'dAahsdmp'
    """
    category = unicodedata.category(character)
    if category[0] == "N":
        return "d"
    if category[0] in "ZC":
        return "s"
    if category[0] == "S":
        return "m"
    if category[0] != "L":
        return "p"
    name = unicodedata.name(character, "")
    if name.startswith(("LATIN", "FULLWIDTH LATIN")):
        return "A" if category == "Lu" else "a"
    return next((letter for start, letter in _CJK if name.startswith(start)), "l")


@lru_cache(maxsize=262144)
def shape(token: str) -> str:
    """The classes of a token's characters, runs shortened to one.

    >>> shape("iPhone15"), shape("手"), shape("USB-C")
    ('aAad', 'h', 'ApA')
    """
    classes = [character_class(character) for character in token]
    return "".join(c for i, c in enumerate(classes) if not i or classes[i - 1] != c)


@lru_cache(maxsize=262144)
def normal(token: str) -> str:
    """A token as features see it: compatibility forms folded, lower case, digits of words as 0, no line ends.

    >>> normal("ＡＢ-12"), normal("7"), normal("\\n")
    ('ab-00', '7', ' ')
    """
    folded = unicodedata.normalize("NFKC", token).lower() or token
    if len(folded) > 1:
        folded = "".join("0" if character.isdigit() else character for character in folded)
    return "".join(" " if character.isspace() else character for character in folded)
