"""Two towers: a shopper's vector out of what they had, a product's vector out of its id and its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.deep.layers import noise, unit_rows
from storewise.recommend.retrieve.deep.losses import sampled_softmax
from storewise.recommend.retrieve.deep.neural import KNOWN, REPEAT, Step, Weights
from storewise.recommend.retrieve.deep.sequential import ITEM, Prepared, Sequential
from storewise.recommend.retrieve.deep.training import NeuralConfig

Floats = npt.NDArray[np.float32]
CONTENT, PROJECTION, DECAY = "content", "projection", "decay"


class TwoTowerConfig(NeuralConfig):
    """``hidden_size``: of the shopper's tower. ``decay``: an event n steps back weighs exp(-decay n).
    ``id_dropout``: share of training products whose id is hidden, so that content alone has to do, as it will
    for a cold product (only where there is content)."""

    temperature: float | None = Field(default=0.1, gt=0.0)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    hidden_size: int = Field(default=256, ge=1, le=8_192)
    decay: float = Field(default=0.2, ge=0.0)
    id_dropout: float = Field(default=0.2, ge=0.0, lt=1.0)


class TwoTower(Sequential[TwoTowerConfig]):
    """Two-tower retrieval with in-batch softmax and log-Q correction (Yi et al. 2019).

    Product: p_j = unit(id_j + content_j P), id_j = 0 for a product that training never saw: a new product with
    content is retrieved from its first day. Shopper: x = Σ w_i p_i / Σ w_i with w_i = exp(-decay · steps back),
    then unit(x + relu(x A + a) B + b). The negatives of a batch are the other targets in it: a product is there
    as often as it is popular, which log(c_j / (m q_j)) takes back, q_j the product's share of all events.

    >>> TwoTower(TwoTowerConfig(embedding_size=32)).config.temperature
    0.1
    """

    Config = TwoTowerConfig
    label = "two-tower"

    def constants(self, dataset: Dataset) -> Weights:
        content = dataset.content
        # Where the data have no order, the place in a history says nothing.
        decay = np.full(1, self.config.decay if dataset.interactions.ordered else 0.0, np.float32)
        told = (dataset.interactions.popularity > 0).astype(np.float32)
        if content is None:
            return {DECAY: decay, KNOWN: told, CONTENT: np.zeros((dataset.n_products, 0), np.float32)}
        has = (np.abs(content).sum(axis=1) > 0).astype(np.float32)
        return {DECAY: decay, KNOWN: np.maximum(told, has), CONTENT: content.astype(np.float32)}

    def initial(self, dataset: Dataset, rng: np.random.Generator) -> Weights:
        d, h = self.config.embedding_size, self.config.hidden_size
        trained = (dataset.interactions.popularity > 0).astype(np.float32)[:, None]
        made = {
            ITEM: noise(rng, dataset.n_products, d, 0.1) * trained,
            "up": noise(rng, d, h, 1 / np.sqrt(d)), "up_bias": np.zeros(h, np.float32),
            "down": noise(rng, h, d), "down_bias": np.zeros(d, np.float32),
        }  # fmt: skip
        if dataset.content is not None:
            # Content vectors are unit: their entries are about 1 / sqrt(size).
            made[PROJECTION] = noise(rng, dataset.content.shape[1], d, 0.3)
        return made

    def prepare(self, dataset: Dataset) -> Prepared:
        made = super().prepare(dataset)
        made.content = dataset.content
        return made

    def loss(self, weights: Mapping[str, Any], batch: Any, prepared: Prepared, step: Step) -> Any:
        c, f, made = self.config, step.torch.nn.functional, prepared.windows.batch(batch)
        wanted = made.targets[made.real]
        used = np.unique(np.concatenate([made.inputs[made.real], wanted]))
        where = np.zeros(prepared.n_products + 1, np.int64)
        where[used] = np.arange(len(used))
        products = self._products(weights, used, prepared, step)
        vectors = f.embedding(step.tensor(where[np.where(made.real, made.inputs, used[0])]), products)
        decay = step.tensor(np.full(1, c.decay if prepared.ordered else 0.0, np.float32))
        states = (
            f.normalize(self.hidden({**weights, DECAY: decay}, vectors, step), dim=2, eps=1e-6)
            / c.temperature
        )
        hidden = states.reshape(-1, states.shape[-1])[step.tensor(np.flatnonzero(made.real))]
        sample, count = np.unique(wanted, return_counts=True)
        chance = prepared.counts[sample] / prepared.counts.sum()
        offset = (np.log(count) - np.log(len(wanted) * chance)).astype(np.float32)
        place = np.full(len(used), -1, np.int64)
        place[where[sample]] = np.arange(len(sample))
        return sampled_softmax(
            hidden, products, step.tensor(where[wanted]), weights[REPEAT],
            (step.tensor(made.seen[0]), step.tensor(where[made.seen[1]])),
            sample=step.tensor(where[sample]), offset=step.tensor(offset), place=step.tensor(place),
        )  # fmt: skip

    def _products(self, weights: Mapping[str, Any], used: Any, prepared: Prepared, step: Step) -> Any:
        """(u, d) unit vectors of the products ``used``."""
        torch = step.torch
        ids = torch.nn.functional.embedding(step.tensor(used), weights[ITEM])
        if PROJECTION in weights:
            assert prepared.content is not None
            content = step.tensor(prepared.content[used].astype(np.float32)) @ weights[PROJECTION]
            hide = step.rng.random(len(used)) < self.config.id_dropout
            # A product without content keeps its id: there is nothing else to go by.
            hide &= np.abs(prepared.content[used]).sum(axis=1) > 0
            ids = ids * step.tensor((~hide).astype(np.float32))[:, None] + content
        return torch.nn.functional.normalize(ids, dim=1, eps=1e-6)

    def hidden(self, weights: Mapping[str, Any], vectors: Any, step: Step) -> Any:
        x = step.tensor(_past(vectors.shape[1], float(weights[DECAY][0]))) @ vectors
        x = step.dropout(x, self.config.dropout)
        wide = step.torch.relu(x @ weights["up"] + weights["up_bias"])
        return x + step.dropout(wide, self.config.dropout) @ weights["down"] + weights["down_bias"]

    def answer(self, weights: Weights, vectors: Floats, lengths: npt.NDArray[np.int64]) -> Floats:
        weight = _past(vectors.shape[1], float(weights[DECAY][0]))[
            lengths - 1
        ]  # (b, l), 0 beyond a history's end
        x = (weight[:, None] @ vectors)[:, 0]
        wide = np.maximum(x @ weights["up"] + weights["up_bias"], 0)
        state: Floats = x + wide @ weights["down"] + weights["down_bias"]
        return state

    def product_vectors(self, weights: Weights) -> Floats:
        raw = weights[ITEM]
        if PROJECTION in weights:
            raw = raw + weights[CONTENT] @ weights[PROJECTION]
        return unit_rows(raw)

    def input_vectors(self, weights: Weights) -> Floats:
        return self.vectors()


def _past(length: int, decay: float) -> Floats:
    """(l, l): row t holds the weights of events 0 … t, which sum to 1."""
    back = np.arange(length)[:, None] - np.arange(length)
    weight = np.where(back >= 0, np.exp(-decay * np.maximum(back, 0)), 0.0)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
