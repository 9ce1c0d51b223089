"""What a tracked training run is told of at its end: figures, and the curves that the page draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storewise.core.tracking import Journal, open_runs

CURVES = {"calibration": ("mean", "rate"), "lift": ("share", "gain")}
"""Of one predictor: name → the x and the y of its points."""


def open_journal(folder: Path, names: Sequence[str], config: Mapping[str, Any]) -> Journal:
    """A run of its own under ``folder``, named by the moment it began.

    Raises:
        ConfigError: for an unknown tracker.
        MissingExtra: when its library is not installed (extra ``track``).
    """
    began = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"
    return Journal(tuple(open_runs(folder / began, names, config=config)))


def tell(journal: Journal, report: Mapping[str, Any]) -> None:
    """The figures of the chosen rows and of every predictor, the Pareto plot, calibration and lift.

    ``report``: the facts that a training run writes into its snapshot.
    """
    evaluation = report["evaluation"]
    ranked = evaluation["ranking"]["row"]
    for row in [*evaluation["rows"], *([ranked] if ranked is not None else [])]:
        journal.under(row["role"]).under(row["model"]).log(1, _values(row["metrics"]))
    _pareto(journal, evaluation["pareto"], evaluation["k"])
    for name, found in report.get("predictions", {}).items():
        part = journal.under(name)
        part.log(1, _values(found))
        for curve, (x, y) in CURVES.items():
            _curve(part, curve, [(point[x], point[y]) for point in found.get(curve, [])])


def _pareto(journal: Journal, rows: Sequence[Mapping[str, Any]], k: int) -> None:
    """What lists are worth beside how well they are ranked, one point a setting of the dial."""
    name = f"ndcg@{k}"
    points = [
        (row["metrics"][name]["value"], row["metrics"]["margin_minor"]["value"])
        for row in rows
        if name in row["metrics"]
    ]
    _curve(journal, f"margin by {name}", sorted(p for p in points if None not in p))


def _curve(journal: Journal, name: str, points: Iterable[tuple[float, float]]) -> None:
    kept = list(points)
    journal.curve(name, [x for x, _ in kept], [y for _, y in kept])


def _values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics with their intervals as plain numbers: ``ndcg@12``, ``ndcg@12 low``, ``ndcg@12 high``."""
    found: dict[str, float] = {}
    for name, told in metrics.items():
        if isinstance(told, Mapping) and "value" in told:
            parts = {name: told["value"], f"{name} low": told.get("low"), f"{name} high": told.get("high")}
            found |= {key: float(v) for key, v in parts.items() if v is not None and math.isfinite(v)}
    return found
