"""What networks over histories share: windows to learn from, and answering histories of like length together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.deep.layers import unit_rows
from storewise.recommend.retrieve.deep.neural import KNOWN, Neural, Step, Weights
from storewise.recommend.retrieve.deep.sequences import Windows, padded
from storewise.recommend.retrieve.deep.training import NeuralConfig

ROWS = 512
"""Histories of like length that are answered together."""
ITEM = "item"

ConfigT = TypeVar("ConfigT", bound=NeuralConfig)


class Prepared:
    """Windows of the training data and how often each product is a target."""

    def __init__(self, dataset: Dataset, length: int) -> None:
        self.windows = Windows.of(dataset.interactions, length)
        self.ordered = dataset.interactions.ordered
        self.counts = np.bincount(dataset.interactions.products, minlength=dataset.n_products)
        self.n_products = dataset.n_products
        self.content: npt.NDArray[np.float32] | None = None


class Sequential(Neural[ConfigT]):
    """``hidden`` (torch) and ``answer`` (numpy) are the same function; a test compares them."""

    @abstractmethod
    def hidden(self, weights: Mapping[str, Any], vectors: Any, step: Step) -> Any:
        """(b, l, d) states of inputs with vectors (b, l, d), each of its own past; padding is on the right."""

    @abstractmethod
    def answer(
        self, weights: Weights, vectors: npt.NDArray[np.float32], lengths: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """(b, d) the state at the last event of each row of vectors (b, l, d)."""

    @abstractmethod
    def input_vectors(self, weights: Weights) -> npt.NDArray[np.float32]:
        """(n_products, d) what the network reads of a product."""

    def prepare(self, dataset: Dataset) -> Prepared:
        return Prepared(dataset, self.config.length)

    def batches(self, prepared: Prepared, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
        """Where the data have no order, each epoch reads them in another one."""
        if not prepared.ordered:
            prepared.windows = prepared.windows.shuffled(rng)
        return prepared.windows.batches(self.config.batch_size, rng)

    def take(self, weights: Weights) -> None:
        super().take(weights)
        self._inputs = self.input_vectors(weights)

    def shoppers(self, histories: Histories) -> npt.NDArray[np.float32]:
        """(b, d) states; products that the network does not know are left out of a history."""
        self.vectors()
        told = self.weights[KNOWN][histories.products] > 0
        products = histories.products[told]
        lengths = np.bincount(histories.rows[told], minlength=len(histories)).astype(np.int64)
        stop = np.cumsum(lengths)
        read = np.minimum(lengths, self.config.length)
        states = np.zeros((len(histories), self.vectors().shape[1]), np.float32)
        order = np.argsort(read, kind="stable")
        order = order[read[order] > 0]
        for first in range(0, len(order), ROWS):
            rows = order[first : first + ROWS]
            inputs = padded(products, stop[rows] - read[rows], stop[rows], 0)
            states[rows] = self.answer(self.weights, self._inputs[inputs], read[rows])
        t = self.config.temperature
        return states if t is None else unit_rows(states) / np.float32(t)
