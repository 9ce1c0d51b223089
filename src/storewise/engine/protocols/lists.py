"""``lists``: a fixed split, any folder with ``train.txt[.gz]`` and ``test.txt[.gz]`` of ``user item item …``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from storewise.core.errors import DataError
from storewise.data import split
from storewise.data.dataset import Dataset
from storewise.data.plain import behaviour_of, index_of, read_lines
from storewise.engine.protocols import base

VALIDATION_SHARE = 0.15
ENDINGS = ("", ".gz", ".xz")


class Lists:
    """Training products masked, lists of 20; a random part of each user's training row validates.

    The order of the items in a row is not taken for an order in time.
    """

    name = "lists"
    about = "fixed train and test lists, seen masked, a random 15 % of each training row validates, k = 20"
    k = 20
    metrics = ("ndcg", "recall", "precision", "map", "mrr", "hit")

    def questions(self, path: Path | None, *, seed: int) -> list[base.Question]:
        if path is not None and path.is_file():
            raise DataError(f"{path} is a file.", next_step="Name the folder with train.txt and test.txt.")
        rows, answers = (
            read_lines(base.entry(path, *(f"{part}.txt{ending}" for ending in ENDINGS)))
            for part in ("train", "test")
        )
        customers, products = index_of(rows, answers)
        base.check_k(self.k, len(products))
        trained, tested = (
            behaviour_of(part, customer_index=customers, product_index=products, ordered=False)
            for part in (rows, answers)
        )
        full = Dataset(pl.DataFrame({"product_id": list(products)}), list(customers), trained)
        codes = split.per_user(trained.customers, (1 - VALIDATION_SHARE, VALIDATION_SHARE), seed=seed)
        known = full.with_interactions(trained.select(codes == split.TRAIN))
        validation = base.task_of(
            known.interactions,
            trained.select(codes == split.VALIDATION),
            k=self.k,
            metric=self.metrics[0],
        )

        def folds() -> Iterator[base.Fold]:
            test = base.task_of(trained, tested, k=self.k, metric=self.metrics[0])
            yield base.Fold(full, test, groups=base.heat_groups(test))

        data = f"{base.span(full)} to train on, {len(tested):,} to find"
        return [base.Question("held-out products", data, known, validation, 1, folds)]
