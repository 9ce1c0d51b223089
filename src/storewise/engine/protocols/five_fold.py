"""``ml100k-5fold``: random five-fold cross-validation over all ratings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from storewise.core.rng import derive_seed
from storewise.data import split
from storewise.data.plain import read_ratings
from storewise.engine.protocols import base

FOLDS = 5
VALIDATION_FOLDS = 10
"""A tenth, not a fifth: on data much thinner than the test's, models that gain by density are chosen too
rarely."""


class FiveFold:
    """All ratings count as positive; all products but the user's training ones are ranked, lists of 10.

    Hyper-parameters come from a random tenth of the first fold's training part and serve all folds.
    """

    name = "ml100k-5fold"
    about = "random 5-fold over all ratings, all positive, all but the training products ranked, k = 10"
    k = 10
    metrics = ("ndcg", "map", "recall", "precision", "mrr", "hit")

    def questions(self, path: Path | None, *, seed: int) -> list[base.Question]:
        ratings = read_ratings(base.entry(path, "u.data", "ratings.csv", "ratings.dat"))
        base.check_k(self.k, len(ratings.product_ids))
        fold = split.k_fold(len(ratings), FOLDS, seed=seed)
        first = np.flatnonzero(fold != 0)
        held = (
            split.k_fold(len(first), VALIDATION_FOLDS, seed=derive_seed(seed, self.name, "validation")) == 0
        )
        inner = np.zeros(len(ratings), bool)
        inner[first[~held]] = True
        known = ratings.dataset(inner)
        answers = ratings.dataset((fold != 0) & ~inner).interactions
        validation = base.task_of(known.interactions, answers, k=self.k, metric=self.metrics[0])

        def folds() -> Iterator[base.Fold]:
            for number in range(FOLDS):
                train, test = ratings.dataset(fold != number), ratings.dataset(fold == number)
                task = base.task_of(train.interactions, test.interactions, k=self.k, metric=self.metrics[0])
                yield base.Fold(train, task)

        data = base.span(ratings.dataset(np.ones(len(ratings), bool)))
        return [base.Question("next products", data, known, validation, FOLDS, folds)]
