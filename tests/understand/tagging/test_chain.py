"""Chains against sums over every tag sequence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from storewise.metrics.spans import Span, spans_of_tags
from storewise.understand.tagging.chain import (
    best_spans,
    codes_of,
    forward_backward,
    span_marginals,
    starts,
    tag_marginals,
    tag_names,
    valid_transitions,
    viterbi,
)

LABELS = ["x", "y"]
NAMES = tag_names(LABELS)


def _chain(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    k = len(NAMES)
    return rng.normal(0, 2, (n, k)), rng.normal(0, 1, (k, k)) + valid_transitions(len(LABELS))


def _every(emissions: np.ndarray, transitions: np.ndarray) -> dict[tuple[int, ...], float]:
    """Probability of each tag sequence, by enumeration."""
    n, k = emissions.shape
    scores = {}
    for path in itertools.product(range(k), repeat=n):
        score = starts(len(LABELS))[path[0]] + sum(emissions[i, path[i]] for i in range(n))
        scores[path] = score + sum(transitions[a, b] for a, b in itertools.pairwise(path))
    top = max(scores.values())
    total = sum(np.exp(score - top) for score in scores.values())
    return {path: float(np.exp(score - top) / total) for path, score in scores.items()}


@pytest.mark.parametrize(("n", "seed"), [(1, 0), (2, 1), (4, 2), (5, 3)])
def test_marginals_and_the_best_sequence_are_those_of_enumeration(n: int, seed: int) -> None:
    emissions, transitions = _chain(n, seed)
    every = _every(emissions, transitions)
    expected = np.zeros_like(emissions)
    for path, p in every.items():
        expected[np.arange(n), path] += p
    assert tag_marginals(emissions, transitions) == pytest.approx(expected, abs=1e-9)
    assert tuple(viterbi(emissions, transitions)) == max(every, key=lambda path: every[path])


@pytest.mark.parametrize(("n", "seed"), [(1, 4), (3, 5), (5, 6), (5, 7)])
def test_the_marginal_of_a_span_sums_every_sequence_that_has_it(n: int, seed: int) -> None:
    emissions, transitions = _chain(n, seed)
    expected: dict[tuple[int, int, int], float] = {}
    for path, p in _every(emissions, transitions).items():
        for start, end, label in spans_of_tags([NAMES[code] for code in path]):
            key = start, end, LABELS.index(label)
            expected[key] = expected.get(key, 0.0) + p
    found = span_marginals(emissions, transitions, longest=n)
    assert found.keys() == {key for key, p in expected.items() if p > 1e-3}
    assert all(found[key] == pytest.approx(expected[key], abs=1e-9) for key in found)


def test_both_passes_agree_on_the_total() -> None:
    emissions, transitions = _chain(7, 8)
    alpha, beta, total = forward_backward(emissions, transitions)
    sums = np.log(np.exp(alpha + beta - total).sum(axis=1))
    assert sums == pytest.approx(np.zeros(7), abs=1e-9)


def test_no_sequence_is_invalid_however_strong_the_scores() -> None:
    rng = np.random.default_rng(9)
    for _ in range(50):
        emissions = rng.normal(0, 30, (6, len(NAMES)))
        codes = viterbi(emissions, valid_transitions(len(LABELS)))
        tags = [NAMES[code] for code in codes]
        for before, after in itertools.pairwise(["O", *tags]):
            assert after[0] != "I" or (before != "O" and before[2:] == after[2:])


def test_the_best_spans_maximise_the_sum_over_all_sets() -> None:
    rng = np.random.default_rng(10)
    for _ in range(30):
        chances = {}
        for _ in range(7):
            start = int(rng.integers(0, 6))
            chances[start, start + int(rng.integers(1, 4)), int(rng.integers(0, 2))] = float(rng.random())
        best = 0.0
        for size in range(1, len(chances) + 1):
            for chosen in itertools.combinations(chances, size):
                ordered = sorted(chosen)
                if all(a[1] <= b[0] for a, b in itertools.pairwise(ordered)):
                    best = max(best, sum(chances[one] - 0.3 for one in chosen))
        found = best_spans(chances, LABELS, 0.3)
        assert sum(p - 0.3 for _, p in found) == pytest.approx(best)
        assert all(a.end <= b.start for (a, _), (b, _) in itertools.pairwise(found))


def test_an_empty_sentence_and_unknown_labels() -> None:
    empty = np.zeros((0, len(NAMES)))
    assert span_marginals(empty, valid_transitions(2), 3) == {}
    assert tag_marginals(empty, valid_transitions(2)).shape == (0, 5)
    assert len(viterbi(empty, valid_transitions(2))) == 0
    assert codes_of([Span(0, 2, "z"), Span(2, 3, "y")], LABELS, 4).tolist() == [0, 0, 3, 0]
