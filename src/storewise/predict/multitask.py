"""The contract of predictors of several outcomes at once: click, then purchase, of the same rows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Component
from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.core.progress import Progress
from storewise.predict.base import Rows

ConfigT = TypeVar("ConfigT", bound=Config)
Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MultiLabelled:
    """Rows with their outcomes: ``labels`` (n, tasks) float64 of 0 and 1, NaN where a task has none; ``tasks``
    names the columns.

    >>> rows = Rows.of(numbers=[[1.0], [2.0]], number_names=("price",))
    >>> MultiLabelled(rows, np.array([[1.0, 0.0], [0.0, np.nan]]), ("click", "purchase")).tasks
    ('click', 'purchase')
    """

    rows: Rows
    labels: Table
    tasks: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.rows), len(self.tasks)):
            raise DataError(
                f"Labels of shape {self.labels.shape} for {len(self.rows):,} rows and {len(self.tasks)} tasks.",
                next_step="Give one column of labels a task.",
            )

    def check(self) -> None:
        """Raise where a task cannot be learned.

        Raises:
            DataError: for labels other than 0, 1 and NaN, and for a task of one class.
        """
        for name, column in zip(self.tasks, self.labels.T, strict=True):
            known = column[~np.isnan(column)]
            if not np.isin(known, (0.0, 1.0)).all():
                other = known[~np.isin(known, (0.0, 1.0))][0]
                raise DataError(f"A label of {name} is {other:g}.", next_step="Give 0, 1 or nothing.")
            if not len(known) or known.min() == known.max():
                raise DataError(
                    f"The task {name} has {len(known):,} labels, all alike.",
                    next_step="Leave the task out, or give rows of both outcomes.",
                )


class MultiPredictor(Component[ConfigT]):
    """Predicts several outcomes of a row. As with :class:`storewise.predict.base.Predictor`, a row's scores depend
    on the row and the model alone, and missing, unseen and empty inputs are normal."""

    @property
    @abstractmethod
    def tasks(self) -> tuple[str, ...]:
        """Names of the columns of :meth:`scores`."""

    @abstractmethod
    def train(
        self,
        data: MultiLabelled,
        *,
        validation: MultiLabelled | None = None,
        rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:
        """Learn; ``validation`` is for early stopping alone.

        Raises:
            DataError: when a task cannot be learned.
        """

    @abstractmethod
    def scores(self, rows: Rows) -> Table:
        """(n, tasks) probabilities before calibration."""
