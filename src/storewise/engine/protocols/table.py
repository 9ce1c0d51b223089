"""``table``: a yes/no outcome predicted from any table; types found, model chosen on validation, test asked once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError
from storewise.core.progress import Progress, step
from storewise.core.rng import spawn
from storewise.core.run_context import RunContext
from storewise.data.date_text import dates_of_numbers
from storewise.data.labelled_table import LabelledTable, need_columns, with_label
from storewise.data.table_file import read_table
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.registry import component_names
from storewise.metrics import probability
from storewise.metrics.curves import curves
from storewise.predict.base import Labelled
from storewise.predict.calibrated import Calibrated, Calibration
from storewise.predict.choose import folds
from storewise.predict.choose.contest import Fold
from storewise.predict.choose.guard import Choice, choose
from storewise.predict.tables.columns import UNKNOWN_MOMENT, moments_of
from storewise.predict.tables.fields import Fields, FieldsConfig, learn
from storewise.predict.tables.leaks import find_leaks
from storewise.predict.tables.variants import best_variant

SIMPLE = "predict.rate.v1"
TEST_SHARE = 0.2
TEST_RESAMPLES = 1000
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """A table, parted. ``frame`` without label, leaks and (where it parts) group; ``groups``, ``moments`` (n,)."""

    frame: pl.DataFrame
    labels: Floats
    split: folds.Split
    config: FieldsConfig
    groups: Places | None
    moments: Places | None
    notes: tuple[str, ...]

    def learned(self, places: Places, seed: int) -> tuple[Fields, Labelled]:
        """Fields of some training rows, and those rows."""
        groups = self.groups[places] if self.groups is not None and self.split.by == "group" else None
        return learn(
            self.frame[places], self.labels[places], config=self.config, seed=seed, groups=groups
        )  # fmt: skip


class Table:
    """The last fifth by time is the test (a fifth of the groups or, without either, of the rows). Validation parts lie
    inside the rest, and everything learned of columns is learned from what comes before each of them. The winner and
    the rows beside it are trained again on all of the rest, calibrated by validation, and the test is asked once.
    """

    name = "table"
    about = (
        "probabilities of an event, from any table: order (AUC, average precision), log loss and calibration"
    )
    reads = ("data", "label", "time", "group", "text", "checkpoint")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`; ``curves`` beside the rows: model → calibration
        and lift; ``notes``: what was left out and why; ``columns``: what each column was taken for.

        Raises:
            ConfigError: without --data or --label.
            DataError: for a table, a column or a label that cannot be used.
            UnknownName: for a model that does not exist.
        """
        path = inputs.path("data")
        label = inputs.column("label")
        with step(progress, f"reading {path.name}"):
            known = [n for n in (label, inputs.time, inputs.group) if n is not None]
            table = with_label(read_table(path, known=known), label, where=path.name)
        task = prepare(table, inputs, seed=seed)
        candidates = None
        if models is not None:
            candidates = component_names(models, "predict")
            candidates += [] if SIMPLE in candidates else [SIMPLE]
        task, parts = with_best_fields(task, seed=seed, progress=progress)
        choice = choose(
            parts, candidates=candidates, budget_s=budget_s, seed=seed, progress=progress,
            context=RunContext(inputs.checkpoint),
        )  # fmt: skip
        fields, train = task.learned(task.split.train, seed)
        notes = [*task.notes, *fields.notes]
        for note in notes:
            progress.note(note)
        rows, drawn = tested(task, fields, train, choice, seed=seed, progress=progress)
        return {
            "data": _described(task),
            "about": self.about,
            "question": f"{label} = {table.event}, parted by {task.split.by}",
            "reason": choice.reason,
            "notes": notes,
            "columns": {column.name: column.kind for column in fields.columns},
            "rows": rows,
            "curves": drawn,
            "others": [],
        }


def prepare(table: LabelledTable, inputs: Inputs, *, seed: int) -> Task:
    """Part a table, and leave out what leaks (judged on training rows).

    Raises:
        DataError: for columns that are not there, or parts that have one outcome.
    """
    texts = tuple(name.strip() for name in (inputs.text or "").split(",") if name.strip())
    named = [name for name in (inputs.time, inputs.group) if name is not None]
    need_columns(table.frame, (*named, *texts))
    frame, labels, notes = table.frame, table.labels, list(table.notes)
    moments = None
    if inputs.time is not None:
        clock = dates_of_numbers(frame[inputs.time])
        frame = frame if clock is None else frame.with_columns(clock)
        moments, _ = moments_of(frame[inputs.time])
        dated = moments > UNKNOWN_MOMENT
        _check_dated(frame[inputs.time], dated)
        if not dated.all():
            notes.append(f"{int((~dated).sum()):,} rows without a time are left out")
            frame, labels, moments = frame.filter(pl.Series(dated)), labels[dated], moments[dated]
    groups = None
    if inputs.group is not None:
        groups = frame[inputs.group].cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)
    split = _split(labels, moments, groups, seed)
    if split.by == "group":
        frame = frame.drop(str(inputs.group))
        notes.append(f"{inputs.group} parts the rows, and is no feature")
    kept = [name for name in frame.columns if name != inputs.time]
    leaks = find_leaks(
        frame.select(kept)[split.train], labels[split.train],
        moments=None if moments is None else moments[split.train],
    )  # fmt: skip
    frame = frame.drop([leak.column for leak in leaks])
    config = FieldsConfig(text=tuple(t for t in texts if t in frame.columns), time=inputs.time)
    return Task(
        frame, labels, split, config, groups, moments, (*notes, *(leak.why for leak in leaks))
    )  # fmt: skip


