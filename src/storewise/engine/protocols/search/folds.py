"""Cross-validation over queries: choose on the other folds, answer the held-out fold; every query is asked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from storewise.core.rng import spawn
from storewise.metrics.graded import first_relevant, graded_ndcg, graded_recall
from storewise.recommend.search.analyser import query_words

FOLDS, INNER_FOLDS = 10, 3
K = 10
METRICS = (f"ndcg@{K}", f"judged_ndcg@{K}", "mrr", f"recall@{K}", "recall@100")
DEPTH = 100
Values = npt.NDArray[np.float64]
Grades = Mapping[int, float]


def fold_of(queries: Sequence[str], n_folds: int, *, seed: int) -> npt.NDArray[np.int64]:
    """(n_queries,): the fold of each. Queries that differ only in plural, spaces or case share one: what is learned
    from "laptops" must not be asked about "laptop".

    >>> fold_of(["laptop", "Laptops", "head set", "headset"], 2, seed=1)[[0, 2]].tolist() != [0, 0]
    True
    """
    same = ["".join(word.text for word in query_words(query)) or query for query in queries]
    groups = list(dict.fromkeys(same))
    places = spawn(seed, "search", "folds").permutation(len(groups)) % n_folds
    fold = dict(zip(groups, places.tolist(), strict=True))
    return np.array([fold[group] for group in same], np.int64)


def figures(ranked: Sequence[int], grades: Grades) -> list[float]:
    """One query's value of each of :data:`METRICS`."""
    return [
        graded_ndcg(ranked, grades, K),
        graded_ndcg(ranked, grades, K, condensed=True),
        first_relevant(ranked, grades),
        graded_recall(ranked, grades, K),
        graded_recall(ranked, grades, DEPTH),
    ]


def cross_chosen(trials: Sequence[Values], fold: npt.NDArray[np.int64]) -> tuple[Values, list[int]]:
    """Each query's figures under the trial that is best (first metric) on the queries of the other folds.

    ``trials``: one (n_queries, n_metrics) for each configuration. With the figures, the trial taken in each fold.

    >>> a, b = np.array([[1.0], [1.0], [0.0]]), np.array([[0.0], [0.0], [1.0]])
    >>> values, taken = cross_chosen([a, b], np.array([0, 1, 2]))
    >>> values.ravel().tolist(), taken
    ([1.0, 1.0, 0.0], [0, 0, 0])
    """
    table = np.stack(trials)
    found = np.empty_like(table[0])
    taken = []
    for number in range(int(fold.max()) + 1):
        held = fold == number
        others = table[:, ~held, 0].mean(axis=1) if (~held).any() else table[:, :, 0].mean(axis=1)
        best = int(others.argmax())
        found[held] = table[best, held]
        taken.append(best)
    return found, taken


def ranked(scores: npt.NDArray[np.floating], products: npt.NDArray[np.integer] | None = None) -> list[int]:
    """The best :data:`DEPTH` products by score, ties by index; without ``products`` those with a score above 0."""
    if products is None:
        products = np.flatnonzero(scores > 0)
        scores = scores[products]
    order = np.argsort(-scores, kind="stable")[:DEPTH]
    found: list[int] = products[order].tolist()
    return found


def measured(lists: Iterable[Sequence[int]], grades: Iterable[Grades]) -> Values:
    """(n_queries, n_metrics)."""
    return np.array([figures(one, judged) for one, judged in zip(lists, grades, strict=True)], np.float64)
