"""``online-retail`` and ``shop``: the next purchases of known customers, by time, in any shop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from storewise.data import split
from storewise.data.dataset import Dataset
from storewise.engine.history import History, read_history
from storewise.engine.protocols import base
from storewise.recommend.choose.task import Task


class ShopByTime:
    """The last 28 days test, the 28 before validate; asked is what known customers buy then.

    Two questions, each with its own choice on validation: ``with repeats`` (everything they buy, nothing
    masked; the claim) and ``without repeats`` (what they buy for the first time, bought products masked).
    Models learn from what was known at the moment of asking: a purchase that is returned later still counts.
    Products that first appear in the test window count as misses.
    """

    about = "last 28 days test, 28 before validation; next purchases of known customers, k = 10"
    metrics = ("ndcg", "recall", "map", "mrr", "hit", "precision")

    def __init__(
        self, name: str, *, k: int = 10, test_days: float = 28.0, validation_days: float = 28.0
    ) -> None:
        self.name = name
        self.k = k
        self.test_days = test_days
        self.validation_days = validation_days

    def questions(self, path: Path | None, *, seed: int) -> list[base.Question]:
        return self.questions_of(read_history(path))

    def questions_of(self, history: History) -> list[base.Question]:
        """The same of a history in memory: with repeats, without."""
        behaviour = history.whole.interactions
        base.check_k(self.k, history.whole.n_products)
        windows = split.by_time(behaviour.at, test_days=self.test_days, validation_days=self.validation_days)
        codes = windows.codes(behaviour.at)
        known, full = history.until(windows.validation_from), history.until(windows.test_from)
        return [
            self._question(history.whole, known, full, windows, codes, only_new) for only_new in (False, True)
        ]

    def _question(
        self,
        whole: Dataset,
        known: Dataset,
        full: Dataset,
        windows: split.Windows,
        codes: split.Codes,
        only_new: bool,
    ) -> base.Question:
        def folds() -> Iterator[base.Fold]:
            test = self._task(whole, full, codes == split.TEST, windows.test_from, only_new)
            yield base.Fold(full, test, groups=base.heat_groups(test))

        validation = self._task(whole, known, codes == split.VALIDATION, windows.validation_from, only_new)
        name = "without repeats" if only_new else "with repeats"
        return base.Question(name, base.span(whole), known, validation, 1, folds)

    def _task(self, whole: Dataset, train: Dataset, rows: base.Mask, now: float, only_new: bool) -> Task:
        customers = np.diff(train.interactions.indptr) > 0
        customers[len(whole.customer_ids) :] = False  # sessions that nobody can be recognised by
        answers = whole.interactions.select(rows)
        if train.n_customers != answers.n_customers:
            answers = base.over(answers, train.n_customers)
        return base.task_of(
            train.interactions,
            answers,
            k=self.k,
            metric=self.metrics[0],
            masked=only_new,
            only_new=only_new,
            known=customers,
            now=now,
        )
