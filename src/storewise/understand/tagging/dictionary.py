"""A dictionary of the spans of tagged sentences, and maximum matching with it.

For features of sentences that the dictionary was made from, what a sentence itself gave is taken out again (exact
leave-one-out), so that a match says there what it will say in new text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from storewise.data.tagged_text import TaggedSentence
from storewise.metrics.spans import Span
from storewise.understand.tagging.shapes import normal

Key = tuple[str, ...]
MAX_LENGTH = 12  # tokens; longer spans hardly ever return


class Match(NamedTuple):
    """A known piece of text: its most frequent label and the share of its places that were spans of it."""

    start: int
    end: int
    label: str
    share: float


class Dictionary:
    """Pieces of text that were spans, with their labels, and how often they stood in the text at all."""

    def __init__(self, spans: Mapping[Key, Mapping[str, int]], seen: Mapping[Key, int]) -> None:
        self.spans = {key: Counter(labels) for key, labels in spans.items()}
        self.seen = Counter(seen)
        self.longest = max((len(key) for key in self.spans), default=0)

    @classmethod
    def of(cls, sentences: Sequence[TaggedSentence]) -> Dictionary:
        """The dictionary of all spans of at most ``MAX_LENGTH`` tokens.

        >>> found = Dictionary.of([TaggedSentence(("red", "shoe"), (Span(1, 2, "type"),))])
        >>> found.matches(["a", "shoe"])
        [Match(start=1, end=2, label='type', share=1.0)]
        """
        spans: dict[Key, Counter[str]] = {}
        texts = [keys_of(sentence.tokens) for sentence in sentences]
        for sentence, text in zip(sentences, texts, strict=True):
            for start, end, label in sentence.spans:
                if end - start <= MAX_LENGTH:
                    spans.setdefault(text[start:end], Counter())[label] += 1
        return cls(spans, _occurrences(texts, spans))

    def matches(
        self, tokens: Sequence[str], own: TaggedSentence | None = None, *, least_share: float = 0.0
    ) -> list[Match]:
        """All places of known pieces, by start and then length; ``own`` is the sentence to leave out."""
        text = keys_of(tokens)
        mine: Counter[Key] = Counter()
        mine_labels: dict[Key, Counter[str]] = {}
        if own is not None:
            mine = _occurrences([text], self.spans)
            for start, end, label in own.spans:
                mine_labels.setdefault(text[start:end], Counter())[label] += 1
        found = []
        for start in range(len(text)):
            for end in range(start + 1, min(len(text), start + self.longest) + 1):
                labels = self.spans.get(text[start:end])
                if labels is None:
                    continue
                left = labels - mine_labels.get(text[start:end], Counter())
                if not left:
                    continue
                label = min(left, key=lambda name: (-left[name], name))
                share = left[label] / max(1, self.seen[text[start:end]] - mine[text[start:end]])
                if share >= least_share:
                    found.append(Match(start, end, label, min(1.0, share)))
        return found


def keys_of(tokens: Sequence[str]) -> Key:
    """Tokens as the dictionary compares them."""
    return tuple(normal(token) for token in tokens)


def _occurrences(texts: Sequence[Key], known: Mapping[Key, object]) -> Counter[Key]:
    """How often each known piece stands in the texts."""
    longest = max((len(key) for key in known), default=0)
    counts: Counter[Key] = Counter()
    for text in texts:
        for start in range(len(text)):
            for end in range(start + 1, min(len(text), start + longest) + 1):
                if text[start:end] in known:
                    counts[text[start:end]] += 1
    return counts


def forward(matches: Sequence[Match]) -> list[Match]:
    """Maximum matching from the left: at each place the longest piece, then on behind it.

    >>> [m[:2] for m in forward([Match(0, 1, "", 1.0), Match(0, 2, "", 1.0), Match(1, 3, "", 1.0)])]
    [(0, 2)]
    """
    chosen: list[Match] = []
    for match in sorted(matches, key=lambda m: (m.start, -m.end)):
        if not chosen or match.start >= chosen[-1].end:
            chosen.append(match)
    return chosen


def backward(matches: Sequence[Match]) -> list[Match]:
    """Maximum matching from the right.

    >>> [m[:2] for m in backward([Match(0, 1, "", 1.0), Match(0, 2, "", 1.0), Match(1, 3, "", 1.0)])]
    [(0, 1), (1, 3)]
    """
    chosen: list[Match] = []
    for match in sorted(matches, key=lambda m: (-m.end, m.start)):
        if not chosen or match.end <= chosen[-1].start:
            chosen.append(match)
    return chosen[::-1]


def spans_of_matches(matches: Sequence[Match]) -> list[Span]:
    """Matches as spans."""
    return [Span(match.start, match.end, match.label) for match in matches]
