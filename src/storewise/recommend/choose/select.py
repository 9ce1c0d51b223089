"""What the engine itself would choose: try retrievers on validation, fuse them, and say why.

The choice sees the training part and the validation question only. With little data simple methods are
taken; a clever one must beat popularity by more than chance.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress, Silent, step
from storewise.core.registry import Registry
from storewise.core.rng import derive_seed, spawn
from storewise.core.run_context import RunContext
from storewise.data.dataset import Dataset
from storewise.metrics.intervals import Interval, paired_difference
from storewise.recommend.choose.blend import Pool, cross_fitted, learn
from storewise.recommend.choose.judge import Judge
from storewise.recommend.choose.networks import LIGHTGCN, SASREC, TWO_TOWER, networks_for
from storewise.recommend.choose.selection import Selection as Selection
from storewise.recommend.choose.spaces import has_clock
from storewise.recommend.choose.task import Task
from storewise.recommend.choose.tune import MOST_TRIALS, Choice, Workshop, tune
from storewise.recommend.retrieve import COMPONENTS
from storewise.recommend.retrieve.deep.neural import Neural
from storewise.recommend.retrieve.fusion import Fusion, FusionConfig, Member

POPULAR, REPEAT, FUSION = "retrieve.popular.v1", "retrieve.repeat.v1", "retrieve.fusion.v1"
KNN, USER_KNN = "retrieve.item_knn.v1", "retrieve.user_knn.v1"
EASE, IALS = "retrieve.ease.v1", "retrieve.ials.v1"
CONTENT, GRAPH = "retrieve.content.v1", "retrieve.graph_filter.v1"

SHARES = {
    KNN: 0.3, IALS: 0.3, EASE: 0.18, USER_KNN: 0.12, CONTENT: 0.06, REPEAT: 0.03, POPULAR: 0.03,
    GRAPH: 0.15, SASREC: 0.9, TWO_TOWER: 0.3, LIGHTGCN: 0.3,
}  # fmt: skip
"""Parts of the time for trying; another retriever gets 0.12, fusing what is left."""
EASE_TRIES = 2
"""EASE is left out where its share of the time holds fewer tries."""

FEW_SHOPPERS, FEW_EVENTS = 30, 300
"""Below these nothing but popularity is tried."""
SOME_SHOPPERS, SOME_EVENTS = 150, 3_000
"""Below these only neighbourhood models with few parameters are tried, and nothing is fused."""
LARGE = 50_000
"""Above so many products, models that must score all of them for every request are not tried."""
CELLS = 120_000_000
"""Scores that one trial may look at: bounds the number of validation shoppers."""


def select(
    train: Dataset,
    validation: Task,
    *,
    candidates: Sequence[str] | None = None,
    budget_s: float = 600.0,
    seed: int = 0,
    progress: Progress | None = None,
    most: int = MOST_TRIALS,
    context: RunContext | None = None,
) -> Selection:
    """Try ``candidates`` (component names; None: what the data can support) for about ``budget_s`` seconds.

    The time for trying is the caller's; how many configs fit into it depends on the machine, ``most`` of each
    retriever at most. With a ``context`` that has a folder, a killed choice goes on where it was.

    Raises:
        ConfigError: when no candidate is named.
    """
    if candidates is not None and not candidates:
        raise ConfigError("No candidate is named.", next_step="Name one, or leave them out for automatic.")
    started = time.perf_counter()
    names, why = automatic(train, validation, budget_s) if candidates is None else (list(candidates), "")
    shoppers = int(np.clip(CELLS // max(train.n_products, 1), 500, 8_000))
    judge = Judge(validation, most=shoppers, rng=spawn(seed, "validation shoppers"))
    registry = Registry(COMPONENTS, plugins=True)
    shop = Workshop(train, judge, registry, seed, progress or Silent(), context=context or RunContext())
    singles = [name for name in names if name != FUSION] or [KNN, POPULAR]
    dear = EASE_TRIES * ease_seconds(train)
    if candidates is None and EASE in singles and dear > _shares(singles)[EASE] * budget_s:
        why += f" EASE was left out: one try takes about {ease_seconds(train):.0f} s."
        singles.remove(EASE)
    shares = _shares(singles)  # of what is tried: the others have the time of what is left out
    choices = [tune(name, shop, budget_s=shares[name] * budget_s, most=most) for name in singles]
    if FUSION in names and len(choices) > 1:
        left = budget_s - (time.perf_counter() - started)
        fused, gain = fuse(choices, shop, budget_s=max(left, 0.1 * budget_s))
        if fused is not None and gain is not None:
            return _with_networks(_decide([*choices, fused], shop, why, gain), shop)
    return _with_networks(_decide(choices, shop, why), shop)


def automatic(train: Dataset, validation: Task, budget_s: float = 0.0) -> tuple[list[str], str]:
    """Which retrievers the data and the time can support, and a sentence where they cannot support all.
    Without a budget no network is named."""
    events, shoppers = len(train.interactions), len(validation)
    size = f"{events:,} events and {shoppers:,} shoppers to validate on"
    if shoppers < FEW_SHOPPERS or events < FEW_EVENTS:
        return [POPULAR], f"With {size} only popularity can be trusted."
    repeats = [REPEAT] if _repeats(train, validation) else []
    if shoppers < SOME_SHOPPERS or events < SOME_EVENTS:
        return [POPULAR, *repeats, KNN], f"With {size} only simple methods were tried."
    if train.n_products > LARGE:
        why = f"With {train.n_products:,} products only models that answer from a few of them were tried."
        return [POPULAR, *repeats, KNN, EASE, FUSION], why
    content = [] if train.content is None else [CONTENT]
    classic = [POPULAR, *repeats, KNN, IALS, EASE, GRAPH, USER_KNN, *content]
    shares = {name: _shares([*classic, name])[name] * budget_s for name in (SASREC, TWO_TOWER, LIGHTGCN)}
    networks, why = networks_for(train, len(validation), shares) if budget_s > 0 else ([], "")
    return [*classic, *networks, FUSION], why


def _with_networks(found: Selection, shop: Workshop) -> Selection:
    networks = {name: model for name, model in shop.trained.items() if isinstance(model, Neural)}
    return replace(
        found, trained=networks, learned=shop.dataset.interactions, context=shop.context.part("refit")
    )


def fuse(
    choices: Sequence[Choice], shop: Workshop, *, budget_s: float
) -> tuple[Choice | None, Interval | None]:
    """A fusion of the choices, valued by cross-fitting, and its gain over the best of them; nothing when one
    member does best alone."""
    started = time.perf_counter()
    with step(shop.progress, "fusing"):
        # Popularity and the like may help little by little; what is hopeless alone and costly is left out.
        members = [shop.trained[choice.name] for choice in choices]
        popularity = shop.dataset.interactions.popularity
        pool = Pool.of(members, shop.judge, popularity=popularity, depth=FusionConfig().depth)
        weights = learn(pool)
        if np.count_nonzero(weights) < 2:
            return None, None
        each = cross_fitted(pool, spawn(shop.seed, "halves"))
        best = max(choices, key=lambda choice: choice.validation)
        alone = shop.judge.each(shop.trained[best.name])
        gain = paired_difference(each, alone, seed=derive_seed(shop.seed, "fusion") % 2**32)
    parts = tuple(
        Member(use=choice.name, config=choice.config.model_dump(), weight=round(float(weight), 4))
        for choice, weight in zip(choices, weights[: len(choices)], strict=True)
        if round(float(weight), 4) > 0
    )
    config = FusionConfig(members=parts, rarity=round(float(weights[-1]), 4))
    model = Fusion(config)
    model.take([shop.trained[part.use] for part in parts], shop.dataset)
    if shop.judge.value(model) <= best.validation:
        return None, None  # learned from the pools alone: what they do not show must not be served
    shop.trained[FUSION] = model
    return Choice(FUSION, config, float(np.nanmean(each)), 1, time.perf_counter() - started), gain


def ease_seconds(train: Dataset) -> float:
    """A rough cost of one EASE on one core: cubic while exact, linear above."""
    from storewise.recommend.retrieve.ease import EaseConfig

    n = train.n_products
    return 3e-11 * n**3 if n <= EaseConfig().exact_limit else 2e-3 * n


def _shares(names: Sequence[str]) -> dict[str, float]:
    raw = {name: SHARES.get(name, 0.12) for name in names}
    return {name: 0.92 * share / sum(raw.values()) for name, share in raw.items()}


def _repeats(train: Dataset, validation: Task) -> bool:
    """Whether bought products may come again, and do."""
    if validation.seen is not None or not has_clock(train):
        return False
    data = train.interactions
    return bool(data.matrix.nnz < 0.98 * len(data))


def _decide(choices: list[Choice], shop: Workshop, why: str, fused: Interval | None = None) -> Selection:
    """``fused``: gain of the fusion, which is taken only where that is more than chance: its weights are one
    more thing that can fit the validation shoppers alone."""
    ranked = sorted(choices, key=lambda choice: -choice.validation)
    if fused is not None and fused.low <= 0.0:
        why += f" Fusing adds {_figures(fused)}, no more than chance."
    best = next(c for c in ranked if c.name != FUSION or fused is None or fused.low > 0.0)
    task = shop.judge.task
    place = "the best " if best is ranked[0] else ""
    told = f"{_short(best.name)} has {place}{task.metric}@{task.k} on {len(task):,} validation shoppers"
    told += f" ({best.validation:.4f})"
    simple = next((choice for choice in ranked if choice.name == POPULAR), None)
    if simple is not None and simple is not best:
        gain = _gain(shop, best.name)
        margin = f"popular has {simple.validation:.4f}, the difference is {_figures(gain)}"
        if gain.low <= 0.0:
            why = f"No method is better than popularity by more than chance: {told}, {margin}. {why.strip()}"
            return Selection(tuple(ranked), POPULAR, why.strip())
        told += f"; {margin}"
    return Selection(tuple(ranked), best.name, f"{told}. {why.strip()}".strip())


def _gain(shop: Workshop, name: str) -> Interval:
    ours, theirs = (shop.judge.each(shop.trained[model]) for model in (name, POPULAR))
    return paired_difference(ours, theirs, seed=derive_seed(shop.seed, "gain") % 2**32)


def _figures(gain: Interval) -> str:
    return f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"


def _short(name: str) -> str:
    """
    >>> _short("retrieve.item_knn.v1")
    'item_knn'
    """
    return name.split(".")[1]
