"""Whom to message: the chosen uplift model, a score for everybody, and what the plan is worth by the campaign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress, Silent
from storewise.data.sources.campaign import read_campaign, typed
from storewise.data.sources.raw import read_raw
from storewise.engine import uplift
from storewise.engine.registry import component_names, registry
from storewise.metrics.intervals import Interval, draws
from storewise.metrics.uplift import curve, figures
from storewise.predict.base import Values
from storewise.predict.uplift.base import Campaign


def plan(
    data: Path,
    treatment: str,
    outcome: str,
    *,
    people: Path | None = None,
    control: str | None = None,
    exclude: Sequence[str] = (),
    cost: float = 0.0,
    value: float = 1.0,
    models: Sequence[str] | None = None,
    minutes: float = 5.0,
    seed: int = 42,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Learn from a campaign and score ``people`` (default: its own, each by a model that has not seen the person).

    ``cost`` of one message and ``value`` of one unit of the outcome, in one currency: a person gets the arm with
    the highest ``value · effect − cost``, or none where that is not above 0.

    Returns the people with ``effect_<arm>``, ``message`` (the arm or null) and ``profit``; and a report with the
    model, why, figures by arm with their curve, and ``worth``: the profit a person of this plan, of messaging
    everybody with each arm, measured on the campaign by cross-fitting with intervals.

    Raises:
        ConfigError: for columns that do not exist, a cost below 0 or a value not above 0.
        DataError: for files that cannot be read.
    """
    if not cost >= 0 or not value > 0 or not np.isfinite(cost + value):
        raise ConfigError(
            f"The cost is {cost} and the value {value}.",
            next_step="Give a cost of 0 or more for a message and a value above 0 for the outcome.",
        )
    watching = progress or Silent()
    table = read_campaign(data, treatment, outcome, control=control, exclude=exclude)
    fields = uplift.fields_of(table, seed)
    trial, gap, note = uplift.campaign_of(table, fields)
    trial.check()
    names = registry().names("uplift") if models is None else component_names(models, "uplift")
    chosen = uplift.choose(trial, names, budget_s=36 * minutes, seed=seed, progress=watching)[0]
    own = uplift.cross_fitted(chosen, trial, uplift.stratified(trial, [1.0] * uplift.FOLDS, seed), seed)
    if people is None:
        asked, effects = table.features, own
    else:
        asked = typed(read_raw(people).drop("line"))
        effects = chosen.train(trial, seed).effects(fields(asked))
    arms = table.arm_names[1:]
    best, profit = decide(effects, cost=cost, value=value)
    scored = asked.with_columns(
        *(pl.Series(f"effect_{arm}", effects[:, i]) for i, arm in enumerate(arms)),
        pl.Series(
            "message", [None if b == 0 else table.arm_names[b] for b in best.tolist()], dtype=pl.String
        ),
        pl.Series("profit", profit),
    )
    report = {
        "model": chosen.name,
        "config": chosen.config,
        "reason": "; ".join(
            [note or f"largest standardised difference between arms {gap:.3f}", *table.notes, *fields.notes]
        ),
        "people": len(effects),
        "messages": {arm: int((best == i).sum()) for i, arm in enumerate(arms, 1)},
        "expected_profit": float(profit.sum()),
        "worth": worth(own, trial, table.arm_names, cost=cost, value=value, seed=seed),
        "arms": [_arm(own, trial, i, arm, seed) for i, arm in enumerate(arms, 1)],
    }
    return scored, report


def decide(effects: Values, *, cost: float, value: float) -> tuple[npt.NDArray[np.int64], Values]:
    """(n,) the arm to send (0: none) and the profit that is expected of it (0 for none).

    >>> arms, profit = decide(np.array([[0.1, 0.3], [0.0, 0.01]]), cost=1.0, value=10.0)
    >>> arms.tolist(), profit.tolist()
    ([2, 0], [2.0, 0.0])
    """
    gains = value * effects - cost
    best = gains.argmax(axis=1)
    most = gains[np.arange(len(gains)), best]
    return np.where(most > 0, best + 1, 0), np.where(most > 0, most, 0.0)


def worth(
    effects: Values, data: Campaign, names: Sequence[str], *, cost: float, value: float, seed: int
) -> dict[str, dict[str, float]]:
    """Profit a person, above messaging nobody, of the plan and of one arm for all: within the people to whom a
    rule sends an arm, the mean profit of those who happened to get it less that of the control, weighted by
    1 / propensity, times their share. People are resampled for the interval, and alike for the plan and the best of the others, whose
    difference comes last."""
    weights = 1 / data.shares()[np.arange(len(data)), data.arms]
    planned, _ = decide(effects, cost=cost, value=value)
    rules = {"plan": planned} | {
        f"everybody {names[a]}": np.full(len(data), a) for a in range(1, data.n_arms)
    }
    profit = value * data.outcomes - cost * (data.arms > 0)
    found: dict[str, dict[str, float]] = {}
    sampled: dict[str, Values] = {}
    for name, rule in rules.items():
        columns = []
        for arm in range(1, data.n_arms):
            group = rule == arm
            ours, theirs = weights * (group & (data.arms == arm)), weights * (group & (data.arms == 0))
            columns += [ours * profit, ours, theirs * profit, theirs, group.astype(np.float64)]
        sums = np.stack(columns, axis=1)
        drawn = np.concatenate([_gain(c @ sums) / len(data) for c in draws(len(data), seed, 1000)])
        low, high = np.quantile(drawn, [0.025, 0.975])
        point = float(_gain(sums.sum(axis=0)[None])[0]) / len(data)
        found[name], sampled[name] = Interval(point, float(low), float(high)).as_dict(), drawn
    rival = max(list(rules)[1:], key=lambda name: found[name]["value"])
    low, high = np.quantile(sampled["plan"] - sampled[rival], [0.025, 0.975])
    gain = found["plan"]["value"] - found[rival]["value"]
    found[f"plan above {rival}"] = Interval(gain, float(low), float(high)).as_dict()
    return found


def _gain(sums: Values) -> Values:
    """(b,) of (b, 5 · arms): for each arm the two means' difference times how many get it; 0 where one is empty."""
    ours, n_ours, theirs, n_theirs, people = np.moveaxis(sums.reshape(len(sums), -1, 5), 2, 0)
    gap = ours / np.maximum(n_ours, 1e-300) - theirs / np.maximum(n_theirs, 1e-300)
    return np.asarray(np.where((n_ours > 0) & (n_theirs > 0), gap * people, 0.0).sum(axis=1))


def _arm(effects: Values, data: Campaign, arm: int, name: str, seed: int) -> dict[str, Any]:
    kept, trial = uplift.trial_of(data, arm)
    scores = effects[kept, arm - 1]
    metrics = {key: one.as_dict() for key, one in figures(scores, trial, seed=seed).items()}
    return {"arm": name, "metrics": metrics, "curve": curve(scores, trial, seed=seed)}
