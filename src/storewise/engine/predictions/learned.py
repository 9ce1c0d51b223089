"""What is learned of one target, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from storewise.core.artifact import Artifact
from storewise.core.errors import ArtifactError
from storewise.core.registry import Registry
from storewise.predict.base import Prediction, Predictor, Rows
from storewise.predict.calibrated import Calibrated, Calibration
from storewise.predict.features import ShopFacts
from storewise.predict.models.amount import AmountCalibration
from storewise.predict.targets import TARGETS, Target

RATE = "predict.rate.v1"
ROLE = "predict"
SEPARATOR = "__"


@dataclass(frozen=True)
class Learned:
    """``predictor`` None: the overall ``rate`` (value, low, high) serves everybody. ``days``: of the outcome;
    ``report``: what the manifest says of it."""

    target: Target
    days: float
    component: str
    rate: tuple[float, float, float]
    predictor: Predictor[Any] | None = None
    calibration: Calibration | AmountCalibration | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, rows: Rows) -> Prediction:
        """Calibrated values with intervals, (n,)."""
        if self.predictor is None or self.calibration is None:
            value, low, high = (np.full(len(rows), bound) for bound in self.rate)
            return Prediction(value, low, high)
        if isinstance(self.calibration, AmountCalibration):
            return self.calibration(self.predictor.scores(rows))
        return Calibrated(self.predictor, self.calibration)(rows)


@dataclass(frozen=True)
class Predictions:
    """All that is learned of a shop, with the facts that features need. ``missing``: target → why it cannot be
    predicted."""

    learned: Mapping[str, Learned]
    missing: Mapping[str, str]
    facts: ShopFacts

    def artifact(self, about: Mapping[str, Any]) -> Artifact:
        """As plain arrays with their configs."""
        arrays = {f"facts{SEPARATOR}{name}": part for name, part in self.facts.state().items()}
        targets: dict[str, Any] = {}
        for name, found in self.learned.items():
            entry: dict[str, Any] = {"days": found.days, "component": found.component, "rate": found.rate}
            if found.predictor is not None and found.calibration is not None:
                entry["config"] = found.predictor.config.model_dump(mode="json")
                entry["amount"] = found.target.amount
                parts = {"model": found.predictor.state(), "calibration": found.calibration.state()}
                arrays |= {
                    SEPARATOR.join((name, kind, key)): np.asarray(part)
                    for kind, state in parts.items()
                    for key, part in state.items()
                }
            targets[name] = entry
        return Artifact(ROLE, {**about, "targets": targets, "missing": dict(self.missing)}, arrays)

    @classmethod
    def of(cls, found: Artifact, registry: Registry) -> Predictions:
        """From what ``artifact`` made.

        Raises:
            ArtifactError: when a part does not fit.
        """
        learned = {}
        try:
            entries = found.facts["targets"]
            for name in (known for known in TARGETS if known in entries):
                learned[name] = _restored(name, entries[name], found, registry)
            facts = ShopFacts.restore(_part(found, "facts"))
        except KeyError as error:
            raise ArtifactError(
                f"The predictions lack the part {error}.", next_step="Train and publish again."
            ) from error
        return cls(learned, found.facts["missing"], facts)


def _restored(name: str, entry: Mapping[str, Any], found: Artifact, registry: Registry) -> Learned:
    value, low, high = (float("nan") if bound is None else float(bound) for bound in entry["rate"])
    base = Learned(TARGETS[name], float(entry["days"]), str(entry["component"]), (value, low, high))
    if "config" not in entry:
        return base
    predictor = registry.create(base.component, entry["config"])
    if not isinstance(predictor, Predictor):
        raise ArtifactError(f"{base.component} is no predictor.", next_step="Train again.")
    predictor.restore(_part(found, name, "model"))
    kind = AmountCalibration if entry["amount"] else Calibration
    calibration = kind.restore(_part(found, name, "calibration"))
    return Learned(base.target, base.days, base.component, base.rate, predictor, calibration)


def _part(found: Artifact, *names: str) -> dict[str, Any]:
    prefix = SEPARATOR.join((*names, ""))
    return {key.removeprefix(prefix): part for key, part in found.arrays.items() if key.startswith(prefix)}
