"""Text → words: the same for products and for queries.

1. Unicode NFKC, lower case, accents folded (*Café* = *cafe*, full-width ＡＢＣ = abc).
2. Words are runs of letters and digits. A run of both also gives its parts, so that *128GB* meets *128 gb* and
   *iphone7* meets *iphone 7*; a number keeps its decimal point (*15.6*).
3. English plurals are joined with their singular (:mod:`.stemmer`).
4. Chinese, Japanese and Thai write no spaces: every character and every pair of neighbours is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from storewise.recommend.search.stemmer import singular

MAX_CHARACTERS = 20_000  # of one text; what follows is not read
LONGEST_WORD = 64  # characters; longer runs are no words
_SPACELESS = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{_SPACELESS}]+|[^\W_{_SPACELESS}]+(?:\.\d+(?![^\W_]))?")
_PART = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")
_SPACELESS_RUN = re.compile(rf"[{_SPACELESS}]")
STOPWORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "is",
        "it",
        "of",
        "on",
        "or",
        "the",
        "to",
        "with",
    ]
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a query; ``parts`` are what it falls into (empty where it is one piece)."""

    text: str
    parts: tuple[str, ...] = ()


def normal(text: str) -> str:
    """NFKC, lower case, without accents.

    >>> normal("Café ＵＳＢ Straße")
    'cafe usb strasse'
    """
    if text.isascii():
        return text.lower()
    loose = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", "".join(c for c in loose if not "\u0300" <= c <= "\u036f"))


def query_words(text: str) -> list[Word]:
    """The words of a query in order, without English function words unless nothing else is there.

    >>> query_words("the 17-inch lamps, 128GB")
    [Word(text='17', parts=()), Word(text='inch', parts=()), Word(text='lamp', parts=()), Word(text='128gb', parts=('128', 'gb'))]
    >>> [w.text for w in query_words("蓝牙音箱")]
    ['蓝牙', '牙音', '音箱']
    """
    found = list(_words(text))
    return [word for word in found if word.text not in STOPWORDS] or found


def _words(text: str) -> Iterable[Word]:
    for run in _RUN.findall(normal(text[:MAX_CHARACTERS])):
        if _SPACELESS_RUN.match(run):
            pairs = [run[i : i + 2] for i in range(len(run) - 1)]
            yield from (Word(pair) for pair in pairs or [run])
        elif len(run) <= LONGEST_WORD:
            parts = [singular(part) for part in _PART.findall(run)]
            yield Word(singular(run), tuple(parts) if len(parts) > 1 else ())


def index_words(text: str) -> list[str]:
    """All words under which a text is found: words, the parts of mixed ones, characters and pairs of Chinese.

    >>> index_words("ASUS 15.6-inch, 8GB")
    ['asus', '15.6', 'inch', '8gb', '8', 'gb']
    >>> index_words("手机壳")
    ['手', '机', '壳', '手机', '机壳']
    """
    found: list[str] = []
    for run in _RUN.findall(normal(text[:MAX_CHARACTERS])):
        if _SPACELESS_RUN.match(run):
            found += list(run)
            found += [run[i : i + 2] for i in range(len(run) - 1)]
        elif len(run) <= LONGEST_WORD:
            found.append(singular(run))
            if not (run.isalpha() or run.isdigit()):
                parts = [singular(part) for part in _PART.findall(run)]
                found += parts if len(parts) > 1 else []
    return found
