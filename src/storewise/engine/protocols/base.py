"""What a protocol is: questions with a validation answer to choose by, and folds with a test answer.

The rules that all protocols keep: hyper-parameters are chosen on validation alone, each choice is trained
again on training and validation together, and every test is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import ConfigError, DataError
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.data.split import HEATS, heat
from storewise.recommend.choose.task import Task

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fold:
    """``train``: all that a model may learn from before ``test`` is asked. ``variants``: the same models
    asked otherwise (without masking, say), reported beside the claim. ``groups``: shoppers of the test by
    name, (b,) masks."""

    train: Dataset
    test: Task
    variants: Mapping[str, Task] = field(default_factory=dict)
    groups: Mapping[str, Mask] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """One thing to be good at. ``train`` and ``validation`` choose; ``folds`` judge, one at a time, so that
    only one fold is in memory. ``data``: one line on the data."""

    name: str
    data: str
    train: Dataset
    validation: Task
    n_folds: int
    folds: Callable[[], Iterator[Fold]]


class RankingProtocol(Protocol):
    """A way to ask for ranked lists of ``k`` products; the first metric of ``metrics`` chooses."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...

    @property
    def k(self) -> int: ...

    @property
    def metrics(self) -> tuple[str, ...]: ...

    def questions(self, path: Path | None, *, seed: int) -> list[Question]:
        """Read the data and split them. The first question is the claim."""
        ...


def entry(path: Path | None, *names: str) -> Path:
    """``path`` itself when it is a file, else the first of ``names`` inside the folder.

    Raises:
        ConfigError: without a path.
        DataError: when there is nothing at ``path`` or nothing of that name inside.
    """
    if path is None:
        raise ConfigError("This protocol has no embedded data.", next_step="Name yours with --data PATH.")
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"There is nothing at {path}.", next_step="Check the path given with --data.")
    for name in names:
        if (path / name).is_file():
            return path / name
    raise DataError(
        f"The folder {path} holds no {' or '.join(names)}.", next_step="Name the file itself, or its folder."
    )


def check_k(k: int, n_products: int) -> None:
    """Raise when a list of k cannot be filled from the catalogue.

    Raises:
        ConfigError: naming both numbers.
    """
    if k > n_products:
        raise ConfigError(
            f"The protocol lists {k} products, the data hold {n_products}.",
            next_step="Give data with more products.",
        )


def task_of(
    train: Interactions,
    answers: Interactions,
    *,
    k: int,
    metric: str,
    masked: bool = True,
    only_new: bool = False,
    known: npt.NDArray[np.bool_] | None = None,
    now: float | None = None,
) -> Task:
    """Rank for every customer who has answers, given ``train``; seen products are masked unless told not to.

    An answer that is masked counts as a miss, unless ``only_new`` takes it out of the question. ``known``
    (n_customers,): ask for these customers alone. ``now``: the moment of asking, default the end of train.

    Raises:
        DataError: when nobody is left.
    """
    relevant = answers.matrix
    if only_new:
        relevant = relevant - relevant.multiply(train.matrix)
        relevant.eliminate_zeros()
    asked = np.diff(relevant.indptr) > 0
    who = np.flatnonzero(asked if known is None else asked & known)
    if not len(who):
        raise DataError("No customer has anything to find in this part.", next_step="Give more data.")
    seen = train.matrix[who] if masked else None
    return Task(train.histories(who, now=now), sparse.csr_matrix(relevant[who]), seen, k, metric)


def over(behaviour: Interactions, n_customers: int) -> Interactions:
    """The same rows in a table of more or fewer customers; rows of customers beyond it are dropped."""
    return replace(behaviour.select(behaviour.customers < n_customers), n_customers=n_customers)


def heat_groups(task: Task) -> dict[str, Mask]:
    """Shoppers of a task by how much was known of them (see :func:`storewise.data.split.heat`)."""
    codes = heat(np.diff(task.histories.matrix().indptr))
    return {name: codes == code for code, name in enumerate(HEATS)}


def span(dataset: Dataset) -> str:
    """``943 customers, 1,682 products, 75,066 events``."""
    return (
        f"{dataset.n_customers:,} customers, {dataset.n_products:,} products, "
        f"{len(dataset.interactions):,} events"
    )
