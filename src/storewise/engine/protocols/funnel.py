"""``funnel``: conversion learned from clicks alone against networks of both steps, on a shop whose truth is known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.core.run_context import RunContext
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.registry import component_names, registry
from storewise.metrics import intervals, probability
from storewise.predict.base import Labelled, Rows
from storewise.predict.multitask import MultiLabelled
from storewise.predict.networks.deepfm import DeepFm
from storewise.predict.networks.esmm import Esmm
from storewise.predict.networks.multitask import MultiNetwork

NAIVE, RATE = "conversion from clicks alone", "rate of the clicks"
BOTH = ("predict.esmm.v1", "predict.mmoe.v1", "predict.ple.v1")
TRAIN, TEST, LEAST = 60_000, 20_000, 2_000
WORLDS = {"all that matters is seen": 0.0, "a wish that is not seen": 1.0}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Funnel:
    """``would`` (n,): whether the shopper would buy, had they clicked; ``p_click``, ``p_buy`` (n,): the truth."""

    data: MultiLabelled
    would: Floats
    p_click: Floats
    p_buy: Floats


def simulate(n: int, *, hidden: float, rng: np.random.Generator, world: np.random.Generator) -> Funnel:
    """Impressions of 3,000 products to 2,000 shoppers; tastes are 6 hidden numbers each, learned by clicks and by
    purchases alike. Clicks are rare among impressions and purchases among clicks. ``hidden``: weight of a wish of
    the moment that drives both steps and that no feature shows: then who clicks buys more than who does not."""
    products, shoppers, size = 3_000, 2_000, 6
    taste, kind = world.normal(size=(shoppers, size)), world.normal(size=(products, size))
    appeal, value = world.normal(size=(2, products))
    popularity = world.pareto(1.2, products) + 1
    who = rng.integers(0, shoppers, n)
    what = rng.choice(products, n, p=popularity / popularity.sum())
    price = rng.normal(size=n)
    match = (taste[who] * kind[what]).sum(axis=1) / np.sqrt(size)
    wish = hidden * rng.normal(size=n)
    p_click = _sigmoid(-2.6 + match + 0.8 * appeal[what] + wish)
    p_buy = _sigmoid(-1.8 + 0.8 * match + 0.8 * value[what] - 0.7 * price + wish)
    clicked = rng.random(n) < p_click
    would = rng.random(n) < p_buy
    brand = world.integers(0, 40, products)[what]
    rows = Rows.of(
        numbers=price[:, None].astype(np.float32), number_names=("price",),
        categories=np.stack([who + 1, what + 1, brand + 1], axis=1).astype(np.int32),
        category_names=("customer", "product", "brand"), sizes=(shoppers + 1, products + 1, 41),
    )  # fmt: skip
    labels = np.stack([clicked, clicked & would], axis=1).astype(np.float64)
    return Funnel(
        MultiLabelled(rows, labels, ("click", "purchase")), would.astype(np.float64), p_click, p_buy
    )


class FunnelStudy:
    """Every impression of the test is asked: what is the chance of a purchase, given a click? The truth is what the
    simulated shopper would have done. ``bias``: mean prediction over mean truth, minus 1, over all impressions."""

    name = "funnel"
    about = "p(purchase | click) over all impressions of a simulated shop: AUC, log-loss and bias against the truth"
    reads = ("checkpoint",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`; fewer impressions where the budget is small.

        Raises:
            MissingExtra: without torch.
        """
        names = BOTH if models is None else tuple(component_names(models, "predict"))
        share = min(1.0, budget_s / 240)
        sections, folder = [], RunContext(inputs.checkpoint).trainings
        for question, hidden in WORLDS.items():
            sections.append(_section(question, hidden, names, share, seed, progress, folder))
        first, *others = sections
        sizes = f"{max(LEAST, int(share * TRAIN)):,} simulated impressions to learn from, {max(LEAST, int(share * TEST)):,} to test"
        return {"data": sizes, "about": self.about, **first, "others": others}


def _section(
    question: str, hidden: float, names: Sequence[str], share: float, seed: int, progress: Progress,
    folder: Path | None,
) -> dict[str, Any]:  # fmt: skip
    def draw(part: str, n: int) -> Funnel:
        # The same shop each time, other impressions.
        return simulate(
            max(LEAST, int(share * n)),
            hidden=hidden,
            rng=spawn(seed, "funnel", part),
            world=spawn(seed, "funnel"),
        )

    train, held, test = draw("train", TRAIN), draw("validation", TEST), draw("test", TEST)
    rows, losses = [], {}
    for name in progress.track([RATE, NAIVE, *names], label=f"conversion, {question}"):
        started = time.perf_counter()
        on_held, on_test = _conversions(name, train, held, (held, test), seed, folder)
        losses[name] = _click_loss(held, on_held)
        row = _row(name, test, on_test, seed)
        rows.append({**row, "seconds": round(time.perf_counter() - started, 2), "validation": losses[name]})
    best = min(losses, key=lambda name: losses[name])
    for row in rows:
        row["selected"] = row["model"] == best
    reason = f"{best} has the least log-loss of purchases on the clicks of validation, {losses[best]:.4f}."
    return {"question": question, "reason": reason, "rows": rows}


def _conversions(
    name: str, train: Funnel, held: Funnel, asked: tuple[Funnel, ...], seed: int, folder: Path | None
) -> list[Floats]:
    """p(purchase | click) of each part's impressions."""
    clicks = train.data.labels[:, 0] == 1
    if name == RATE:
        rate = float(train.data.labels[clicks, 1].mean())
        return [np.full(len(part.would), rate) for part in asked]
    rng = spawn(seed, "funnel", name)
    if name == NAIVE:
        held_clicks = held.data.labels[:, 0] == 1
        naive = DeepFm()
        naive.checkpoints = folder
        naive.train(
            Labelled(train.data.rows.part(clicks), train.data.labels[clicks, 1]),
            validation=Labelled(held.data.rows.part(held_clicks), held.data.labels[held_clicks, 1]), rng=rng,
        )  # fmt: skip
        return [naive.scores(part.data.rows) for part in asked]
    model = registry().create(name)
    assert isinstance(model, MultiNetwork)
    model.checkpoints = folder
    model.train(train.data, validation=held.data, rng=rng)
    if isinstance(model, Esmm):
        return [model.conversion(part.data.rows) for part in asked]
    told = [model.scores(part.data.rows) for part in asked]
    return [np.clip(both / np.maximum(click, 1e-9), 0.0, 1.0) for click, both in (t.T for t in told)]


def _click_loss(part: Funnel, predicted: Floats) -> float:
    """All that a shop can see: purchases among clicks."""
    clicks = part.data.labels[:, 0] == 1
    return probability.log_loss(part.data.labels[clicks, 1], predicted[clicks])


def _row(name: str, test: Funnel, predicted: Floats, seed: int) -> dict[str, Any]:
    measured = probability.intervals(test.would, predicted, seed=seed)
    ratio = intervals.ratio(predicted[:, None], test.p_buy[:, None], seed=seed)[0]
    bias = intervals.Interval(ratio.value - 1, ratio.low - 1, ratio.high - 1)
    return {
        "model": name, "simple": name == RATE,
        "metrics": {
            "auc": measured["auc"].as_dict(), "bias": bias.as_dict(), "log_loss": measured["log_loss"].as_dict(),
            "ece": measured["ece"].as_dict(),
        },
    }  # fmt: skip


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))
