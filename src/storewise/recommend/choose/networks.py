"""Networks among the retrievers: when to try them, and how tuning's training is not done twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.core.run_context import RunContext
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.deep.neural import Neural
from storewise.recommend.retrieve.deep.training import Training, has_torch

SASREC, TWO_TOWER = "retrieve.sasrec.v1", "retrieve.two_tower.v1"
LIGHTGCN = "retrieve.lightgcn.v1"

NETWORK_SHOPPERS, NETWORK_EVENTS = 1_000, 20_000
"""Below these no network is tried: it would learn the few by heart."""
NETWORK_EPOCHS, NETWORK_EVENT_S = 20, 8e-5
"""A network is tried where its share of the time holds so many epochs, at so many seconds an event."""
CONTINUED = 0.25
"""A network that tuning has trained goes on with the events that have come since, for this share of its epochs."""


def networks_for(train: Dataset, shoppers: int, shares_s: Mapping[str, float]) -> tuple[list[str], str]:
    """Networks worth trying: SASRec where there is an order, LightGCN where there is none, two towers where there
    is content; with enough data, torch, and time (``shares_s``: seconds that each would get) for enough epochs. And a sentence."""
    events = len(train.interactions)
    wanted = [SASREC] if train.interactions.ordered else [LIGHTGCN]
    wanted += [] if train.content is None else [TWO_TOWER]
    if shoppers < NETWORK_SHOPPERS or events < NETWORK_EVENTS or not has_torch():
        return [], ""
    needed = NETWORK_EPOCHS * NETWORK_EVENT_S * events
    found = [name for name in wanted if shares_s[name] >= needed]
    if left := [name.split(".")[1] for name in wanted if name not in found]:
        return found, f"Too little time was left to try {' and '.join(left)}: about {needed:.0f} s."
    return found, ""


def holds(dataset: Dataset, learned: Interactions) -> bool:
    """Whether every event of ``learned`` is in the data set, over the same catalogue.

    >>> whole = Dataset.of([0, 0, 1], [0, 1, 1], n_customers=2, n_products=2)
    >>> part = Dataset.of([0, 1], [1, 1], n_customers=2, n_products=2)
    >>> holds(whole, part.interactions), holds(part, whole.interactions)
    (True, False)
    """
    behaviour = dataset.interactions
    if behaviour.n_products != learned.n_products:
        return False
    keys = [
        data.customers.astype(np.int64) * data.n_products + data.products for data in (behaviour, learned)
    ]
    (ours, often), (theirs, wanted) = (np.unique(key, return_counts=True) for key in keys)
    if not len(theirs):
        return True
    place = np.minimum(np.searchsorted(ours, theirs), max(len(ours) - 1, 0))
    return bool(len(ours) and (ours[place] == theirs).all() and (often[place] >= wanted).all())


def train_resumably(
    model: Retriever[Any], dataset: Dataset, rng: np.random.Generator, progress: Progress | None,
    context: RunContext | None = None,
) -> Retriever[Any]:  # fmt: skip
    """``model``, trained; a network leaves checkpoints in the run's folder and goes on from those it finds."""
    if isinstance(model, Neural) and context is not None and context.trainings is not None:
        model.train(dataset, rng=rng, progress=progress, options=Training(root=context.trainings))
    else:
        model.train(dataset, rng=rng, progress=progress)
    return model


def continued(
    tuned: Neural[Any], model: Neural[Any], dataset: Dataset, seed: int, progress: Progress | None,
    context: RunContext | None = None,
) -> Neural[Any]:  # fmt: skip
    """``model`` trained from the weights of ``tuned`` on."""
    epochs = max(1, round(CONTINUED * model.config.epochs))
    made = type(model)(model.config.model_copy(update={"epochs": epochs, "patience": 0}))
    start = Training(start=tuned.state(), root=None if context is None else context.trainings)
    made.train(dataset, rng=spawn(seed, tuned.label, "continued"), progress=progress, options=start)
    return made
