"""Evaluate a shop's recommenders on its own past: choose before, judge on the last weeks, keep the report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storewise.core.progress import Progress, Silent
from storewise.engine import provenance
from storewise.engine.benchmark import ranking_body, tuning_budget_s, write
from storewise.engine.history import read_history
from storewise.engine.protocols.shop import ShopByTime
from storewise.engine.registry import component_names

FOLDER = "evaluations"


def evaluate(
    shop: Path,
    *,
    k: int = 10,
    test_days: float = 28.0,
    validation_days: float = 28.0,
    models: Sequence[str] | None = None,
    minutes: float = 5.0,
    seed: int = 42,
    command: str = "",
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Write one report for each question (with and without repeats) into ``shop/evaluations`` and return them.

    A report has the shape of :mod:`storewise.engine.benchmark`; a later evaluation replaces an earlier one.

    Raises:
        StateError: when there is no shop in the folder.
        DataError: when its history is shorter than the windows, or nobody bought in them.
    """
    started = time.perf_counter()
    budget_s = tuning_budget_s(minutes)
    names = None if models is None else component_names(models, "retrieve")
    protocol = ShopByTime("shop", k=k, test_days=test_days, validation_days=validation_days)
    questions = protocol.questions_of(read_history(shop))
    body = ranking_body(
        protocol, questions, models=names, budget_s=budget_s, seed=seed, progress=progress or Silent()
    )
    facts = {
        "protocol": protocol.name,
        "command": command,
        "version": provenance.version(),
        "machine": provenance.machine(),
        "seed": seed,
        "minutes": minutes,
        "seconds": round(time.perf_counter() - started, 1),
        "about": f"last {test_days:g} days test, {validation_days:g} before validation; k = {k}",
    }
    reports = []
    for section in ({key: body[key] for key in ("question", "reason", "rows")}, *body["others"]):
        report = {**facts, "data": f"{body['data']}; {section['question']}", **section}
        write(report, shop / FOLDER / f"{section['question'].replace(' ', '-')}.json")
        reports.append(report)
    return reports
