"""Sizes that are names, not measures: S to 6XL, 36码, A4, large, 大号; and ages that a thing is made for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from storewise.understand.attributes.measure import Measurement
from storewise.understand.attributes.text import plain

_LETTERS = r"(?:[2-6]xl|x{1,4}l|x{1,2}s|[sml])"
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], float], ...] = (
    (("size", "尺码"), re.compile(rf"(?<![\w'&-])(?:size |尺码:? ?)({_LETTERS})(?![\w'])"), 0.95),
    (("xl", "xxs"), re.compile(r"(?<![\w'.-])([2-6]xl|x{1,4}l|xxs)(?![\w'])"), 0.85),
    (("(", "[", "【", "（"), re.compile(rf"(?<![a-z])[\[(【（]({_LETTERS})[\])】）]"), 0.9),
    (("码",), re.compile(rf"(?<![a-z0-9])({_LETTERS})码"), 0.9),
    (("码",), re.compile(r"(?<![\w.])((?:3[3-9]|4[0-9]|5[0-2])(?:\.5)?)码"), 0.9),
    (("size",), re.compile(r"\bsize ((?:uk |us |eu )?\d{1,2}(?:\.5)?)(?![\w.])"), 0.85),
    (("uk", "eu"), re.compile(r"(?<![\w-])((?:uk|eu) ?\d{1,2}(?:\.5)?)(?![\w.])"), 0.75),
    (("a3", "a4", "a5", "a6"), re.compile(r"(?<![\w-])(a[3-6])(?![\w-])"), 0.85),
    (("号", "码"), re.compile(r"(特大号|超大号|[大中小]号|加大码|大码|均码)"), 0.75),
    (("large", "medium", "small", "mini", "jumbo", "giant", "e size"),
     re.compile(r"\b(extra large|large|medium|small|mini|jumbo|giant|free size|one size)\b"), 0.6),
)  # fmt: skip
"""What must be in the text at all, the rule, and its confidence."""
_SAME = {
    "大号": "large", "中号": "medium", "小号": "small", "特大号": "extra large", "超大号": "extra large",
    "加大码": "plus size", "大码": "plus size", "均码": "one size", "free size": "one size",
}  # fmt: skip
_AGES = re.compile(r"\b(?:ages?|aged) (\d{1,2}) ?(?:(-|to|~) ?(\d{1,2})|\+)?(?! ?(?:months|mths))(?![\w.])")


def sizes(text: str) -> Iterator[Measurement]:
    """Named sizes; ``unit`` is empty.

    >>> [s.value for t in ("Shirt Size M", "女装 XL", "鞋 42码", "收纳盒 大号", "Paper A4") for s in sizes(t)]
    ['M', 'XL', '42', 'large', 'A4']
    """
    low = plain(text)
    for needles, rule, confidence in _RULES:
        if not any(needle in low for needle in needles):
            continue
        for match in rule.finditer(low):
            if low.startswith("-", match.end(1)) and confidence <= 0.6:
                continue
            yield Measurement("size", _value(match[1]), "", *match.span(1), confidence)


def ages(text: str) -> Iterator[Measurement]:
    """ "ages 3-6", "age 8+".

    >>> [(a.value, a.unit) for a in ages("Puzzle, ages 3 to 6")]
    [('3-6', 'years old')]
    """
    low = plain(text)
    for match in _AGES.finditer(low) if "age" in low else ():
        value = f"{int(match[1])}-{int(match[3])}" if match[3] else str(int(match[1]))
        yield Measurement("age", value, "years old", *match.span(), 0.9)


def _value(found: str) -> str:
    if found in _SAME:
        return _SAME[found]
    if re.fullmatch(rf"{_LETTERS}|a[3-6]|(?:uk|eu|us) ?[\d.]+", found):
        letters = found.upper()
        return f"{letters.count('X')}X{letters[-1]}" if letters.startswith("XX") else letters
    return found
