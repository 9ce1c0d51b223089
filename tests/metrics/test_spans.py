"""Spans of tags against the chunk rules of the CoNLL evaluation, written out position by position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storewise.metrics.spans import Span, f1, match_counts, parts_of_tag, spans_of_tags, tags_of_spans

TAGS = [f"{prefix}-{label}" for prefix in "BIES" for label in "xy"] + ["O"]


def _ends(before: str, label_before: str, after: str, label_after: str) -> bool:
    """Whether a chunk ends between two tags (conlleval's endOfChunk)."""
    if before in ("E", "S"):
        return True
    if before in ("B", "I"):
        return after in ("B", "S", "O") or label_before != label_after
    return False


def _starts(before: str, label_before: str, after: str, label_after: str) -> bool:
    """Whether a chunk starts between two tags (conlleval's startOfChunk)."""
    if after in ("B", "S"):
        return True
    if after in ("E", "I"):
        return before in ("E", "S", "O") or label_before != label_after
    return False


def _reference(tags: list[str]) -> list[tuple[int, int, str]]:
    found, begin = [], 0
    before, label_before = "O", ""
    for position, tag in enumerate([*tags, "O"]):
        after, _, label = tag.partition("-")
        if _ends(before, label_before, after, label):
            found.append((begin, position, label_before))
        if _starts(before, label_before, after, label):
            begin = position
        before, label_before = after, label
    return found


@given(st.lists(st.sampled_from(TAGS), max_size=12))
def test_spans_are_those_of_the_conll_evaluation(tags: list[str]) -> None:
    assert [tuple(span) for span in spans_of_tags(tags)] == _reference(tags)


@given(st.lists(st.sampled_from(TAGS), max_size=12))
def test_bio_tags_give_the_same_spans_again(tags: list[str]) -> None:
    spans = spans_of_tags(tags)
    assert spans_of_tags(tags_of_spans(spans, len(tags))) == spans


def test_other_schemes_and_tags_without_labels() -> None:
    assert spans_of_tags(["B-x", "L-x", "U-x", "B-y", "M-y", "E-y"]) == [
        Span(0, 2, "x"), Span(2, 3, "x"), Span(3, 6, "y"),
    ]  # fmt: skip
    assert spans_of_tags(["B", "I", "O", "I"]) == [Span(0, 2, ""), Span(3, 4, "")]
    assert tags_of_spans([Span(0, 2, "")], 2) == ["B", "I"]
    assert parts_of_tag("B_x-y") == ("B", "x-y")


@pytest.mark.parametrize("tag", ["X-brand", "brand", "B-", "", "0"])
def test_what_is_no_tag(tag: str) -> None:
    assert parts_of_tag(tag)[0] == "?"


def test_only_exact_spans_count_and_each_once() -> None:
    truth = [[Span(0, 2, "x"), Span(3, 4, "y")], []]
    found = [[Span(0, 2, "x"), Span(3, 4, "x"), Span(3, 5, "y")], [Span(0, 1, "x")]]
    counts = match_counts(truth, found)
    assert counts.tolist() == [[1, 2, 3], [0, 0, 1]]
    assert f1(counts) == pytest.approx(2 * 1 / (2 + 4))
    assert match_counts(truth, found, label="y").tolist() == [[0, 1, 1], [0, 0, 0]]
    assert f1(np.zeros((3, 3))) == 0.0
