"""Metrics by variant with always-valid intervals, and what may be concluded, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from storewise.data.stores import Store
from storewise.engine.experiment.config import METRICS, Experiment, Metric
from storewise.engine.experiment.log import Log, Shoppers, by_variant, outcomes, read_log
from storewise.engine.experiment.verdict import verdict
from storewise.explore.experiment.arm import Arm, cuped, of_ratio, of_values
from storewise.explore.experiment.checks import guard, sample_ratio
from storewise.explore.experiment.fixed import Comparison
from storewise.explore.experiment.sequential import ALPHA, always_valid, mixture, multiplier, people_needed
from storewise.explore.experiment.sizing import sample_for_proportions

Z_POWER = 0.8416  # of 80 %
MOST_LOOKS = 60  # points of a series


def results(store: Store, experiment: Experiment, *, now: datetime) -> dict[str, Any]:
    """All that is known of an experiment by ``now``: see ``GET /v1/experiments`` in docs/api.md."""
    log = read_log(store, experiment, until=now)
    table, times = outcomes(log, experiment), look_times(log, now)
    looks = [by_variant(table, experiment.order, at) for at in times]
    seen = dict(log.shoppers["variant"].value_counts().iter_rows())
    counts = {name: int(seen.get(name, 0)) for name in experiment.order}
    counted = {name: len(looks[-1][name].lists) for name in experiment.order}
    split = sample_ratio(counts, experiment.shares)
    metrics = [_metric(metric, experiment, looks, times) for metric in METRICS]
    primary = next(m for m in metrics if m["metric"] == experiment.primary)
    guarded = {m["metric"]: m["differences"] for m in metrics if m["metric"] in experiment.guard}
    return {
        "name": experiment.name,
        "primary": experiment.primary,
        "planned": experiment.planned,
        "alpha": experiment.alpha,
        "started_at": log.shoppers["first_at"].min(),
        "at": now,
        "control": experiment.control,
        "variants": [
            {"name": name, "share": experiment.shares[name], "shoppers": counts[name],
             "counted": counted[name], "change": experiment.variants[name].change}
            for name in experiment.order
        ],
        "mixed": log.mixed,
        "split": {"p": split.p, "broken": split.broken},
        "metrics": metrics,
        "verdicts": {
            name: verdict(name, primary["differences"][name], guarded, split, sum(counted.values()))
            for name in experiment.order[1:]
        },
    }  # fmt: skip


def planned_size(baseline: float, change: float) -> dict[str, int]:
    """Shoppers in each of two variants that show a relative ``change`` of a conversion of ``baseline`` with 80 %
    power: for one look at the end, and for a test that may be looked at all the time.

    Raises:
        ConfigError: for values outside their range.

    >>> planned_size(0.1, 0.2)["one look at the end"]
    3841
    """
    goal = baseline * (1 + change)
    once = sample_for_proportions(baseline, goal)
    two = [Arm(once, p, p * (1 - p) / once) for p in (baseline, goal)]
    # 80 % of the time the estimate is above the effect less 0.84 standard errors: add those to the width
    n, planned = 2 * once, 2 * once
    while n < 100 * once:
        error = math.sqrt((two[0].variance + two[1].variance) * 2 * once / n)
        if abs(goal - baseline) > error * (multiplier(n * mixture(planned), ALPHA) + Z_POWER):
            break
        n = math.ceil(n * 1.02)
    return {"one look at the end": once, "looking all the time": math.ceil(n / 2)}


def look_times(log: Log, now: datetime) -> list[datetime]:
    """Every midnight since the first shopper, thinned to ``MOST_LOOKS``, and now."""
    first = log.shoppers["first_at"].min()
    if not isinstance(first, datetime) or first >= now:
        return [now]
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    days = [midnight + timedelta(days=i) for i in range(max((now - midnight).days + 1, 0))]
    days = [day for day in days if day < now]
    kept: list[int] = (
        []
        if not days
        else np.unique(np.linspace(0, len(days) - 1, MOST_LOOKS - 1).round().astype(int)).tolist()
    )
    return [*(days[i] for i in kept), now]


def arms(metric: Metric, shoppers: Mapping[str, Shoppers]) -> tuple[dict[str, Arm], float]:
    """The metric of each variant, and for revenue ρ of CUPED (0 otherwise)."""
    if metric == "click_through":
        return {name: of_ratio(one.clicked, one.lists) for name, one in shoppers.items()}, 0.0
    if metric == "conversion":
        return {name: of_values(one.bought) for name, one in shoppers.items()}, 0.0
    adjusted, _, rho = cuped(
        [one.revenue for one in shoppers.values()], [one.before for one in shoppers.values()]
    )
    return dict(zip(shoppers, adjusted, strict=True)), rho


def _metric(
    metric: Metric, experiment: Experiment, looks: list[dict[str, Shoppers]], times: list[datetime]
) -> dict[str, Any]:
    """Figures of now, and the series of all looks. The p of now is the smallest that any look has shown."""
    treated = experiment.order[1:]
    alpha = experiment.alpha / len(treated)  # Bonferroni over the variants
    least = dict.fromkeys(treated, 1.0)
    series: list[dict[str, Any]] = []
    found: dict[str, Arm] = {}
    compared: dict[str, Comparison] = {}
    rho = 0.0
    for at, shoppers in zip(times, looks, strict=True):
        found, rho = arms(metric, shoppers)
        compared = {
            name: always_valid(
                found[experiment.control], found[name], alpha=alpha, planned=experiment.planned
            )
            for name in treated
        }
        for name, one in compared.items():
            least[name] = min(least[name], one.p)
        series.append(
            {"at": at, "variants": {name: {"shoppers": arm.n, "value": _plain(arm.mean)} for name, arm in found.items()},
             "differences": {name: _bounds(one) for name, one in compared.items()}}
        )  # fmt: skip
    control = found[experiment.control]
    return {
        "metric": metric,
        "unit": "minor" if metric == "revenue" else "share",
        "cuped_rho": rho if metric == "revenue" else None,
        "variants": {name: {"shoppers": arm.n, **_own(arm)} for name, arm in found.items()},
        "differences": {
            name: _difference(
                metric, experiment, control, found[name], compared[name], least[name] * len(treated)
            )
            for name in treated
        },
        "series": series,
    }


def _difference(
    metric: Metric, experiment: Experiment, control: Arm, treated: Arm, one: Comparison, p: float
) -> dict[str, Any]:
    """The difference to the control; ``needed``: shoppers in all at which it would be clear."""
    base = abs(control.mean)
    effect = max(abs(one.difference), experiment.minimum_effect * base) if control.n and treated.n else 0.0
    alpha = experiment.alpha / (len(experiment.variants) - 1)
    pair = people_needed(control, treated, effect, alpha=alpha, planned=experiment.planned)
    share = sum(experiment.shares[name] for name in experiment.order) / max(
        experiment.shares[experiment.control] + min(experiment.shares[n] for n in experiment.order[1:]), 1e-9
    )
    allowed = experiment.guard.get(metric)
    return {
        **_bounds(one),
        "relative": _plain(one.difference / base) if base > 0 else None,
        "p": min(p, 1.0),
        "clear": p <= experiment.alpha,
        "needed": None if pair is None else math.ceil(pair * share),
        "guard": None if allowed is None or metric == experiment.primary else guard(one, allowed * base),
        "allowed": None if allowed is None else _plain(-allowed * base),
    }


def _own(arm: Arm) -> dict[str, float | None]:
    half = 1.96 * math.sqrt(arm.variance) if arm.variance >= 0 else math.nan
    return {"value": _plain(arm.mean), "low": _plain(arm.mean - half), "high": _plain(arm.mean + half)}


def _bounds(one: Comparison) -> dict[str, float | None]:
    return {"value": _plain(one.difference), "low": _plain(one.low), "high": _plain(one.high)}


def _plain(value: float) -> float | None:
    """None where JSON has no number."""
    return float(value) if math.isfinite(value) else None
