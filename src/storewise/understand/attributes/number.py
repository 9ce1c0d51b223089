"""Numbers as titles write them: separators, decimal comma, fractions, words, Chinese numerals."""

from __future__ import annotations

import re
from fractions import Fraction

WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "dozen": 12, "fifteen": 15, "sixteen": 16, "twenty": 20, "fifty": 50,
    "hundred": 100,
}  # fmt: skip
_VULGAR = {
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
    "⅓": "1/3",
    "⅔": "2/3",
    "⅛": "1/8",
    "⅜": "3/8",
    "⅝": "5/8",
    "⅞": "7/8",
}
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "俩": 2,
    "壹": 1,
    "贰": 2,
    "叁": 3,
}
_POWERS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}

VULGAR = "½¼¾⅓⅔⅛⅜⅝⅞"
DIGITS = (
    r"(?:\d{1,3}[ -]\d{1,2}/(?:2|3|4|8|16|32|64)(?![\d/])"  # 1 1/2, 3-1/2
    r"|\d{1,2}/(?:2|3|4|8|16|32|64)(?![\d/])"  # 1/2
    r"|\d{1,3}(?:\.\d{3}){1,3},\d{1,3}(?!\d)"  # 1.000,5
    r"|\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,6})?(?!\d)"  # 1,000.5
    rf"|\d{{1,9}}(?:\.\d{{1,6}}|,\d{{1,2}}(?![\d.,]))?(?!\d)[{VULGAR}]?"  # 12, 1.5, 1,5, 2½
    rf"|[{VULGAR}])"
)
HAN_DIGITS = r"(?:[零〇一二三四五六七八九两俩十百千万半壹贰叁]{1,8}(?:点[零〇一二三四五六七八九]{1,4})?)"


def parse(text: str) -> float | None:
    """The number that ``text`` is, or None.

    >>> [parse(t) for t in ("1,000", "1,5", "1.000,5", "1 1/2", "2½", "twelve", "一百二十", "半", "3点五", "x")]
    [1000.0, 1.5, 1000.5, 1.5, 2.5, 12.0, 120.0, 0.5, None, None]
    """
    word = text.strip().lower()
    if word in WORDS:
        return float(WORDS[word])
    if word and (word[0].isdigit() or word[0] in _VULGAR):
        return _digits(word)
    return _han(word)


def _digits(text: str) -> float | None:
    for sign, plain in _VULGAR.items():
        if text.endswith(sign):
            text = f"{text[:-1]} {plain}".strip()
    whole, _, part = text.replace("-", " ").rpartition(" ")
    if "/" in part:
        top, _, bottom = part.partition("/")
        if not (top.isdigit() and bottom.isdigit() and int(bottom)):
            return None
        return float((int(whole) if whole.strip().isdigit() else 0) + Fraction(int(top), int(bottom)))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", text):
        text = text.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    else:
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def _han(text: str) -> float | None:
    if text == "半":
        return 0.5
    whole, dot, part = text.partition("点")
    if dot and not (part and all(c in _DIGITS for c in part)):
        return None
    half = whole.endswith("半") and len(whole) > 1
    total = _han_whole(whole[:-1] if half else whole)
    if total is None:
        return None
    decimals = "".join(str(_DIGITS[c]) for c in part)
    return total + (float(f"0.{decimals}") if decimals else 0.0) + (0.5 if half else 0.0)


def _han_whole(text: str) -> float | None:
    if not text or any(c not in _DIGITS and c not in _POWERS for c in text):
        return None
    if all(c in _DIGITS for c in text):
        return float("".join(str(_DIGITS[c]) for c in text))
    total, section, digit = 0, 0, 0
    for c in text:
        if c == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        elif c in _POWERS:
            section, digit = section + (digit or 1) * _POWERS[c], 0
        else:
            digit = _DIGITS[c]
    return float(total + section + digit)


def write(value: float) -> str:
    """A number in its shortest form, ten significant digits.

    >>> write(43.18), write(3000.0), write(0.1 + 0.2)
    ('43.18', '3000', '0.3')
    """
    text = f"{value:.10g}"
    return f"{value:.10f}".rstrip("0").rstrip(".") if "e" in text else text
