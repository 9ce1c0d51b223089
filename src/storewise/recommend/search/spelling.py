"""What a shopper may have meant: corrected words, completed words, compounds written apart or together."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from storewise.recommend.search.analyser import Word
from storewise.recommend.search.index import TextIndex

Kind = Literal["exact", "parts", "corrected", "completed", "joined", "split"]
SHORTEST_CORRECTED = 4  # letters; shorter words have too many neighbours
SHORTEST_PREFIX = 3
ALTERNATIVES = 4  # of one kind for one word
COMPLETED, JOINED, SPLIT, PARTS = 0.7, 0.9, 0.9, 0.9  # weight beside 1 for the word itself
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Alternative:
    """Word numbers that must all be there, and how much they count beside the word as typed."""

    words: tuple[int, ...]
    weight: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class Wanted:
    """A word of the query with everything it may stand for; empty when nothing is near."""

    text: str
    alternatives: tuple[Alternative, ...]


class Speller:
    """Expands queries by the vocabulary of an index.

    - *corrected*: a word that no product holds stands for those within one edit (4 to 7 letters) or two (8 and
      more; insert, delete, replace, swap neighbours: optimal string alignment), weighted 1 − edits / letters;
      of equal distance the more frequent one first.
    - *completed*: the last word, when no product holds it, also stands for the most frequent words that it begins.
    - *joined*, *split*: "smart phone" also stands for "smartphone" and the other way round, where the catalogue
      knows that form.

    >>> index = TextIndex.build({"title": ["wireless headphones", "smartphone", "phone case, smart"]})
    >>> speller = Speller(index)
    >>> [index.words[a.words[0]] for a in speller([Word("headfone")])[0].alternatives]
    ['headphone']
    >>> [a.kind for a in speller([Word("smart"), Word("phone")])[0].alternatives]
    ['exact', 'joined']
    """

    def __init__(self, index: TextIndex) -> None:
        self._index = index
        self._seen: OrderedDict[str, tuple[Alternative, ...]] = OrderedDict()

    def __call__(self, words: Sequence[Word], *, complete: bool = True) -> list[Wanted]:
        """The words of a query with their alternatives; ``complete``: the last word may be unfinished."""
        found = []
        for place, word in enumerate(words):
            options = list(self._itself(word))
            pairs = [
                (words[i].text, words[i + 1].text) for i in (place - 1, place) if 0 <= i < len(words) - 1
            ]
            options += self._joined(pairs)
            options += self._split(word)
            if not options and complete and place == len(words) - 1:
                options += self._completed(word)
            if not options:
                options += self._corrected(word)
            found.append(Wanted(word.text, tuple(options)))
        return found

    def _itself(self, word: Word) -> list[Alternative]:
        number = self._index.number
        found = [Alternative((number[word.text],), 1.0, "exact")] if word.text in number else []
        if word.parts and all(part in number for part in word.parts):
            found.append(Alternative(tuple(number[p] for p in word.parts), PARTS, "parts"))
        return found

    def _joined(self, pairs: Sequence[tuple[str, str]]) -> list[Alternative]:
        """The compounds that the word makes with its neighbours."""
        number = self._index.number
        texts = [first + second for first, second in pairs if first.isalpha() and second.isalpha()]
        return [Alternative((number[text],), JOINED, "joined") for text in texts if text in number]

    def _split(self, word: Word) -> list[Alternative]:
        """The split whose rarer half is the most frequent, where products hold both halves."""
        text, number = word.text, self._index.number
        if not (text.isalpha() and text.isascii() and len(text) >= 2 * SHORTEST_PREFIX):
            return []
        found = []
        for cut in range(SHORTEST_PREFIX, len(text) - SHORTEST_PREFIX + 1):
            halves = text[:cut], text[cut:]
            if all(half in number for half in halves):
                pair = number[halves[0]], number[halves[1]]
                found.append((min(self._index.frequency[list(pair)]), pair))
        # A word that exists keeps its meaning unless both halves are plain words of the catalogue too.
        held = self._index.frequency[number[text]] if text in number else 0
        good = [pair for frequency, pair in sorted(found, reverse=True) if frequency > 2 * held]
        return [Alternative(pair, SPLIT, "split") for pair in good[:1]]

    def _completed(self, word: Word) -> list[Alternative]:
        if len(word.text) < SHORTEST_PREFIX:
            return []
        words = self._index.words
        start = bisect_left(words, word.text)
        stop = bisect_left(words, word.text + "\U0010ffff")
        best = sorted(range(start, stop), key=lambda i: -int(self._index.frequency[i]))[:ALTERNATIVES]
        return [Alternative((i,), COMPLETED, "completed") for i in best]

    def _corrected(self, word: Word) -> tuple[Alternative, ...]:
        text = word.text
        if text in self._seen:
            self._seen.move_to_end(text)
            return self._seen[text]
        found = self._nearest(text)
        self._seen[text] = found
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return found

    def _nearest(self, text: str) -> tuple[Alternative, ...]:
        if len(text) < SHORTEST_CORRECTED or any(c.isdigit() for c in text):
            return ()
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import cdist

        allowed = 1 if len(text) < 8 else 2
        near = [i for size in range(len(text) - allowed, len(text) + allowed + 1)
                for i in self._by_length.get(size, ())]  # fmt: skip
        if not near:
            return ()
        edits = cdist(
            [text], [self._index.words[i] for i in near], scorer=OSA.distance, score_cutoff=allowed,
            dtype=np.uint8, workers=1,
        )[0]  # fmt: skip
        close = np.flatnonzero(edits <= allowed)
        order = sorted(close, key=lambda i: (int(edits[i]), -int(self._index.frequency[near[i]])))
        return tuple(
            Alternative((near[i],), 1 - float(edits[i]) / len(text), "corrected")
            for i in order[:ALTERNATIVES]
        )

    @cached_property
    def _by_length(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for i, word in enumerate(self._index.words):
            if not any(c.isdigit() for c in word):
                found.setdefault(len(word), []).append(i)
        return found
