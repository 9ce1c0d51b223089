"""Inference in a linear chain: log-sum-exp forward and backward passes, Viterbi, and marginals of whole spans.

A chain over tags y with scores e (emissions, n × k) and t (transitions, k × k) has
p(y) ∝ exp(Σ_i e[i, y_i] + Σ_i t[y_{i-1}, y_i]) (Lafferty, McCallum and Pereira, 2001). Tags are numbered as in
:func:`tag_names`: 0 is outside, then B and I of each label; an I can follow only a B or I of its label, so that
every tag sequence with a finite score is valid BIO.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from storewise.metrics.spans import OUTSIDE, Span

Scores = npt.NDArray[np.float64]
FORBIDDEN = -1e4
LEAST_CHANCE = 1e-3  # of a span that is listed


def tag_names(labels: Sequence[str]) -> list[str]:
    """The tags of a set of labels, in the order of the columns.

    >>> tag_names(["brand"]), tag_names([""])
    (['O', 'B-brand', 'I-brand'], ['O', 'B', 'I'])
    """
    tails = [f"-{label}" if label else "" for label in labels]
    return [OUTSIDE, *(f"{prefix}{tail}" for tail in tails for prefix in "BI")]


def codes_of(spans: Sequence[Span], labels: Sequence[str], length: int) -> npt.NDArray[np.int64]:
    """(length,) tag numbers of spans; a label that is not among ``labels`` is outside.

    >>> codes_of([Span(1, 3, "x")], ["x"], 4).tolist()
    [0, 1, 2, 0]
    """
    codes = np.zeros(length, dtype=np.int64)
    for start, end, label in spans:
        if label in labels:
            column = 1 + 2 * list(labels).index(label)
            codes[start] = column
            codes[start + 1 : end] = column + 1
    return codes


def valid_transitions(n_labels: int) -> Scores:
    """(k, k): 0 where the second tag may follow the first, ``FORBIDDEN`` where it may not.

    >>> (valid_transitions(1) == 0).astype(int).tolist()
    [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    """
    k = 1 + 2 * n_labels
    allowed = np.zeros((k, k))
    for inside in range(2, k, 2):
        allowed[:, inside] = FORBIDDEN
        allowed[inside - 1 : inside + 1, inside] = 0.0
    return allowed


def starts(n_labels: int) -> Scores:
    """(k,): 0 where a sentence may begin, ``FORBIDDEN`` for I."""
    found = np.zeros(1 + 2 * n_labels)
    found[2::2] = FORBIDDEN
    return found


def log_sum_exp(values: Scores, axis: int) -> Scores:
    """log Σ exp along an axis, without overflow."""
    top = values.max(axis=axis, keepdims=True)
    total: Scores = np.log(np.exp(values - top).sum(axis=axis)) + np.squeeze(top, axis)
    return total


def forward_backward(emissions: Scores, transitions: Scores) -> tuple[Scores, Scores, float]:
    """Forward scores α (emission included), backward scores β (n, k each), and log Z of one sentence."""
    n, k = emissions.shape
    alpha, beta = np.empty((n, k)), np.zeros((n, k))
    alpha[0] = emissions[0] + starts((k - 1) // 2)
    for i in range(1, n):
        alpha[i] = log_sum_exp(alpha[i - 1][:, None] + transitions, 0) + emissions[i]
    for i in range(n - 2, -1, -1):
        beta[i] = log_sum_exp(transitions + (emissions[i + 1] + beta[i + 1])[None, :], 1)
    return alpha, beta, float(log_sum_exp(alpha[-1], 0))


def tag_marginals(emissions: Scores, transitions: Scores) -> Scores:
    """(n, k) probability of each tag at each token; (0, k) for an empty sentence.

    >>> round(float(tag_marginals(np.zeros((2, 3)), valid_transitions(1)).sum()), 6)
    2.0
    """
    if not len(emissions):
        return np.zeros_like(emissions)
    alpha, beta, total = forward_backward(emissions, transitions)
    found: Scores = np.exp(alpha + beta - total)
    return found


def span_marginals(emissions: Scores, transitions: Scores, longest: int) -> dict[tuple[int, int, int], float]:
    """Probability of each span (start, end, label number) of at most ``longest`` tokens, above ``LEAST_CHANCE``.

    p(span) = α[start, B] · Π inner scores · (what may follow: any tag but I of the label) / Z, in one pass over
    the starts and lengths.
    """
    n, k = emissions.shape
    if not n:
        return {}
    alpha, beta, total = forward_backward(emissions, transitions)
    found: dict[tuple[int, int, int], float] = {}
    for label in range((k - 1) // 2):
        begin, inside = 1 + 2 * label, 2 + 2 * label
        score = alpha[:, begin] - total  # of a span that begins at i and has run up to its last token
        follow = transitions.copy()
        follow[:, inside] = FORBIDDEN
        for size in range(1, min(longest, n) + 1):
            last = np.arange(size - 1, n)
            if size > 1:
                step = transitions[begin if size == 2 else inside, inside]
                score = score[: n - size + 1] + step + emissions[last, inside]
            row = follow[begin if size == 1 else inside]
            ended = np.zeros(len(last))
            rest = last[last + 1 < n]
            ended[: len(rest)] = log_sum_exp(row[None, :] + emissions[rest + 1] + beta[rest + 1], 1)
            chance = np.exp(score + ended)
            for start in np.flatnonzero(chance > LEAST_CHANCE):
                found[int(start), int(start) + size, label] = float(min(1.0, chance[start]))
            goes_on = score[: len(rest)] + transitions[begin if size == 1 else inside, inside]
            goes_on += emissions[rest + 1, inside] + beta[rest + 1, inside]
            if goes_on.max(initial=FORBIDDEN) < np.log(LEAST_CHANCE):
                break  # longer spans are less probable than this still
    return found


def viterbi(emissions: Scores, transitions: Scores) -> npt.NDArray[np.int64]:
    """(n,) the most probable valid tag sequence.

    >>> viterbi(np.array([[0.0, -1.0, 5.0], [0.0, 0.0, 1.0]]), valid_transitions(1)).tolist()
    [0, 0]
    """
    n, k = emissions.shape
    best = np.zeros(n, dtype=np.int64)
    if not n:
        return best
    score = emissions[0] + starts((k - 1) // 2)
    back = np.zeros((n, k), dtype=np.int64)
    for i in range(1, n):
        paths = score[:, None] + transitions
        back[i] = paths.argmax(axis=0)
        score = paths.max(axis=0) + emissions[i]
    best[-1] = score.argmax()
    for i in range(n - 1, 0, -1):
        best[i - 1] = back[i, best[i]]
    return best


def best_spans(
    chances: dict[tuple[int, int, int], float], labels: Sequence[str], least: float
) -> list[tuple[Span, float]]:
    """The spans that do not overlap with the largest Σ (p − ``least``): those that maximise expected F1 where
    ``least`` is half of the F1 that is reached (Lipton, Elkan and Naryanaswamy, 2014, for spans).

    >>> best_spans({(0, 2, 0): 0.6, (1, 2, 0): 0.3}, ["x"], 0.4)
    [(Span(start=0, end=2, label='x'), 0.6)]
    """
    wanted = sorted((end, start, label, p) for (start, end, label), p in chances.items() if p > least)
    # Weighted interval scheduling: the best value of spans up to an end, and the span it was reached with.
    values, ends = [0.0], [0]
    chosen: list[tuple[int, Span, float] | None] = [None]
    for end, start, label, p in wanted:
        before = bisect_right(ends, start) - 1
        value = values[before] + p - least
        if value > values[-1]:
            values.append(value)
            ends.append(end)
            chosen.append((before, Span(start, end, labels[label]), p))
    found: list[tuple[Span, float]] = []
    last = chosen[-1]
    while last is not None:
        before, span, p = last
        found.append((span, p))
        last = chosen[before]
    return found[::-1]
