"""The simple rule beside the trained tagger: what was a span before is one again, the longest piece first."""

from __future__ import annotations

from collections.abc import Sequence

from storewise.data.tagged_text import TaggedSentence
from storewise.metrics.spans import Span
from storewise.understand.tagging.dictionary import Dictionary, forward, spans_of_matches


class LongestMatch:
    """Maximum matching from the left with the spans of the training sentences.

    ``least_share``: a piece counts where at least this share of its places in the training text were spans.

    >>> rule = LongestMatch()
    >>> rule.train([TaggedSentence(("red", "shoe"), (Span(1, 2, "type"),))])
    >>> rule.tag(["blue", "shoe"])
    [Span(start=1, end=2, label='type')]
    """

    def __init__(self, *, least_share: float = 0.4) -> None:
        self.least_share = least_share
        self.dictionary = Dictionary({}, {})

    def train(self, sentences: Sequence[TaggedSentence]) -> None:
        """Collect the spans."""
        self.dictionary = Dictionary.of(sentences)

    def tag(self, tokens: Sequence[str]) -> list[Span]:
        """Spans that do not overlap, in order."""
        return spans_of_matches(forward(self.dictionary.matches(tokens, least_share=self.least_share)))
