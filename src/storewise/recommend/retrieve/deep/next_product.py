"""Softmax over the catalogue for what came next, with product vectors tied between input and output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.deep.content_start import first_vectors
from storewise.recommend.retrieve.deep.layers import unit_rows
from storewise.recommend.retrieve.deep.losses import full_softmax, sampled_softmax
from storewise.recommend.retrieve.deep.neural import REPEAT, Step, Weights
from storewise.recommend.retrieve.deep.sequential import ITEM, Prepared, Sequential
from storewise.recommend.retrieve.deep.training import NeuralConfig

FULL_UP_TO = 5_000
"""Products up to which ``loss = "auto"`` sums over all of them; above, a sample costs less and loses little."""


class NextProductConfig(NeuralConfig):
    """``loss``: "full" softmax over the catalogue, "sampled" with ``negatives`` draws a step by popularity **
    ``negative_power`` and log-Q correction, "auto": full up to 5,000 products. ``label_smoothing``: of the full
    softmax."""

    loss: Literal["auto", "full", "sampled"] = "auto"
    negatives: int = Field(default=1_024, ge=1)
    negative_power: float = Field(default=0.5, ge=0.0, le=1.0)
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)


ConfigT = TypeVar("ConfigT", bound=NextProductConfig)


class NextProduct(Sequential[ConfigT]):
    """A sequential network that is told what came next at each step."""

    @abstractmethod
    def body(self, dataset: Dataset, rng: np.random.Generator) -> Weights:
        """First weights of all but the product vectors."""

    def initial(self, dataset: Dataset, rng: np.random.Generator) -> Weights:
        c = self.config
        items = first_vectors(dataset, c.embedding_size, rng, scale=0.02, from_content=c.content_start)
        return {ITEM: items} | self.body(dataset, rng)

    def loss(self, weights: Mapping[str, Any], batch: Any, prepared: Prepared, step: Step) -> Any:
        c, torch, made = self.config, step.torch, prepared.windows.batch(batch)
        f = torch.nn.functional
        vectors = f.embedding(step.tensor(np.where(made.real, made.inputs, 0)), weights[ITEM])
        states = self.hidden(weights, vectors, step)
        real = step.tensor(np.flatnonzero(made.real))
        hidden = states.reshape(-1, states.shape[-1])[real]
        targets = step.tensor(made.targets[made.real])
        seen = step.tensor(made.seen[0]), step.tensor(made.seen[1])
        products, repeat = weights[ITEM], weights[REPEAT]
        if c.temperature is not None:
            hidden = f.normalize(hidden, dim=1, eps=1e-6) / c.temperature
            products = f.normalize(products, dim=1, eps=1e-6)
        n = prepared.n_products
        if c.loss == "full" or (c.loss == "auto" and n <= FULL_UP_TO):
            return full_softmax(hidden, products, targets, repeat, seen, label_smoothing=c.label_smoothing)
        sample, offset = draw(prepared.counts, c.negatives, c.negative_power, step.rng)
        place = np.full(n, -1, np.int64)
        place[sample] = np.arange(len(sample))
        return sampled_softmax(
            hidden, products, targets, repeat, seen,
            sample=step.tensor(sample), offset=step.tensor(offset), place=step.tensor(place),
        )  # fmt: skip

    def product_vectors(self, weights: Weights) -> npt.NDArray[np.float32]:
        items = weights[ITEM]
        return items if self.config.temperature is None else unit_rows(items)

    def input_vectors(self, weights: Weights) -> npt.NDArray[np.float32]:
        return weights[ITEM]


def draw(
    counts: npt.NDArray[np.int64], size: int, power: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """``size`` draws with replacement from q ~ max(counts, 1) ** power: the different products, rising, and their
    log-Q correction log c - log(size q).

    >>> products, offset = draw(np.array([1, 1]), 1_000, 1.0, np.random.default_rng(0))
    >>> products.tolist(), bool(np.abs(offset).max() < 0.1)
    ([0, 1], True)
    """
    weight = np.maximum(counts, 1.0) ** power
    cumulative = np.cumsum(weight)
    drawn = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    sample, count = np.unique(np.minimum(drawn, len(counts) - 1), return_counts=True)
    chance = weight[sample] / cumulative[-1]
    return sample, (np.log(count) - np.log(size * chance)).astype(np.float32)
