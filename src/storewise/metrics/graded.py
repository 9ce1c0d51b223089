"""Graded relevance: NDCG, reciprocal rank and recall of one ranked list with judgements of several grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def graded_ndcg(
    ranked: Sequence[int], grades: Mapping[int, float], k: int, *, condensed: bool = False
) -> float:
    """NDCG@k with gain 2^g − 1 and discount log2(rank + 1) (Burges et al., 2005); the ideal list is the judged ones.

    A product that was not judged has grade 0. ``condensed`` leaves such products out of the list first (Sakai,
    2007): a list is then not punished for what nobody looked at. NaN when no grade is above 0.

    >>> round(graded_ndcg([7, 3], {3: 1.0}, 10), 4)
    0.6309
    >>> graded_ndcg([7, 3], {3: 1.0}, 10, condensed=True)
    1.0
    """
    ideal = _dcg(sorted(grades.values(), reverse=True)[:k])
    if ideal <= 0:
        return float("nan")
    listed = [p for p in ranked if p in grades] if condensed else ranked
    return _dcg([grades.get(p, 0.0) for p in listed[:k]]) / ideal


def first_relevant(ranked: Sequence[int], grades: Mapping[int, float]) -> float:
    """1 / rank of the first product graded above 0, 0 when there is none, NaN when none was to be found.

    >>> first_relevant([7, 3], {3: 1.0})
    0.5
    """
    if not any(grade > 0 for grade in grades.values()):
        return float("nan")
    return next((1 / rank for rank, p in enumerate(ranked, 1) if grades.get(p, 0) > 0), 0.0)


def graded_recall(ranked: Sequence[int], grades: Mapping[int, float], k: int) -> float:
    """Share of the products graded above 0 that are among the first k; NaN when there are none.

    >>> graded_recall([7, 3], {3: 1.0, 4: 2.0}, 10)
    0.5
    """
    wanted = {p for p, grade in grades.items() if grade > 0}
    return len(wanted & set(ranked[:k])) / len(wanted) if wanted else float("nan")


def _dcg(grades: Sequence[float]) -> float:
    gains = np.exp2(np.asarray(grades, np.float64)) - 1
    return float(gains @ (1 / np.log2(np.arange(2, len(gains) + 2))))
