"""``uplift``: who acts because of the message, on any campaign's table with a control."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.data.sources.campaign import CampaignTable, read_campaign
from storewise.engine import uplift
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.registry import component_names, registry
from storewise.metrics.effect import arm_effects
from storewise.metrics.intervals import Interval
from storewise.metrics.uplift import FIGURES, as_intervals, by_share, curve
from storewise.predict.base import Values
from storewise.predict.uplift.base import Campaign

TEST_SHARE = 0.4  # effects are small: a smaller test could not tell an order from chance
RESPONSE = "uplift.response.v1"


class Uplift:
    """Qini of each arm against the control, averaged over the arms, on people nobody has learned from.

    Cross-fitting on 60 % of the people chooses; every model is trained again on all of them and the test is asked
    once. Random order has a Qini figure of 0, so that the figure is the difference to it.
    """

    name = "uplift"
    about = (
        "area between the Qini curve and random order, in outcomes a treated person, averaged over the arms"
    )
    reads = ("data", "treatment", "outcome", "control", "exclude")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`.

        Raises:
            ConfigError: without --data, --treatment or --outcome, and for columns that do not exist.
            DataError: for a file that cannot be read, or arms too small to learn from.
            UnknownName: for a model that does not exist.
        """
        exclude = [name.strip() for name in (inputs.exclude or "").split(",") if name.strip()]
        table = read_campaign(
            inputs.path("data"), inputs.column("treatment"), inputs.column("outcome"),
            control=inputs.control, exclude=exclude,
        )  # fmt: skip
        names = registry().names("uplift") if models is None else component_names(models, "uplift")
        if wrong := [name for name in names if not name.startswith("uplift.")]:
            raise ConfigError(f"{wrong[0]} is no uplift model.", next_step="See: storewise models uplift.")
        names = list(dict.fromkeys([*names, RESPONSE]))
        table = uplift.limited(table, seed)
        fields = uplift.fields_of(table, seed)
        data, gap, note = uplift.campaign_of(table, fields)
        data.check()
        learn, test = (
            data.part(part) for part in uplift.stratified(data, [1 - TEST_SHARE, TEST_SHARE], seed)
        )
        choices = uplift.choose(learn, names, budget_s=budget_s, seed=seed, progress=progress)
        reason = _reason(choices, [*table.notes, *fields.notes], gap, note)
        effects: dict[str, Values] = {}
        for choice in progress.track(choices, label="uplift: training again"):
            started = time.perf_counter()
            effects[choice.name] = choice.train(learn, seed).effects(test.rows)
            choice.seconds += time.perf_counter() - started
        found = uplift.joint_areas(effects, test, seed=seed)
        rows = _rows(choices, found)
        others = [_arms(table, data, choices[0].name)]
        others += [
            _one_arm(arm, table.arm_names[arm], choices, found, effects[choices[0].name], test, reason, seed)
            for arm in range(1, test.n_arms)
        ]
        return {
            "data": _described(table, len(learn), len(test)),
            "about": self.about,
            "question": "which message for whom" if test.n_arms > 2 else "whom to message",
            "reason": reason,
            "rows": rows,
            "others": others,
        }


def _rows(
    choices: Sequence[uplift.Candidate], found: Mapping[str, tuple[Values, Values]]
) -> list[dict[str, Any]]:
    """One row a model, with its difference to messaging the likeliest buyers, the same people resampled."""
    means = {name: (point.mean(axis=0), drawn.mean(axis=0)) for name, (point, drawn) in found.items()}
    simple_point, simple_drawn = means[RESPONSE]
    rows = []
    for choice in choices:
        point, drawn = means[choice.name]
        metrics = as_intervals(point, drawn)
        low, high = np.quantile(drawn[0] - simple_drawn[0], [0.025, 0.975])
        metrics["qini_above_response"] = Interval(float(point[0] - simple_point[0]), float(low), float(high))
        rows.append(_row(choice, choices[0].name, metrics))
    return _sorted(rows)


def _one_arm(
    arm: int, arm_name: str, choices: Sequence[uplift.Candidate], found: Mapping[str, tuple[Values, Values]],
    chosen: Values, test: Campaign, reason: str, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """One arm against the control: figures, and the chosen model's curve and effect by tenth."""
    kept, trial = uplift.trial_of(test, arm)
    rows = []
    for choice in choices:
        point, drawn = found[choice.name]
        row = _row(choice, choices[0].name, as_intervals(point[arm - 1], drawn[arm - 1]))
        if row["selected"]:
            scores = chosen[kept, arm - 1]
            row |= {"curve": curve(scores, trial, seed=seed), "tenths": by_share(scores, trial)}
        rows.append(row)
    return {"question": f"{arm_name} against the control", "reason": reason, "rows": _sorted(rows)}


def _arms(table: CampaignTable, data: Campaign, selected: str) -> dict[str, Any]:
    """What the messages do on average, over everybody in the file."""
    effects = arm_effects(data.outcomes, data.arms, data.n_arms, weights=data.weights())
    best = max(range(1, data.n_arms), key=lambda arm: effects[arm].difference.value)
    rows = []
    for arm, effect in enumerate(effects):
        metrics = {"outcome": effect.mean.as_dict()}
        if arm:
            metrics["difference"] = effect.difference.as_dict()
        rows.append(
            {"model": table.arm_names[arm], "selected": arm == best, "simple": arm == 0, "seconds": 0.0,
             "metrics": metrics, "people": effect.n, "p": None if not arm else effect.p}
        )  # fmt: skip
    reason = f"means of {len(data):,} people and differences to {table.arm_names[0]}, normal intervals"
    return {"question": "arms", "reason": reason, "rows": rows}


def _row(choice: uplift.Candidate, selected: str, metrics: dict[str, Interval]) -> dict[str, Any]:
    return {
        "model": choice.name,
        "selected": choice.name == selected,
        "simple": choice.name in uplift.SIMPLE,
        "seconds": round(choice.seconds, 2),
        "metrics": {name: interval.as_dict() for name, interval in metrics.items()},
        "config": choice.config,
        "validation": choice.validation,
        "trials": choice.trials,
    }


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (not row["selected"], -row["metrics"][FIGURES[0]]["value"]))


def _reason(choices: Sequence[uplift.Candidate], notes: Sequence[str], gap: float, note: str | None) -> str:
    best = choices[0]
    told = [f"{best.name} has the highest cross-fitted Qini of {len(choices)} models ({best.validation:.4f})"]
    told += [note or f"arms were alike before (largest standardised difference {gap:.3f})", *notes]
    return "; ".join(told) + "."


def _described(table: CampaignTable, n_learn: int, n_test: int) -> str:
    arms = ", ".join(
        f"{name} {n:,}" for name, n in zip(table.arm_names, np.bincount(table.arms).tolist(), strict=True)
    )
    return f"{n_learn:,} people to learn from, {n_test:,} to test; {arms}; {table.features.width} features"
