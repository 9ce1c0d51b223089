"""A retriever that is a network: weights by name, trained with torch, answering with numpy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Arrays
from storewise.core.errors import DataError, StateError
from storewise.core.progress import Progress
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.deep.training import NeuralConfig, Training
from storewise.recommend.retrieve.factors import Factors

ConfigT = TypeVar("ConfigT", bound=NeuralConfig)
Weights = dict[str, npt.NDArray[np.float32]]
REPEAT, KNOWN = "repeat", "known"


@dataclass(frozen=True)
class Step:
    """What a loss needs besides weights and data: ``training`` turns dropout on."""

    torch: Any
    device: Any
    rng: np.random.Generator
    training: bool = True

    def dropout(self, x: Any, share: float) -> Any:
        return self.torch.nn.functional.dropout(x, share, self.training) if share else x

    def tensor(self, array: npt.NDArray[Any]) -> Any:
        return self.torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


class Neural(Factors[ConfigT]):
    """Score of product j = state of the history · vector of j + r if the history has j.

    A product that training never saw (and whose content, where the network reads it, is unknown) gets -inf, and
    so does everything for an empty history. ``train`` needs torch (extra ``deep``), ``scores`` does not.
    """

    label = "network"

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self.weights: Weights = {}
        self.epochs_done = 0  # of the weights that answer
        self.by_epoch: tuple[float, ...] = ()  # validation after each epoch of the training

    @abstractmethod
    def initial(self, dataset: Dataset, rng: np.random.Generator) -> Weights:
        """The weights that training starts from, besides ``repeat``."""

    @abstractmethod
    def prepare(self, dataset: Dataset) -> Any:
        """The training data in the form that ``batches`` and ``loss`` read."""

    @abstractmethod
    def batches(self, prepared: Any, rng: np.random.Generator) -> list[Any]:
        """One epoch."""

    @abstractmethod
    def loss(self, weights: Mapping[str, Any], batch: Any, prepared: Any, step: Step) -> Any:
        """A scalar tensor."""

    @abstractmethod
    def product_vectors(self, weights: Weights) -> npt.NDArray[np.float32]:
        """(n_products, d) float32, what states are multiplied with."""

    def constants(self, dataset: Dataset) -> Weights:
        """Arrays that answering needs and training leaves as they are."""
        return {KNOWN: (dataset.interactions.popularity > 0).astype(np.float32)}

    def train(
        self,
        dataset: Dataset,
        *,
        rng: np.random.Generator,
        progress: Progress | None = None,
        options: Training | None = None,
    ) -> None:
        """Learn; see :class:`Training` for what may be given to one run.

        Raises:
            MissingExtra: without torch.
            StateError: when ``options.start`` does not fit the dataset or the config.
            ConfigError, ArtifactError: for a checkpoint of another run, or a damaged one.
        """
        from storewise.recommend.retrieve.deep.loop import Loop

        recent = dataset.interactions.latest(self.config.window_days)
        part = dataset if self.config.window_days is None else dataset.with_interactions(recent)
        Loop(self, part, rng, options or Training(), progress).run()

    def take(self, weights: Weights) -> None:
        """Answer with these weights.

        Raises:
            DataError: when they hold NaN or infinite values.
        """
        if bad := [name for name, array in weights.items() if not np.isfinite(array).all()]:
            raise DataError(
                f"The weights {bad[0]!r} of {type(self).__name__} are not finite.",
                next_step="Train with a smaller learning_rate.",
            )
        self.weights = weights
        self.products = self.product_vectors(weights)

    def state(self) -> Arrays:
        self.require(bool(self.weights))
        return self.weights

    def restore(self, state: Arrays) -> None:
        self.take({name: np.ascontiguousarray(array, np.float32) for name, array in state.items()})

    def fits(self, start: Arrays, weights: Weights) -> None:
        """Raise when other weights have other names or shapes.

        Raises:
            StateError: naming the first.
        """
        for name, array in weights.items():
            if name not in start or start[name].shape != array.shape:
                got = start[name].shape if name in start else "nothing"
                raise StateError(
                    f"Training cannot start from these weights: {name} is {got}, wanted {array.shape}.",
                    next_step="Start from a model of the same config over the same catalogue.",
                )

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        vectors = self.vectors()
        found: npt.NDArray[np.float32] = self.shoppers(histories) @ vectors.T
        rows, columns = histories.matrix().nonzero()
        found[rows, columns] += self.weights[REPEAT][0]
        found[:, self.weights[KNOWN] == 0] = -np.inf
        found[~self.known_rows(histories)] = -np.inf
        return found

    def known_rows(self, histories: Histories) -> npt.NDArray[np.bool_]:
        """(b,): whether a history has a product that the network knows."""
        told = self.weights[KNOWN][histories.products] > 0
        return np.bincount(histories.rows[told], minlength=len(histories)) > 0
