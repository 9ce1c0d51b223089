"""Softmax over the catalogue for what came next, with product vectors tied between input and output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.data.dataset import Dataset
from storewise.predict.networks.augment import Augmentation, augment
from storewise.recommend.retrieve.deep.content_start import first_vectors
from storewise.recommend.retrieve.deep.layers import unit_rows
from storewise.recommend.retrieve.deep.losses import full_softmax, one_negative, sampled_softmax
from storewise.recommend.retrieve.deep.neural import REPEAT, Step, Weights
from storewise.recommend.retrieve.deep.sequential import ITEM, Prepared, Sequential
from storewise.recommend.retrieve.deep.training import NeuralConfig

Ints = npt.NDArray[np.int64]
FULL_UP_TO = 5_000
"""Products up to which ``loss = "auto"`` sums over all of them; above, a sample costs less and loses little."""


class NextProductConfig(NeuralConfig):
    """``loss``: "full" softmax over the catalogue, "sampled" with ``negatives`` draws a step by popularity **
    ``negative_power`` and log-Q correction, "auto": full up to 5,000 products; "bce", one negative, is there to be
    compared with. ``label_smoothing``: of the full softmax. ``augmentation``: of the histories that training reads."""

    loss: Literal["auto", "full", "sampled", "bce"] = "auto"
    negatives: int = Field(default=1_024, ge=1)
    negative_power: float = Field(default=0.5, ge=0.0, le=1.0)
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    augmentation: Augmentation = Augmentation()


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
        c, torch = self.config, step.torch
        made = prepared.windows.batch(batch, lambda found, n: augmented(found, n, c.augmentation, step.rng))
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
        if c.loss == "bce":
            other = not_seen(made.targets[made.real], made.seen, n, step.rng)
            return one_negative(hidden, products, targets, repeat, seen, negatives=step.tensor(other))
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


def augmented(sequences: Ints, filler: int, config: Augmentation, rng: np.random.Generator) -> Ints:
    """Sequences (b, l) cropped, masked and reordered before they are parted into inputs and targets, so that what is
    asked is never among what is read; one that would lose all but one event stays whole."""
    if not config.some:
        return sequences
    codes = np.where(sequences == filler, 0, sequences + 1)
    right = np.take_along_axis(codes, np.argsort(codes != 0, axis=1, kind="stable"), axis=1)
    found = augment({"": right}, config, rng)[""]
    found = np.take_along_axis(found, np.argsort(found == 0, axis=1, kind="stable"), axis=1)
    found = np.where((found != 0).sum(axis=1, keepdims=True) < 2, codes, found)
    return np.where(found == 0, filler, found - 1)


def not_seen(
    targets: Ints, seen: tuple[Ints, Ints], n_products: int, rng: np.random.Generator, *, tries: int = 10
) -> Ints:
    """(m,) one product a row, uniform among those that are neither its target nor in its history (after ``tries``
    draws it may be one of them)."""
    rows = np.arange(len(targets))
    taken = np.unique(np.concatenate([seen[0] * n_products + seen[1], rows * n_products + targets]))
    found = rng.integers(0, n_products, len(targets))
    for _ in range(tries):
        hit = np.isin(rows * n_products + found, taken)
        if not hit.any():
            break
        found[hit] = rng.integers(0, n_products, int(hit.sum()))
    return found


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
