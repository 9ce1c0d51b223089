"""The predictor's contract: rows of features become calibrated probabilities (or amounts) with an interval."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Component
from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.core.progress import Progress

Values = npt.NDArray[np.float64]
"""(n,) float64; NaN is "unknown"."""

MISSING = -1
"""The code of a category that is missing; 0 is the code of one that training has not seen (or saw too rarely)."""

ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True)
class Rows:
    """Features of n rows, as every predictor reads them.

    ``numbers`` (n, p) float32, NaN where missing. ``categories`` (n, q) int32 codes: ``MISSING``, 0 for unseen,
    1 … ``sizes[j]`` - 1 for known ones. ``vectors``: name → (n, d) float32 (a product's text, say; zero where
    there is none). ``sequences``: name → (n, length) int32 codes of the categories' column of the same name,
    oldest first, padded with ``MISSING`` on the left: what the shopper looked at before.

    >>> rows = Rows.of(numbers=[[1.0], [2.0]], number_names=("price",))
    >>> len(rows), rows.part(np.array([1])).numbers.tolist()
    (2, [[2.0]])
    """

    numbers: npt.NDArray[np.float32]
    categories: npt.NDArray[np.int32]
    number_names: tuple[str, ...] = ()
    category_names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    vectors: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    sequences: Mapping[str, npt.NDArray[np.int32]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        numbers: npt.ArrayLike | None = None,
        categories: npt.ArrayLike | None = None,
        number_names: tuple[str, ...] = (),
        category_names: tuple[str, ...] = (),
        sizes: tuple[int, ...] = (),
        vectors: Mapping[str, npt.NDArray[np.float32]] | None = None,
        sequences: Mapping[str, npt.NDArray[np.int32]] | None = None,
    ) -> Rows:
        """From whatever is there; parts that are left out are empty.

        Raises:
            DataError: when the parts differ in length or do not fit their names.
        """
        blocks = [part for part in (numbers, categories, *(vectors or {}).values()) if part is not None]
        n = len(np.asarray(blocks[0])) if blocks else 0
        found = cls(
            np.zeros((n, 0), np.float32) if numbers is None else np.asarray(numbers, np.float32),
            np.zeros((n, 0), np.int32) if categories is None else np.asarray(categories, np.int32),
            number_names, category_names, sizes, dict(vectors or {}), dict(sequences or {}),
        )  # fmt: skip
        found.check()
        return found

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Rows:
        """The rows of an index array or a mask."""
        return replace(
            self,
            numbers=self.numbers[rows],
            categories=self.categories[rows],
            vectors={name: block[rows] for name, block in self.vectors.items()},
            sequences={name: block[rows] for name, block in self.sequences.items()},
        )

    def check(self) -> None:
        """Raise when the parts do not fit together.

        Raises:
            DataError: naming the part.
        """
        parts = {"numbers": self.numbers, "categories": self.categories, **self.vectors, **self.sequences}
        for name, part in parts.items():
            if len(part) != len(self):
                raise DataError(
                    f"{name} has {len(part)} rows, the others {len(self)}.",
                    next_step="Give every part the same rows.",
                )
        widths = (self.numbers.shape[1], self.categories.shape[1], len(self.sizes))
        names = (len(self.number_names), len(self.category_names), len(self.category_names))
        if widths != names:
            raise DataError(
                f"{widths} columns of numbers, categories and sizes for {names} names.",
                next_step="Name every column once.",
            )


@dataclass(frozen=True)
class Labelled:
    """Rows with their outcome: ``labels`` (n,) float64, 0 or 1 for an event, an amount otherwise."""

    rows: Rows
    labels: Values


@dataclass(frozen=True)
class Prediction:
    """``value`` (n,) calibrated, ``low`` and ``high`` (n,) a 95 % interval of the value; all NaN = unknown."""

    value: Values
    low: Values
    high: Values


@dataclass(frozen=True)
class Contributions:
    """What moved each prediction away from ``base``, in the units of ``scores`` before calibration (log odds for
    probabilities): ``values`` (n, f) float64 by feature of ``names`` (f,). A sequence is ``history of`` its name;
    a name that is both a number and a category may stand twice."""

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    base: float


class Trial(Protocol):
    """What a search space draws from: the part of an Optuna trial that is needed."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = ...) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = ...) -> int: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


class Predictor(Component[ConfigT]):
    """Predicts one outcome of a row.

    A row's score depends on the row and the model alone, never on the batch. Missing numbers, unseen categories
    and empty sequences are normal inputs. ``scores`` is what the model says before calibration;
    ``storewise.predict.calibrated`` makes a :class:`Prediction` of it.

    ``complexity`` orders models for the small-data guard (rate 0, logistic 10, trees 20, networks 30 and more):
    of two that validation cannot tell apart, the lower one is taken. A network is not tried on data with fewer
    than ``least_rows`` rows. ``stops_early``: false where ``train`` makes no use of ``validation``.
    """

    complexity: ClassVar[int] = 30
    least_rows: ClassVar[int] = 0
    needs: ClassVar[tuple[str, ...]] = ()
    """Numbers without which it is not tried: it reads a shop's features and no others."""
    stops_early: ClassVar[bool] = True

    on_validation: Callable[[int, float], None] | None = None
    """Told after each validation of early stopping, if the model has some: how many there were, and the log-loss. It
    may raise to end a hopeless training."""
    checkpoints: Path | None = None
    """Folder that a long training is kept in, if the model has one: killed and started again, it goes on."""

    @abstractmethod
    def train(
        self,
        data: Labelled,
        *,
        validation: Labelled | None = None,
        rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:
        """Learn. ``validation`` (later in time than ``data``) is for early stopping alone.

        Raises:
            DataError: for labels of one class, or none at all.
        """

    def settled(self) -> ConfigT | None:
        """The config with what early stopping found fixed (rounds, epochs), to train on all rows without a
        validation part; None: the model needs a validation part each time."""
        return None

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        """Config values to try, drawn from an Optuna trial; ``{}``: the defaults alone are tried."""
        return {}

    @classmethod
    def starts(cls) -> tuple[dict[str, Any], ...]:
        """Values of the search space that are tried before any is proposed: settings known to do well elsewhere."""
        return ()

    @abstractmethod
    def scores(self, rows: Rows) -> Values:
        """(n,) float64: the probability of the event, or the expected amount, before calibration."""

    def contributions(self, rows: Rows) -> Contributions | None:
        """Which features moved each score and how far; None where the model cannot say."""
        return None
