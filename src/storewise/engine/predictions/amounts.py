"""Learning an expected amount: BG/NBD with Gamma-Gamma beside two simple rules, scaled, judged on a later window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.engine.predictions.learned import Learned
from storewise.engine.predictions.windows import Window
from storewise.metrics.intervals import mean as mean_interval
from storewise.metrics.intervals import paired_difference
from storewise.predict.base import Labelled, Predictor
from storewise.predict.cases import joined
from storewise.predict.models.amount import AmountCalibration, deviances
from storewise.predict.targets import Target

Floats = npt.NDArray[np.float64]
MEAN, PACE, BG_NBD = "amount.mean.v1", "amount.pace.v1", "predict.bg_nbd.v1"
LEAST_ROWS = 50


def learn_amount(
    target: Target, days: float, windows: Sequence[Window], registry: Registry, *, seed: int
) -> Learned:
    """Chosen by mean Tweedie deviance on the newest window, with models that learned from the one before.

    Raises:
        DataError: when nobody could be asked.
    """
    judged = windows[0]
    if not len(judged.cases):
        raise DataError("nobody had bought before the window began", next_step="Wait for more orders.")
    amounts = judged.data.labels
    rate = mean_interval(amounts[:, None], seed=seed)[0]
    about = {
        "about": target.about, "unit": target.unit, "kind": "amount", "horizon_days": days, "predictable": True,
        "rate": rate.as_dict(),
    }  # fmt: skip
    bounds = (rate.value, rate.low, rate.high)
    if (
        len(windows) < 2
        or len(amounts) < LEAST_ROWS
        or windows[1].data.labels.sum() <= 0
        or amounts.sum() <= 0
    ):
        why = f"the overall mean serves: {len(amounts)} customers in {len(windows)} windows are too few to compare"
        told = {"code": "few_customers", "customers": len(amounts), "windows": len(windows)}
        return Learned(
            target, days, MEAN, bounds, report={**about, "chosen": MEAN, "reason": why, "why": told}
        )
    before = joined([window.data for window in reversed(windows[1:3])])
    scaled: dict[str, Floats] = {}
    for name in (MEAN, PACE, BG_NBD):
        made = _trained(name, days, before, registry, seed)
        scores = made.scores(windows[1].data.rows)
        scaled[name] = (
            made.scores(judged.data.rows)
            * AmountCalibration.learn(scores, windows[1].data.labels, seed=seed).factor
        )
    losses = {name: deviances(amounts, value) for name, value in scaled.items()}
    order = sorted(losses, key=lambda name: float(losses[name].mean()))
    chosen, second = order[0], order[1]
    gap = paired_difference(losses[second], losses[chosen], seed=seed)
    served = _trained(chosen, days, joined([before, judged.data]), registry, seed)
    held = _trained(chosen, days, before, registry, seed).scores(judged.data.rows)
    report: dict[str, Any] = {
        **about, "chosen": chosen, "judged": f"{len(amounts):,} customers, asked once",
        "judged_on": {"customers": len(amounts)},
        "reason": (
            f"{chosen} has the least Tweedie deviance ({losses[chosen].mean():.4g}); that of {second} is "
            f"{gap.value:.3g} [{gap.low:.3g}, {gap.high:.3g}] above it"
        ),
        "why": {
            "code": "least_deviance", "model": chosen, "loss": float(losses[chosen].mean()), "other": second,
            "gap": gap.value, "low": gap.low, "high": gap.high,
        },
        "candidates": [
            {"model": name, "deviance": float(losses[name].mean()), "spearman": spearman(amounts, scaled[name])}
            for name in order
        ],
        "deviance": mean_interval(losses[chosen][:, None], seed=seed)[0].as_dict(),
        "calibration": _bins(amounts, scaled[chosen], seed),
    }  # fmt: skip
    calibration = AmountCalibration.learn(held, amounts, seed=seed)
    return Learned(target, days, chosen, bounds, served, calibration, report)


def _trained(name: str, days: float, data: Labelled, registry: Registry, seed: int) -> Predictor[Any]:
    settings = {"outcome": "value", "horizon_days": days} if name == BG_NBD else {"horizon_days": days}
    made = registry.create(name, {} if name == MEAN else settings)
    assert isinstance(made, Predictor)
    made.train(data, rng=spawn(seed, name))
    return made


def spearman(left: Floats, right: Floats) -> float | None:
    """Rank correlation, None where one side is constant."""
    from scipy.stats import rankdata

    if len(np.unique(left)) < 2 or len(np.unique(right)) < 2:
        return None
    return float(np.corrcoef(rankdata(left), rankdata(right))[0, 1])


def _bins(amounts: Floats, expected: Floats, seed: int) -> list[dict[str, float]]:
    parts = np.array_split(np.argsort(expected, kind="stable"), 10)
    found = []
    for part in parts:
        if len(part):
            told = mean_interval(amounts[part][:, None], seed=seed)[0]
            found.append({
                "mean": float(expected[part].mean()), "rate": told.value, "n": len(part), "low": told.low,
                "high": told.high,
            })  # fmt: skip
    return found
