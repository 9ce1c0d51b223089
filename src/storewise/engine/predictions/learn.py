"""Learn the targets that a shop's data allow: choose on a later window, judge on the one after it, then use all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from storewise.core.errors import ConfigError, DataError
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.run_context import RunContext
from storewise.data.dataset import Dataset
from storewise.engine.predictions.amounts import learn_amount
from storewise.engine.predictions.config import PredictConfig
from storewise.engine.predictions.figures import event_figures
from storewise.engine.predictions.learned import RATE, Learned, Predictions
from storewise.engine.predictions.windows import Past, Window, both, starts, summary, window_days
from storewise.predict.calibrated import Calibration, clopper_pearson
from storewise.predict.cases import joined
from storewise.predict.features import EventLog, FactsConfig, Shelf
from storewise.predict.features.events import DAY_S
from storewise.predict.season import Season, learn_season
from storewise.predict.targets import TARGETS, Target, churn_days, horizon_of

LEAST_EVENTS = 20  # of each outcome, to learn from and again to calibrate on, or the overall rate serves
BG_NBD = "predict.bg_nbd.v1"
PastProducts = tuple[pl.DataFrame, np.typing.NDArray[np.float32] | None]
PAIR_WINDOWS = 2  # a customer has many pairs, so that few windows say as much


@dataclass(frozen=True)
class Job:
    """What learning one target needs."""

    target: Target
    past: Past
    days: float
    config: PredictConfig
    budget_s: float
    seed: int
    progress: Progress
    context: RunContext


def learn(
    shop: Dataset,
    config: PredictConfig,
    registry: Registry,
    *,
    seed: int,
    progress: Progress,
    text: np.typing.NDArray[np.float32] | None = None,
    before: PastProducts | None = None,
    context: RunContext | None = None,
) -> tuple[Predictions, dict[str, Any]] | None:
    """All targets with the report on them; None when the pipeline wants none. ``text`` (n_products, d): vectors of
    the products' texts; ``before``: rows of the catalogue that were replaced, with their vectors. ``context``: where
    searches are kept and told.

    Raises:
        ConfigError: for a target that does not exist.
    """
    wanted, around = _wanted(config), context or RunContext()
    log = EventLog.of(shop)
    if not wanted or not len(log):
        return None
    past = Past(log, Shelf.of(shop, text, *(before or ())), FactsConfig(horizon_days=config.horizon_days))
    churn = churn_days(log)
    learned: dict[str, Learned] = {}
    missing: dict[str, str] = {}
    possible = [target for target in wanted if target.missing(log) is None]
    # Targets of products first: their facts of a past moment serve for those of shoppers too.
    costly_first = sorted(wanted, key=lambda target: target.unit == "customer")
    for target in progress.track(costly_first, label="predictors of what shoppers do"):
        why = target.missing(log)
        if why is None:
            days = horizon_of(target, config.horizon_days, churn)
            share = 60 * config.minutes / max(len(possible), 1)
            job = Job(target, past, days, config, share, seed, progress, around.part(target.name))
            try:
                learned[target.name] = _learn(job, registry)
                continue
            except DataError as error:
                why = f"not predictable from this shop: {error.problem}"
        missing[target.name] = why
    now = log.latest + 1e-3
    # What serves knows today's catalogue, also where its rows were corrected after the last event.
    today = (
        past if past.shelf.edits is None else replace(past, shelf=replace(past.shelf, edits=None), _facts={})
    )
    report = {name: dict(found.report) for name, found in learned.items()}
    report |= {
        name: {"about": TARGETS[name].about, "predictable": False, "reason": why}
        for name, why in missing.items()
    }
    names = [target.name for target in wanted]
    in_order = {name: learned[name] for name in names if name in learned}
    return Predictions(in_order, missing, today.facts(now)), {name: report[name] for name in names}


def _wanted(config: PredictConfig) -> list[Target]:
    if config.targets == "auto":
        return list(TARGETS.values())
    for name in config.targets:
        if name not in TARGETS:
            raise ConfigError(
                f"There is no target {name!r}.", next_step=f"Choose among {', '.join(TARGETS)}."
            )
    return [TARGETS[name] for name in config.targets]


def _learn(job: Job, registry: Registry) -> Learned:
    """One target.

    Raises:
        DataError: when the history is too short for one window.
    """
    started = time.perf_counter()
    span = window_days(job.target, job.days)
    few = job.target.unit != "customer" or job.target.amount
    most = min(job.config.windows, PAIR_WINDOWS) if few else job.config.windows
    moments = starts(job.past.log, span, most)
    if job.target.amount:
        moments = moments[:3]  # one to scale on, one to be judged by, one to learn from
    if not moments:
        have = (job.past.log.end - job.past.log.start) / DAY_S
        raise DataError(
            f"the history spans {have:.0f} days, one window takes {span + 28:.0f}",
            next_step="Wait, or give a shorter horizon.",
        )
    windows = [
        job.past.window(
            job.target, start, span, customers=job.config.customers, cases=job.config.cases, seed=job.seed
        )
        for start in moments
    ]
    if job.target.amount:
        return learn_amount(job.target, job.days, windows, registry, seed=job.seed)
    judged, *before = windows
    older = before[1:]
    if not older or not _enough(before[:1]) or not _enough(older) or not both(judged):
        found = _rate_alone(job, windows)
    else:
        found = _chosen(job, judged, before[0], older, registry)
    about = {"seconds": round(time.perf_counter() - started, 2), "data": summary(windows)}
    return replace(found, report={**found.report, **about})


def _enough(windows: list[Window]) -> bool:
    labels = np.concatenate([window.cases.labels for window in windows])
    return bool(min(labels.sum(), (1 - labels).sum()) >= LEAST_EVENTS)


def _rate_alone(job: Job, windows: list[Window]) -> Learned:
    labels = np.concatenate([window.cases.labels for window in windows])
    if not len(labels):
        raise DataError("nobody had bought before the windows began", next_step="Wait for more orders.")
    events, rows = float(labels.sum()), float(len(labels))
    low, high = clopper_pearson(np.array([events]), np.array([rows]))
    reason = (
        f"the overall rate serves: {int(events)} events in {int(rows)} cases of {len(windows)} "
        f"{'window' if len(windows) == 1 else 'windows'} are too few to choose and check a predictor by "
        f"({LEAST_EVENTS} of each outcome are needed to learn from, and {LEAST_EVENTS} later ones to calibrate on)"
    )
    rate = (events / rows, float(low[0]), float(high[0]))
    report = {
        **_about(job),
        "chosen": RATE,
        "reason": reason,
        "why": {
            "code": "few_events",
            "events": int(events),
            "cases": int(rows),
            "windows": len(windows),
            "least": LEAST_EVENTS,
        },
        "rate": dict(zip(("value", "low", "high"), rate, strict=True)),
    }
    return Learned(job.target, job.days, RATE, rate, report=report)


def _about(job: Job) -> dict[str, Any]:
    target = job.target
    return {
        "about": target.about, "unit": target.unit, "kind": "probability", "horizon_days": job.days,
        "predictable": True,
    }  # fmt: skip


def _chosen(job: Job, judged: Window, held: Window, older: list[Window], registry: Registry) -> Learned:
    from storewise.predict.choose.contest import Fold
    from storewise.predict.choose.guard import choose

    train = joined([window.data for window in reversed(older)])
    known = list(registry)
    candidates = [name for name in job.config.candidates if name in known]
    if job.target.unit != "customer":  # of shoppers alone, it would know nothing of the product
        candidates = [name for name in candidates if name != BG_NBD]
    choice = choose(
        [Fold(train, held.data)], candidates=candidates, budget_s=job.budget_s, seed=job.seed, context=job.context
    )  # fmt: skip
    name = choice.selected
    # A map of scores belongs to the model that made them: one that has also seen the window it was learned on
    # would be corrected twice. So what is judged and what serves are each calibrated on the window after their own.
    first = choice.refit(name, train, seed=job.seed)
    then, coming = _season(job, judged.start), _season(job, judged.stop)
    told = Calibration.learn(first.scores(held.data.rows), held.data.labels).shifted(then.shift(job.target))
    values = told(first.scores(judged.data.rows))
    served = choice.refit(name, joined([train, held.data]), seed=job.seed)
    scores = served.scores(judged.data.rows)
    labels = judged.data.labels
    low, high = clopper_pearson(np.array([labels.sum()]), np.array([float(len(labels))]))
    rate = (float(labels.mean()), float(low[0]), float(high[0]))
    figures = event_figures(judged, values.value, first, seed=job.seed)
    report: Mapping[str, Any] = {
        **_about(job), "chosen": name, "reason": choice.reason, "why": dict(choice.why),
        "judged": f"{len(labels):,} later rows with {int(labels.sum()):,} events, asked once",
        "judged_on": {"rows": len(labels), "events": int(labels.sum())},
        "candidates": [
            {"model": attempt.name, "log_loss": attempt.loss, "seconds": round(attempt.seconds, 2),
             "skipped": attempt.skipped}
            for attempt in choice.attempts if np.isfinite(attempt.loss) or attempt.skipped
        ],
        "rate": dict(zip(("value", "low", "high"), rate, strict=True)), **figures,
        "season": {**coming.about(), "reason": coming.reason},
    }  # fmt: skip
    for entry in report["candidates"]:
        entry["log_loss"] = entry["log_loss"] if np.isfinite(entry["log_loss"]) else None
    calibration = Calibration.learn(scores, labels).shifted(coming.shift(job.target))
    return Learned(job.target, job.days, name, rate, served, calibration, report)


def _season(job: Job, moment: float) -> Season:
    """Of shoppers who order or stay away, from ``moment`` on. Which product they buy did not move with the season of
    the shop in earlier windows, and reactions within a day or a return have none."""
    if job.target.unit != "customer":
        return Season()
    return learn_season(job.past.log, moment, job.days, job.target)
