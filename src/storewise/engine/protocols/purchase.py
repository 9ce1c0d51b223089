"""``purchase``: who buys within four weeks, and who buys which product, in any shop, by time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.core.progress import Progress, step
from storewise.data.stores.vectors import VectorCache
from storewise.engine import content
from storewise.engine.history import read_history
from storewise.engine.predictions.windows import LEAST_PAST_DAYS, Past, Window, both, starts, summary
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.registry import component_names, registry
from storewise.metrics.curves import curves
from storewise.metrics.probability import intervals, paired_differences
from storewise.predict.base import Labelled, Rows
from storewise.predict.calibrated import Calibration
from storewise.predict.cases import joined
from storewise.predict.choose.contest import Fold, fit
from storewise.predict.choose.guard import choose
from storewise.predict.features import EventLog, FactsConfig, Shelf
from storewise.predict.features.customer import BASELINE, Text, customer_columns
from storewise.predict.features.events import DAY_S
from storewise.predict.season import Season, learn_season
from storewise.predict.shift import UNMOVED, Shift
from storewise.predict.targets import TARGETS

Floats = npt.NDArray[np.float64]
DAYS = 28.0
CUSTOMER_WINDOWS, PAIR_WINDOWS = 12, 3
LEAST_WINDOWS = 3
LEARNED_CUSTOMERS, TEST_CUSTOMERS = 1_500, 2_000  # whose pairs are asked, drawn at random
FULL_S = (
    216.0  # of tuning budget, with which all of the above are used; with less there are fewer, to a sixth
)
RESAMPLES = {"purchase": 1_000, "product": 300}
LOGISTIC, TREES, BG_NBD = "predict.logistic.v1", "predict.lightgbm.v1", "predict.bg_nbd.v1"
CANDIDATES = (LOGISTIC, TREES, "predict.blend.v1")
SIMPLE_LOGISTIC: Mapping[str, Any] = {"bins": 0, "crossed": 0, "regularization": 1.0}
PLAIN_TREES: Mapping[str, Any] = {  # LightGBM's own defaults
    "rounds": 100, "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 20, "feature_fraction": 1.0,
    "bagging_fraction": 1.0, "lambda_l2": 0.0,
}  # fmt: skip
PAIR_BASELINE = ("own_orders", "own_recency_days", "recency_days", "orders_log", "product_buyers_28_log")
TEXTS: Mapping[str, tuple[Text, ...]] = {"purchase": ("none", "full"), "product": ("none", "fit")}
QUESTIONS = {"purchase": "the customer buys anything", "product": "the customer buys this product"}


@dataclass(frozen=True)
class Asked:
    """One question: windows by text mode, (judged, held, older …). ``season``: from the held window to the judged one,
    by what was known before the judged one. ``plain``: the columns of the plain trees, None for all."""

    name: str
    windows: Mapping[Text, list[Window]]
    season: Season | None = None
    plain: tuple[str, ...] | None = None

    def parts(self, text: Text) -> tuple[Labelled, Labelled, Labelled]:
        """What to learn from, to choose and calibrate on, and to be judged by."""
        judged, held, *older = self.windows[text]
        return joined([window.data for window in reversed(older)]), held.data, judged.data

    def calibration(self, scores: Floats, *, moved: bool = True) -> Calibration:
        """Of scores of the held window; ``moved``: with the season since."""
        labels = self.windows["none"][1].data.labels
        shift: Shift = UNMOVED if self.season is None or not moved else self.season.shift(TARGETS[self.name])
        return Calibration.learn(np.clip(scores, 0, 1), labels).shifted(shift)


@dataclass(frozen=True)
class Row:
    """A model's probabilities in the test window; ``loss``: of validation."""

    model: str
    values: Floats
    seconds: float
    loss: float
    about: str


