"""Tag sequences as spans, and entity-level exact match: a span counts when start, end and label are all right.

The rules are those of the CoNLL evaluation as the library seqeval applies them by default: ``B`` begins a span;
``I`` continues one of the same label and begins one otherwise; ``E`` and ``S`` (BIOES), ``L`` and ``U`` (BILOU)
and ``M`` (BMES) are understood too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

OUTSIDE = "O"
_BEGINS, _ENDS = frozenset("BSU"), frozenset("ESLU")
PREFIXES = frozenset("BIMESLU")


class Span(NamedTuple):
    """Tokens ``start`` up to but without ``end``, and their label (empty where tags carry none)."""

    start: int
    end: int
    label: str


def parts_of_tag(tag: str) -> tuple[str, str]:
    """Prefix and label of a tag.

    >>> parts_of_tag("B-brand"), parts_of_tag("O"), parts_of_tag("I"), parts_of_tag("brand")
    (('B', 'brand'), ('O', ''), ('I', ''), ('?', 'brand'))
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if tag in PREFIXES:
        return tag, ""
    if len(tag) > 2 and tag[0] in PREFIXES and tag[1] in "-_":
        return tag[0], tag[2:]
    return "?", tag


def spans_of_tags(tags: Sequence[str]) -> list[Span]:
    """The spans of a tag sequence, in order.

    >>> spans_of_tags(["B-x", "I-x", "I-y", "O", "I-x", "B-x"])
    [Span(start=0, end=2, label='x'), Span(start=2, end=3, label='y'), Span(start=4, end=5, label='x'), \
Span(start=5, end=6, label='x')]
    """
    found: list[Span] = []
    start, label = -1, ""  # start is -1 where no span is open
    for position, tag in enumerate((*tags, OUTSIDE)):
        prefix, this = parts_of_tag(tag)
        continues = start >= 0 and prefix not in _BEGINS and prefix != OUTSIDE and this == label
        if start >= 0 and not continues:
            found.append(Span(start, position, label))
            start = -1
        if prefix != OUTSIDE and not continues:
            start, label = position, this
        if prefix in _ENDS and start >= 0:
            found.append(Span(start, position + 1, label))
            start = -1
    return found


def tags_of_spans(spans: Iterable[Span], length: int) -> list[str]:
    """BIO tags (each span begins with ``B``) of spans that do not overlap.

    >>> tags_of_spans([Span(1, 3, "x")], 4)
    ['O', 'B-x', 'I-x', 'O']
    """
    tags = [OUTSIDE] * length
    for start, end, label in spans:
        tail = f"-{label}" if label else ""
        tags[start:end] = [f"B{tail}", *[f"I{tail}"] * (end - start - 1)]
    return tags


def match_counts(
    truth: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]], *, label: str | None = None
) -> npt.NDArray[np.float64]:
    """(n_sentences, 3): spans matched exactly, true spans, found spans; of one label where it is given.

    >>> match_counts([[Span(0, 2, "x")]], [[Span(0, 2, "x"), Span(3, 4, "x")]]).tolist()
    [[1.0, 1.0, 2.0]]
    """
    counts = np.zeros((len(truth), 3))
    for row, (true_spans, found_spans) in enumerate(zip(truth, found, strict=True)):
        true, ours = (
            {span for span in side if label is None or span.label == label}
            for side in (true_spans, found_spans)
        )
        counts[row] = len(true & ours), len(true), len(ours)
    return counts


def f1(counts: npt.NDArray[np.float64]) -> float:
    """Micro-averaged F1 of rows of :func:`match_counts`: 2 · matched / (true + found); 0 where nothing is.

    >>> f1(np.array([[1.0, 1.0, 2.0]])) == 2 / 3
    True
    """
    matched, true, found = counts.sum(axis=0)
    return float(2 * matched / (true + found)) if true + found else 0.0
