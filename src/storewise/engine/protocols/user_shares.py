"""``ml100k-811``: each user's ratings dealt at random, 8 : 1 : 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from storewise.data import split
from storewise.data.plain import read_ratings
from storewise.engine.protocols import base


class UserShares:
    """All ratings count as positive; training and validation products are masked in the test, lists of 10."""

    name = "ml100k-811"
    about = "random 8:1:1 per user, all positive, training and validation products masked, k = 10"
    k = 10
    metrics = ("ndcg", "recall", "map", "mrr", "hit", "precision")

    def questions(self, path: Path | None, *, seed: int) -> list[base.Question]:
        ratings = read_ratings(base.entry(path, "u.data", "ratings.csv", "ratings.dat"))
        base.check_k(self.k, len(ratings.product_ids))
        codes = split.per_user(ratings.customers, (0.8, 0.1, 0.1), seed=seed)
        parts = [ratings.dataset(codes == code) for code in (split.TRAIN, split.VALIDATION, split.TEST)]
        known, full = parts[0], ratings.dataset(codes != split.TEST)
        validation = base.task_of(known.interactions, parts[1].interactions, k=self.k, metric=self.metrics[0])

        def folds() -> Iterator[base.Fold]:
            answers = parts[2].interactions
            yield base.Fold(full, base.task_of(full.interactions, answers, k=self.k, metric=self.metrics[0]))

        data = base.span(ratings.dataset(np.ones(len(ratings), bool)))
        return [base.Question("next products", data, known, validation, 1, folds)]
