"""``prediction-ablation``: every network beside simple models on one table or shop, and one setting changed at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.config import parse
from storewise.core.errors import ConfigError
from storewise.core.progress import Progress, step
from storewise.core.rng import spawn
from storewise.core.run_context import RunContext
from storewise.data.labelled_table import with_label
from storewise.data.table_file import read_table
from storewise.engine.history import read_history
from storewise.engine.protocols import table
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.prediction_variants import (
    NETWORKS,
    PLAIN,
    SIMPLE,
    Section,
    Variant,
    ablations,
    models,
)  # fmt: skip
from storewise.engine.registry import component_names, registry
from storewise.metrics import intervals, probability
from storewise.predict.base import Labelled, Predictor
from storewise.predict.moments import MomentsConfig, moments

VALIDATION, TEST = 0.25, 0.2  # the latest of the training rows, and of all
LEAST_MOMENTS, MOST_MOMENTS, MOMENTS_A_SECOND = 5_000, 60_000, 50  # of the budget: some twenty trainings
MOST_ROWS = 100_000  # to learn from; of more, the latest
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """Rows to learn from, to stop and choose by, and to test; ``groups`` (n_test,) hang together."""

    train: Labelled
    validation: Labelled
    test: Labelled
    groups: npt.NDArray[np.int64] | None
    question: str
    notes: tuple[str, ...] = ()


@dataclass
class _Asked:
    """Every variant once: a setting that stands in two sections is trained once; networks leave checkpoints in
    ``folder``."""

    parts: Parts
    seed: int
    until: float
    folder: Path | None = None
    found: dict[str, tuple[float, Floats, float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def ask(self, variant: Variant, *, always: bool = False) -> tuple[float, Floats, float] | None:
        """Validation log-loss, (n_test,) probabilities, seconds; None when no time is left."""
        key = f"{variant.component} {sorted(variant.config.items())}"
        if key not in self.found:
            if not always and time.perf_counter() > self.until:
                self.left_out.append(variant.label)
                return None
            started = time.perf_counter()
            kind = registry().get(variant.component)
            model = kind(parse(kind.Config, variant.config, where=variant.component))
            assert isinstance(model, Predictor)
            model.checkpoints = self.folder
            rng = spawn(self.seed, "prediction-ablation", variant.component)
            model.train(self.parts.train, validation=self.parts.validation, rng=rng)
            held = self.parts.validation
            loss = probability.log_loss(held.labels, model.scores(held.rows))
            tested = model.scores(self.parts.test.rows)
            self.found[key] = (loss, tested, time.perf_counter() - started)
        return self.found[key]


class PredictionAblation:
    """One training a row: learned from the earlier rows, stopped and chosen by the latest quarter of them, tested on
    the last fifth. Probabilities are as the models say them, before calibration. Without ``--label`` the data is a
    shop or MovieLens: rows are its moments, with the shopper's history."""

    name = "prediction-ablation"
    about = "networks beside simple models: what L2, dropout, early stopping, augmentation, weights and hashing do"
    reads = ("data", "label", "time", "group", "text", "checkpoint")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`; ``models``: the networks to try.

        Raises:
            ConfigError: for --time without --label, or models without a network.
            DataError: for data that cannot be used.
            MissingExtra: without torch.
        """
        until = time.perf_counter() + budget_s
        networks = NETWORKS if models is None else tuple(component_names(models, "predict"))
        wanted = tuple(name for name in networks if name in NETWORKS)
        if not wanted:
            raise ConfigError("No network is named.", next_step=f"Choose among {', '.join(NETWORKS)}.")
        with step(progress, "rows"):
            parts = parts_of(inputs, seed=seed, budget_s=budget_s)
        asked = _Asked(parts, seed, until, RunContext(inputs.checkpoint).trainings)
        first = _section(models_section(wanted), asked, seed, progress, always=True)
        best = min(
            (row for row in first["rows"] if row["model"] in wanted), key=lambda row: row["validation"]
        )
        others = [
            _section(section, asked, seed, progress) for section in ablations(best["model"], parts.train.rows)
        ]
        notes = [*parts.notes]
        if asked.left_out:
            notes.append(f"left out, no time: {', '.join(asked.left_out)}")
        return {
            "data": _described(parts), "about": self.about, "notes": notes, **first, "question": parts.question,
            "others": [other for other in others if len(other["rows"]) > 1],
        }  # fmt: skip


def models_section(networks: tuple[str, ...]) -> Section:
    """Simple models first."""
    return models((*PLAIN, *networks))


def parts_of(inputs: Inputs, *, seed: int, budget_s: float) -> Parts:
    """Of a table with a label, or of a shop's moments: fewer of them where the budget is small.

    Raises:
        ConfigError: for options of a table without --label.
        DataError: for data that cannot be used.
    """
    if inputs.label is not None:
        return _of_table(inputs, seed)
    if given := [name for name in ("time", "group", "text") if getattr(inputs, name) is not None]:
        raise ConfigError(
            f"--{given[0]} needs --label.", next_step="Name the label, or leave it out for a shop."
        )
    whole = read_history(inputs.data).whole
    codes = None
    if "category" in whole.products.columns:
        codes = whole.products["category"].rank("dense").fill_null(0).to_numpy().astype(np.int32)
        codes = codes if codes.max(initial=0) > 1 else None
    most = int(min(max(LEAST_MOMENTS, MOMENTS_A_SECOND * budget_s), MOST_MOMENTS))
    found = moments(
        whole.interactions,
        MomentsConfig(most=most),
        rng=spawn(seed, "moments"),
        ratings=whole.values,
        categories=codes,
    )
    n = len(found.at)
    test = int(np.searchsorted(found.at, found.at[int(n * (1 - TEST))]))  # a moment is never parted
    validation = int(np.searchsorted(found.at, found.at[int(test * (1 - VALIDATION))]))
    a, b, c = (
        _rows(found.labelled, np.arange(*span)) for span in ((0, validation), (validation, test), (test, n))
    )
    rated = whole.values is not None and bool(np.isfinite(whole.values).any())
    question = (
        "a rating of 4 or more" if rated else "what is taken next, among products drawn by sales until then"
    )
    return Parts(a, b, c, found.customers[test:], f"{question}, parted by time")


def _of_table(inputs: Inputs, seed: int) -> Parts:
    path = inputs.path("data")
    read = with_label(read_table(path, known=[str(inputs.label)]), str(inputs.label), where=path.name)
    task = table.prepare(read, inputs, seed=seed)
    places = task.split.train[-MOST_ROWS:]
    fields, labelled = task.learned(places, seed)
    cut = int(len(places) * (1 - VALIDATION))
    train, validation = _rows(labelled, np.arange(cut)), _rows(labelled, np.arange(cut, len(places)))
    test = Labelled(fields(task.frame[task.split.later]), task.labels[task.split.later])
    groups = None if task.groups is None else task.groups[task.split.later]
    question = f"{inputs.label} = {read.event}, parted by {task.split.by}"
    return Parts(train, validation, test, groups, question, (*task.notes, *fields.notes))


def _section(
    section: Section, asked: _Asked, seed: int, progress: Progress, *, always: bool = False
) -> dict[str, Any]:
    parts = asked.parts
    reference = next(v for v in section.variants if v.label == section.reference)
    base = asked.ask(reference, always=True)
    assert base is not None
    rows: list[dict[str, Any]] = []
    for variant in progress.track(section.variants, label=section.question):
        made = asked.ask(variant, always=always)
        if made is None:
            continue
        loss, tested, seconds = made
        measured = probability.intervals(parts.test.labels, tested, seed=seed, groups=parts.groups)
        rows.append({
            "model": variant.label, "simple": variant.component == SIMPLE, "seconds": round(seconds, 2),
            "validation": loss, "config": dict(variant.config),
            "metrics": {
                **{name: interval.as_dict() for name, interval in measured.items()},
                "log_loss gained": _gained(parts, base[1], tested, seed).as_dict(),
            },
        })  # fmt: skip
    least = min(row["validation"] for row in rows)
    for row in rows:
        row["selected"] = row is next(r for r in rows if r["validation"] == least)
    best = next(row for row in rows if row["selected"])
    reason = f"{best['model']} has the least validation log-loss, {least:.4f}; log_loss gained is over {section.reference}."
    return {"question": section.question, "reason": reason, "rows": rows}


def _gained(parts: Parts, base: Floats, ours: Floats, seed: int) -> intervals.Interval:
    """The log-loss of the reference minus ours; rows that hang together are resampled together."""
    gain = probability.log_losses(parts.test.labels, base) - probability.log_losses(parts.test.labels, ours)
    groups = np.arange(len(gain)) if parts.groups is None else np.unique(parts.groups, return_inverse=True)[1]
    sums = np.bincount(groups, weights=gain).astype(np.float64)
    counts = np.bincount(groups).astype(np.float64)
    return intervals.ratio(sums[:, None], counts[:, None], seed=seed)[0]


def _rows(data: Labelled, places: npt.NDArray[np.int64]) -> Labelled:
    return Labelled(data.rows.part(places), data.labels[places])


def _described(parts: Parts) -> str:
    sizes = [
        f"{len(part.labels):,} rows ({int(part.labels.sum()):,} events) to {what}"
        for part, what in ((parts.train, "learn from"), (parts.validation, "stop and choose by"), (parts.test, "test"))
    ]  # fmt: skip
    return ", ".join(sizes)