def with_best_fields(task: Task, *, seed: int, progress: Progress) -> tuple[Task, list[Fold]]:
    """The task with the fields that validation prefers (with rates of earlier rows, or without), and its folds;
    fields are learned anew for each fold."""
    parts = folds.validation_folds(
        task.split.train, task.split.by, task.labels, seed=seed, moments=task.moments,
        groups=task.groups if task.split.by == "group" else None,
    )  # fmt: skip
    tasks = {
        name: replace(task, config=task.config.model_copy(update={"rates": rates}))
        for name, rates in (("rates", True), ("no rates", False))
    }
    made: dict[str, list[Fold]] = {name: [] for name in tasks}
    counted = False
    for part in progress.track(parts, label="fields of each fold"):
        for name, variant in tasks.items():
            fields, train = variant.learned(part.train, seed)
            counted |= bool(fields.rates.names)
            if name == "rates" or counted:
                later = Labelled(fields(task.frame[part.later]), task.labels[part.later])
                made[name].append(Fold(train, later))
    if not counted:  # no column has values that come back
        return tasks["rates"], made["rates"]
    with step(progress, "with rates of earlier rows, or without"):
        best, losses = best_variant(made, seed=seed)
    note = (
        f"rates of earlier rows are {'used' if best == 'rates' else 'left out'}: with them logistic regression "
        f"or trees have a log loss of {losses['rates']:.4g} on validation, without {losses['no rates']:.4g}"
    )
    return replace(tasks[best], notes=(*task.notes, note)), made[best]


def tested(
    task: Task, fields: Fields, train: Labelled, choice: Choice, *, seed: int, progress: Progress
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the report and curves by model: each model trained again and asked once."""
    rows = fields(task.frame[task.split.later])
    labels = task.labels[task.split.later]
    groups = None if task.groups is None else task.groups[task.split.later]
    found: list[dict[str, Any]] = []
    drawn: dict[str, Any] = {}
    for attempt in progress.track(choice.tried, label="training again, and the test"):
        started = time.perf_counter()
        model = choice.refit(attempt.name, train, seed=seed)
        calibration = Calibration.learn(attempt.scores, choice.labels)
        values = calibration.map(model.scores(rows))
        told = Calibrated(model, calibration)(rows)
        known = np.isfinite(told.value)
        measured = probability.intervals(labels, values, seed=seed, groups=groups, resamples=TEST_RESAMPLES)
        drawn[attempt.name] = curves(labels, values, seed=seed)
        found.append({
            "model": attempt.name,
            "selected": attempt.name == choice.selected,
            "simple": attempt.name == SIMPLE,
            "seconds": round(attempt.seconds + time.perf_counter() - started, 2),
            "metrics": {name: interval.as_dict() for name, interval in measured.items()},
            "config": attempt.config.model_dump(mode="json") if attempt.config else {},
            "validation": attempt.loss,
            "trials": attempt.trials,
            "calibration": calibration.map.method,
            "unknown": int((~known).sum()),
            "mean_interval_width": float((told.high - told.low)[known].mean()) if known.any() else None,
        })  # fmt: skip
    found.sort(key=lambda row: (not row["selected"], row["metrics"]["log_loss"]["value"]))
    return found, drawn


def _check_dated(column: pl.Series, dated: npt.NDArray[np.bool_]) -> None:
    """Raise where most of what stands in the column of times is none."""
    unread = column.filter(pl.Series(~dated)).drop_nulls()
    if not dated.any() or len(unread) > dated.sum():
        shown = f"; {len(unread):,} values cannot be read, {unread[0]!r} for one" if len(unread) else ""
        raise DataError(
            f"{column.name!r} holds {'few times' if dated.any() else 'no time'}{shown}.",
            next_step="Name a column of dates in one form (2024-01-31 09:30), or of numbers that rise with time.",
        )


def _split(labels: Floats, moments: Places | None, groups: Places | None, seed: int) -> folds.Split:
    if moments is not None:
        split = folds.by_time(moments, TEST_SHARE)
    elif groups is not None:
        split = folds.by_group(groups, TEST_SHARE, spawn(seed, "split"))
    else:
        split = folds.stratified(labels, TEST_SHARE, spawn(seed, "split"))
    for side, places in (("training", split.train), ("test", split.later)):
        if len(np.unique(labels[places])) < 2:
            raise DataError(
                f"Parted by {split.by}, the {len(places):,} {side} rows have one outcome only.",
                next_step="Give more rows, or part them in another way.",
            )
    return split


def _described(task: Task) -> str:
    sides = [
        f"{len(places):,} rows ({int(task.labels[places].sum()):,} events)"
        for places in (task.split.train, task.split.later)
    ]
    return f"{sides[0]} to learn from, {sides[1]} to test, {task.frame.width} columns"