class Purchase:
    """The last 28 days test, asked once; the 28 days before choose and calibrate; earlier windows teach, and with last
    year's same weeks say how far the season moves everybody's rate. Every row is learned, calibrated, moved and asked on
    the same windows. Intervals resample customers."""

    name = "purchase"
    about = "orders in 28 days, by time; test window asked once; customers resampled"
    reads = ("data",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`; ``curves`` of the selected row in each section.

        Raises:
            DataError: when the history is too short.
            UnknownName: for a model that does not exist.
        """
        candidates = list(CANDIDATES) if models is None else component_names(models, "predict")
        shop = read_history(inputs.data).whole
        past = Past(
            EventLog.of(shop), Shelf.of(shop, _texts(shop, seed, progress)), FactsConfig(horizon_days=DAYS)
        )
        size = min(max(budget_s / FULL_S, 1 / 6), 1.0)
        sections = []
        for name in progress.track(tuple(QUESTIONS), label="questions"):
            with step(progress, f"features of {QUESTIONS[name]}"):
                asked = _ask(past, name, size, seed)
            sections.append(_answer(asked, candidates, budget_s=budget_s / len(QUESTIONS), seed=seed))
        days = (past.log.end - past.log.start) / DAY_S
        described = f"{len(shop.customer_ids):,} customers, {shop.n_products:,} products, {days:.0f} days"
        return {"data": described, "about": self.about, **sections[0], "others": sections[1:]}


def _texts(shop: Any, seed: int, progress: Progress) -> npt.NDArray[np.float32] | None:
    cache: VectorCache | None = None
    encoded = content.encode(
        shop.products, content.ContentConfig(), registry(), seed=seed, cache=cache, progress=progress
    )
    return None if encoded is None else encoded.vectors


def _ask(past: Past, name: str, size: float, seed: int) -> Asked:
    """``size``: the part of windows and customers that there is time for."""
    target = TARGETS[name]
    if (why := target.missing(past.log)) is not None:
        raise DataError(f"{name}: {why}.", next_step="Give a shop with purchases.")
    windows = round(CUSTOMER_WINDOWS * max(size, 0.5)) if name == "purchase" else PAIR_WINDOWS
    moments = starts(past.log, DAYS, windows)
    if len(moments) < LEAST_WINDOWS:
        have, need = (past.log.end - past.log.start) / DAY_S, DAYS * LEAST_WINDOWS + LEAST_PAST_DAYS
        raise DataError(
            f"The history spans {have:.0f} days, {need:.0f} are needed: {LEAST_WINDOWS} windows of {DAYS:g} days (to learn "
            f"from, to choose by, to test) with {LEAST_PAST_DAYS:g} days before them.",
            next_step="Give a longer history; `storewise train` serves the overall rate until then.",
        )
    found: dict[Text, list[Window]] = {}
    for text in TEXTS[name]:
        found[text] = [
            past.window(
                target, moment, DAYS, customers=round(size * (TEST_CUSTOMERS if place == 0 else LEARNED_CUSTOMERS)),
                cases=None, seed=seed, text=text,
            )
            for place, moment in enumerate(moments)
        ]  # fmt: skip
    judged, held, *older = found["none"]
    for role, part in (("test", [judged]), ("choose by", [held]), ("learn from", older)):
        if not any(both(window) for window in part):
            labels = np.concatenate([window.data.labels for window in part])
            raise DataError(
                f"{QUESTIONS[name]}: {int(labels.sum())} of {len(labels)} cases in what is there to {role} are a yes, both "
                "outcomes are needed.",
                next_step="Give a longer history, or one with customers who come back and others who don't.",
            )
    if name != "purchase":
        return Asked(name, found)
    names = tuple(
        customer_columns(past.log.trails([], judged.start), past.facts(judged.start, products=False))
    )
    return Asked(name, found, learn_season(past.log, judged.start, DAYS), names)


def _answer(asked: Asked, candidates: Sequence[str], *, budget_s: float, seed: int) -> dict[str, Any]:
    """Rows of one question: ours, chosen on validation among models and with or without text, and the baselines."""
    ours, reason = _ours(asked, candidates, budget_s=budget_s, seed=seed)
    simple = BASELINE if asked.name == "purchase" else PAIR_BASELINE
    rows = [
        *ours,
        _fixed(asked, LOGISTIC, SIMPLE_LOGISTIC, simple, "recency-frequency logistic", seed),
        _fixed(asked, TREES, PLAIN_TREES, asked.plain, "plain LightGBM without text", seed),
        _fixed(asked, BG_NBD, {"horizon_days": DAYS}, None, "BG/NBD", seed),
    ]
    if asked.plain is not None:
        rows.append(
            _fixed(asked, TREES, PLAIN_TREES, None, "plain LightGBM, all features without text", seed)
        )
    judged, _, *older = asked.windows["none"]
    labels = judged.data.labels
    _, groups = np.unique(judged.cases.customers, return_inverse=True)
    resamples = RESAMPLES[asked.name]
    said = []
    for row in rows:
        measured = intervals(labels, row.values, seed=seed, groups=groups, resamples=resamples)
        metrics = {name: interval.as_dict() for name, interval in measured.items()}
        if row is not rows[0]:
            gaps = paired_differences(
                labels, rows[0].values, row.values, seed=seed, groups=groups, resamples=resamples
            )
            metrics |= {f"{name} gained": gap.as_dict() for name, gap in gaps.items()}
        said.append({
            "model": row.model, "selected": row is rows[0], "simple": row.model == "recency-frequency logistic",
            "seconds": round(row.seconds, 2), "metrics": metrics, "validation": row.loss, "about": row.about,
            "mean": float(row.values.mean()),
        })  # fmt: skip
    held = asked.windows["none"][1].data.labels
    return {
        "question": f"{QUESTIONS[asked.name]} within {DAYS:g} days",
        "reason": reason if asked.season is None else f"{reason}. {asked.season.reason}",
        "season": None if asked.season is None else asked.season.about(),
        "windows": f"{summary(older)} to learn from; validation {held.mean():.4f} of {len(held):,}; test "
        f"{labels.mean():.4f} of {len(labels):,}",
        "rows": said,
        "curves": {rows[0].model: curves(labels[:20_000], rows[0].values[:20_000], seed=seed)},
    }


def _ours(asked: Asked, candidates: Sequence[str], *, budget_s: float, seed: int) -> tuple[list[Row], str]:
    """The best of validation first, then the best of each other way to read texts."""
    found: list[Row] = []
    unmoved: list[Row] = []
    for text in asked.windows:
        if text != "none" and _same(asked.windows["none"][0].data.rows, asked.windows[text][0].data.rows):
            continue
        started = time.perf_counter()
        train, held, judged = asked.parts(text)
        choice = choose([Fold(train, held)], candidates=candidates, budget_s=budget_s / 3, seed=seed)
        best = choice.tried[0]
        made = choice.refit(best.name, train, seed=seed)
        before, scores = made.scores(held.rows), made.scores(judged.rows)
        label = f"{best.name}, all features, {'no text' if text == 'none' else f'text {text}'}"
        seconds = time.perf_counter() - started
        found.append(Row(label, asked.calibration(before)(scores).value, seconds, best.loss, choice.reason))
        if asked.season is not None and asked.season.log_ratio:
            still = asked.calibration(before, moved=False)(scores).value
            unmoved.append(Row(f"{label}, season left out", still, seconds, best.loss, "the same model"))
    found.sort(key=lambda row: row.loss)
    told = "; ".join(f"{row.model} {row.loss:.5f}" for row in found)
    unmoved = [row for row in unmoved if row.model.startswith(found[0].model)]
    return [
        *found,
        *unmoved,
    ], f"least log loss in the validation window among models and ways to read texts ({told})"


def _same(left: Rows, right: Rows) -> bool:
    return left.number_names == right.number_names and left.vectors.keys() == right.vectors.keys()


def _fixed(
    asked: Asked, name: str, config: Mapping[str, Any], columns: Sequence[str] | None, label: str, seed: int
) -> Row:
    """A baseline: its columns, its settings, the same windows and the same calibration."""
    started = time.perf_counter()
    train, held, judged = (_narrowed(part, columns) for part in asked.parts("none"))
    kind = registry().create(name, config)
    made, _ = fit(registry(), name, kind.config, train, seed=seed)
    calibration = asked.calibration(made.scores(held.rows))
    values = calibration(np.clip(made.scores(judged.rows), 0, 1)).value
    p = np.clip(calibration.map(made.scores(held.rows)), 1e-9, 1 - 1e-9)
    loss = float(-np.mean(held.labels * np.log(p) + (1 - held.labels) * np.log1p(-p)))
    read = ", ".join(columns) if columns is not None else "all features without text"
    if columns is not None and columns == asked.plain:
        read = "all features but those of rhythm, of the year and of what sells now; no text"
    return Row(label, values, time.perf_counter() - started, loss, read)


def _narrowed(part: Labelled, columns: Sequence[str] | None) -> Labelled:
    if columns is None:
        return part
    places = [part.rows.number_names.index(name) for name in columns]
    return Labelled(Rows.of(numbers=part.rows.numbers[:, places], number_names=tuple(columns)), part.labels)
