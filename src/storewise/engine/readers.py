"""Two readers of a customer's history, trained on what a shop knew at one moment: a two-tower and a cross-encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.core.rng import derive_seed, spawn
from storewise.data.dataset import Dataset
from storewise.data.interactions import DAY_S, Histories
from storewise.metrics import ranking
from storewise.recommend.retrieve.base import Retriever
from storewise.understand.base import Vectors
from storewise.understand.finetune.loop import LoopConfig, fit
from storewise.understand.finetune.methods import MethodConfig, adapt
from storewise.understand.finetune.negatives import text_numbers
from storewise.understand.finetune.objectives import Objective
from storewise.understand.finetune.pairs import Ints
from storewise.understand.finetune.reader import CrossEncoder, TwoTower, pair_scores, with_logit
from storewise.understand.finetune.reading import Examples, examples_of, history_texts, negatives_of
from storewise.understand.finetune.tower import Tower

Ranker = Callable[[Dataset], Retriever]  # type: ignore[type-arg]


class ReaderConfig(Config):
    """``titles``: of a history, the latest first. ``days``: examples are events of the last so many days; the model
    that proposes hard negatives knows only what lies before them. ``a_customer``: examples of one, at most."""

    titles: int = Field(default=6, ge=1)
    max_length: int = Field(default=64, ge=8, le=512)
    days: float = Field(default=56.0, gt=0)
    examples: int = Field(default=4_000, ge=1)
    a_customer: int = Field(default=8, ge=1)
    depth: int = Field(default=50, ge=1)
    hard: int = Field(default=3, ge=0)
    random: int = Field(default=2, ge=1)
    tower_steps: int = Field(default=60, ge=1)
    cross_steps: int = Field(default=60, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    method: MethodConfig = MethodConfig(method="lora")


@dataclass
class Readers:
    """The trained pair. ``two_tower`` (b, n_products) and ``cross`` (b, depth) score; -inf: cannot say."""

    config: ReaderConfig
    tower: Tower
    encoder: Tower
    titles: list[str]

    def two_tower(self, histories: Histories) -> Vectors:
        products = self.tower.encode(self.titles)
        shoppers = self.tower.encode(history_texts(histories, self.titles, most=self.config.titles))
        scores: Vectors = (shoppers @ products.T).astype(np.float32)
        scores[:, ~products.any(axis=1)] = -np.inf
        scores[~shoppers.any(axis=1)] = -np.inf
        return scores

    def cross(self, histories: Histories, candidates: Ints, progress: Progress | None = None) -> Vectors:
        told = self.encoder.ids(history_texts(histories, self.titles, most=self.config.titles))
        titles = self.encoder.ids(self.titles)
        return pair_scores(self.encoder, told, titles, candidates, progress=progress, label="cross-encoder")


def train(
    dataset: Dataset, titles: list[str], ranker: Ranker, config: ReaderConfig, start: Tower, *, border: float,
    seed: int, progress: Progress,
) -> Readers:  # fmt: skip
    """Train both on events before ``border`` alone. ``ranker`` trains the id model that proposes negatives.

    Raises:
        DataError: when there are no examples or no negatives.
        MissingExtra: without torch, transformers or peft.
    """
    since = max(border - config.days * DAY_S, float(np.median(dataset.interactions.at)))
    examples = examples_of(
        dataset.interactions, since=since, border=border, most=config.examples, a_customer=config.a_customer,
        rng=spawn(seed, "reader", "examples"),
    )  # fmt: skip
    text_of = text_numbers(titles)
    before = dataset.until(since)
    negatives = negatives_of(
        examples, proposals(ranker(before), examples, config.depth), text_of,
        dataset.interactions.popularity, hard=config.hard, random=config.random, rng=spawn(seed, "negatives"),
    )  # fmt: skip
    told = start.ids(history_texts(examples.histories, titles, most=config.titles))
    names = start.ids(titles)
    two = TwoTower(examples, told, names, text_of)
    tower = _fitted(start, two, config, config.tower_steps, seed, progress)
    cross = CrossEncoder(examples, told, names, negatives)
    encoder = _fitted(start, cross, config, config.cross_steps, seed, progress, logit=True)
    return Readers(config, tower, encoder, titles)


def proposals(model: Retriever, examples: Examples, depth: int) -> Ints:  # type: ignore[type-arg]
    """(e, depth) what the model ranks highest for each example that its shopper had not bought, -1 fills up."""
    found = []
    for part in examples.histories.batches(512):
        scores = model.scores(part).copy()
        scores[part.rows, part.products] = -np.inf
        found.append(ranking.top_k(scores, depth))
    return np.concatenate(found).astype(np.int64)


def _fitted(
    start: Tower, objective: Objective, config: ReaderConfig, steps: int, seed: int, progress: Progress,
    *, logit: bool = False,
) -> Tower:  # fmt: skip
    torch_seed = derive_seed(seed, "reader", objective.name) % 2**63
    adapted = adapt(start, config.method, steps=steps, seed=torch_seed)
    if logit:
        adapted = with_logit(adapted, seed=torch_seed)
    # Steps and rate are fixed before; validation compares the rows, not the steps.
    plan = LoopConfig(
        steps=steps, learning_rate=config.learning_rate, validate_every=steps, may_keep_start=False
    )
    fit(adapted, objective, plan, score=lambda tower: 0.0, seed=seed, progress=progress)
    return adapted.merge()
