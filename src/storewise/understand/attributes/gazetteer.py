"""Lists of known phrases, found in one pass: a tree of tokens that all lists share."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from storewise.understand.attributes.text import Token, is_han, joined, tokens
from storewise.understand.attributes.text import plain as plain_text
from storewise.understand.attributes.value import Method

BUILT_IN = ("colour", "material", "audience", "pattern", "type")
_MOTIFS = frozenset(("dog", "dogs", "cats", "puppy", "boy", "girl", "lady", "man", "woman"))
"""Singular, they are as often what is printed on a thing as who it is for."""
BLOCKED = ""
"""The value of a phrase that keeps a shorter one inside it from being found (红酒 is no colour)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase of a list. ``value`` is canonical; ``BLOCKED`` blocks."""

    name: str
    value: str
    phrase: str
    confidence: float
    method: Method


@dataclass(frozen=True, slots=True)
class Match:
    """An entry where it stands."""

    entry: Entry
    start: int
    end: int


class _Node:
    __slots__ = ("entries", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.entries: list[Entry] = []


class Gazetteer:
    """Finds entries in text, for each name the longest at each place.

    >>> lists = Gazetteer([Entry("colour", "red", "red", 0.9, "gazetteer"), Entry("colour", "", "red wine", 1, "gazetteer")])
    >>> [m.entry.value for m in lists.find("Red wine, red bag")]
    ['red']
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._root = _Node()
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        node = self._root
        for token in tokens(plain_text(entry.phrase)):
            node = node.next.setdefault(token.text, _Node())
        if node is not self._root:
            node.entries.append(entry)

    def find(self, text: str, words: list[Token] | None = None) -> Iterator[Match]:
        """Matches in ``text``, in its order. ``words``: its tokens, when they are known already."""
        low = plain_text(text) if words is None else text
        found = tokens(low) if words is None else words
        taken: dict[str, int] = {}
        for place in range(len(found)):
            longest = self._from(found, place, low)
            for name, (entry, end) in longest.items():
                start = found[place].start
                if start < taken.get(name, 0):
                    continue
                taken[name] = end
                if entry.value != BLOCKED:
                    yield Match(entry, start, end)

    def _from(self, words: list[Token], place: int, low: str) -> dict[str, tuple[Entry, int]]:
        node = self._root.next.get(words[place].text)
        longest: dict[str, tuple[Entry, int]] = {}
        while node is not None:
            end = words[place].end
            for entry in node.entries:
                held = longest.get(entry.name)
                if held is None or held[1] < end or held[0].confidence < entry.confidence:
                    longest[entry.name] = (entry, end)
            place += 1
            if place >= len(words) or not node.next or not joined(low[end : words[place].start]):
                break
            node = node.next.get(words[place].text)
        return longest


@cache
def built_in() -> tuple[Entry, ...]:
    """The entries of the lists that come with the package, colours to types, and what blocks them."""
    return (*(entry for name in BUILT_IN for entry in _list(name)), *_blocked())


@cache
def lists_of(name: str) -> Gazetteer:
    """The built-in entries of one name."""
    return Gazetteer(entry for entry in built_in() if entry.name == name)


def _list(name: str) -> Iterator[Entry]:
    for row in _rows(name):
        seen = set()
        for phrase in (
            row["canonical"] if name != "type" else "",
            *row["en"].split("|"),
            *row["zh"].split("|"),
        ):
            if phrase and phrase not in seen:
                seen.add(phrase)
                yield Entry(name, row["canonical"], phrase, _sure(name, phrase), "gazetteer")


def _blocked() -> Iterator[Entry]:
    for row in _rows("blocked"):
        for phrase in row["phrases"].split("|"):
            yield Entry(row["name"], BLOCKED, phrase, 1.0, "gazetteer")


def _rows(name: str) -> list[dict[str, str]]:
    text = files("storewise.understand.attributes").joinpath(f"gazetteers/{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _sure(name: str, phrase: str) -> float:
    """One Chinese character can be part of any word; types of the built-in list are coarse."""
    if is_han(phrase):
        return 0.5 if name == "colour" else 0.6
    if phrase in _MOTIFS:
        return 0.6
    return {"type": 0.6, "pattern": 0.75, "material": 0.8}.get(name, 0.85)
