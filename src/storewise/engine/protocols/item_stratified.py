"""``ml100k-ms``: each product's ratings 75/25, as in the public benchmark of Microsoft Recommenders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from storewise.core.rng import derive_seed
from storewise.data import split
from storewise.data.plain import read_ratings
from storewise.engine.protocols import base

SPLIT_SEED = 42
VALIDATION_SHARE = 0.1


class ItemStratified:
    """All ratings count as positive, the user's training products are masked, lists of 10.

    The split is the benchmark's own and does not move with the seed. Validation is a tenth of
    each product's training ratings: little, so that models are chosen on data nearly as dense as the test's.
    """

    name = "ml100k-ms"
    about = "per-item random 75/25 split (seed 42), all ratings positive, seen masked, k = 10"
    k = 10
    metrics = ("ndcg", "map", "recall", "precision", "mrr", "hit")

    def questions(self, path: Path | None, *, seed: int) -> list[base.Question]:
        ratings = read_ratings(base.entry(path, "u.data", "ratings.csv", "ratings.dat"))
        base.check_k(self.k, len(ratings.product_ids))
        train = split.per_item(ratings.products, share=0.75, seed=SPLIT_SEED) == split.TRAIN
        inner = np.zeros(len(ratings), bool)
        choose_seed = derive_seed(seed, self.name, "validation") % 2**32
        kept = split.per_item(ratings.products[train], share=1 - VALIDATION_SHARE, seed=choose_seed)
        inner[train] = kept == split.TRAIN
        known, full = ratings.dataset(inner), ratings.dataset(train)
        validation = base.task_of(
            known.interactions,
            ratings.dataset(train & ~inner).interactions,
            k=self.k,
            metric=self.metrics[0],
        )

        def folds() -> Iterator[base.Fold]:
            answers = ratings.dataset(~train).interactions
            test = base.task_of(full.interactions, answers, k=self.k, metric=self.metrics[0])
            yield base.Fold(full, test)

        data = base.span(ratings.dataset(np.ones(len(ratings), bool)))
        return [base.Question("next products", data, known, validation, 1, folds)]
