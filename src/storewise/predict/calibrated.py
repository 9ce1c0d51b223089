"""A predictor with its calibration: rows become probabilities with a 95 % interval, or "unknown" (NaN)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from scipy.special import expit, logit
from scipy.stats import beta as beta_law

from storewise.core.component import Arrays
from storewise.predict.base import Prediction, Predictor, Rows, Values
from storewise.predict.calibration import EDGE, Map, best_map
from storewise.predict.shift import UNMOVED, Shift

LEAST_EVENTS = 5
"""Fewer events, or fewer others, on held-out rows: nothing can be said of how far values hold."""
BIN_ROWS, BIN_EVENTS, MOST_BINS = 50, 8.0, 25
LEVEL = 0.95
NO_END = np.zeros((2, 0))
MOST_KNOTS = 50


@dataclass(frozen=True)
class Calibration:
    """Learned on rows the predictor did not see. ``starts`` (b,): the least value of each bin of held-out rows;
    ``means``, ``lows``, ``highs`` (b,): mean value of a bin and the bounds of its rate of events (Clopper and
    Pearson, 1934); ``span`` (2,): values that were held out; without bins nothing is known. ``least_high``,
    ``most_low`` (2, k): rising values at either end, and how high (or low) the interval reaches at least up to (or
    from) them. ``shift``: how everybody's rate has changed since.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(2000)
    >>> made = Calibration.learn(p, (rng.random(2000) < p).astype(float))
    >>> found = made(np.array([0.5]))
    >>> bool(found.low[0] < 0.5 < found.high[0])
    True
    """

    map: Map
    starts: Values
    means: Values
    lows: Values
    highs: Values
    span: Values
    losses: dict[str, float]
    least_high: Values
    most_low: Values
    shift: Shift = UNMOVED

    @classmethod
    def learn(cls, scores: Values, labels: Values) -> Calibration:
        """From (n,) scores and labels of held-out rows, oldest first.

        Raises:
            DataError: when they differ in length or a score is not finite.
        """
        chosen, losses = best_map(scores, labels)
        if min(labels.sum(), (1.0 - labels).sum()) < LEAST_EVENTS:
            nothing = np.zeros(0)
            return cls(chosen, nothing, nothing, nothing, nothing, np.zeros(2), losses, NO_END, NO_END)
        values = chosen(scores)
        order = np.argsort(values, kind="stable")
        ordered, happened = values[order], labels[order]
        starts = _cuts(ordered)
        ends = np.append(starts[1:], len(ordered))
        n = (ends - starts).astype(np.float64)
        k = np.add.reduceat(happened, starts)
        lows, highs = clopper_pearson(k, n)
        means = np.clip(np.add.reduceat(ordered, starts) / n, EDGE, 1 - EDGE)
        first, low_end = _ended(ordered, happened)
        last, high_end = _ended(1.0 - ordered[::-1], 1.0 - happened[::-1])
        return cls(
            chosen, ordered[starts], means, lows, highs, ordered[[0, -1]], losses,
            np.stack([ordered[first], low_end]),
            np.stack([ordered[::-1][last], 1.0 - high_end])[:, ::-1],
        )  # fmt: skip

    def __call__(self, scores: Values) -> Prediction:
        """Values and intervals of (n,) scores before calibration; NaN scores are unknown.

        The bounds of a bin are moved to the value by the ratio of odds, so that a value above its bin's mean has a
        higher interval; near 0 and 1 they reach at least as far as the outermost rows themselves can say. Beyond what
        was held out, the interval is open to that side.
        """
        value = np.where(np.isfinite(scores), self.map(np.nan_to_num(scores, nan=0.5)), np.nan)
        if not len(self.starts):
            unknown = np.full(len(scores), np.nan)
            return Prediction(unknown, unknown, unknown)
        at = np.clip(np.searchsorted(self.starts, value, side="right") - 1, 0, len(self.starts) - 1)
        shift = logit(np.clip(value, EDGE, 1 - EDGE)) - logit(self.means[at])
        with np.errstate(divide="ignore"):
            low, high = expit(logit(self.lows[at]) + shift), expit(logit(self.highs[at]) + shift)
        at_least = np.append(self.least_high[1], 0.0)[np.searchsorted(self.least_high[0], value)]
        at_most = np.append(1.0, self.most_low[1])[np.searchsorted(self.most_low[0], value, side="right")]
        low, high = np.fmin(np.fmin(low, at_most), value), np.fmax(np.fmax(high, at_least), value)
        low = np.where(value < self.span[0], 0.0, low)
        high = np.where(value > self.span[1], 1.0, high)
        gone = np.isnan(value)
        return self.shift(Prediction(value, np.where(gone, np.nan, low), np.where(gone, np.nan, high)))

    def shifted(self, shift: Shift) -> Calibration:
        """The same for rows whose overall rate is another."""
        return replace(self, shift=shift)

    def state(self) -> Arrays:
        about = {"method": self.map.method, "losses": self.losses}
        return {
            "calibration": np.frombuffer(orjson.dumps(about), np.uint8), "map": self.map.numbers,
            "starts": self.starts, "means": self.means, "lows": self.lows, "highs": self.highs, "span": self.span,
            "least_high": self.least_high, "most_low": self.most_low, "shift": self.shift.state(),
        }  # fmt: skip

    @classmethod
    def restore(cls, state: Arrays) -> Calibration:
        about = orjson.loads(state["calibration"].tobytes())
        return cls(
            Map(about["method"], state["map"]), state["starts"], state["means"], state["lows"], state["highs"],
            state["span"], about["losses"], state.get("least_high", NO_END), state.get("most_low", NO_END),
            Shift.restore(state["shift"]) if "shift" in state else UNMOVED,
        )  # fmt: skip


@dataclass(frozen=True)
class Calibrated:
    """A trained predictor with its calibration."""

    predictor: Predictor[Any]
    calibration: Calibration

    def __call__(self, rows: Rows) -> Prediction:
        """A value and an interval for each row; unknown where nothing of the row is known."""
        scores = np.where(supported(rows), self.predictor.scores(rows), np.nan)
        return self.calibration(scores)


def supported(rows: Rows) -> npt.NDArray[np.bool_]:
    """(n,) whether a row has anything that training knew: a number, a known category, a vector, a past.

    >>> supported(Rows.of(categories=[[0], [2]], category_names=("size",), sizes=(3,))).tolist()
    [False, True]
    """
    parts: list[npt.NDArray[np.bool_]] = [np.isfinite(rows.numbers), rows.categories > 0]
    parts += [np.asarray(block != 0) for block in rows.vectors.values()]
    parts += [np.asarray(codes > 0) for codes in rows.sequences.values()]
    return np.asarray(np.concatenate(parts, axis=1).any(axis=1), np.bool_)


def clopper_pearson(events: Values, rows: Values, *, level: float = LEVEL) -> tuple[Values, Values]:
    """Exact bounds of a rate, both (b,).

    >>> low, high = clopper_pearson(np.array([0.0]), np.array([10.0]))
    >>> low.tolist(), high.round(4).tolist()
    ([0.0], [0.3085])
    """
    tail = (1.0 - level) / 2.0
    with np.errstate(invalid="ignore"):
        low = np.where(events > 0, beta_law.ppf(tail, events, rows - events + 1), 0.0)
        high = np.where(events < rows, beta_law.ppf(1 - tail, events + 1, rows - events), 1.0)
    return low, high


def _ended(values: Values, happened: Values) -> tuple[npt.NDArray[np.int64], Values]:
    """Places (k,) of rising values in the first bin, and a bound (k,) of the rate up to each: Clopper and Pearson's of all
    rows up to it (of so many at least as a bin has), or of more rows where that is less. A curve that was fitted to all
    rows may say next to nothing there; a hundred rows without an event say no more than 3.6 %."""
    least, many = _least_rows(len(values)), np.cumsum(happened)
    first = np.append(_cuts(values)[1:], len(values))[0]
    wanted = np.linspace(0, first - 1, MOST_KNOTS).astype(np.int64)
    last = np.unique(
        np.searchsorted(values, values[wanted], side="right") - 1
    )  # equal values are counted together
    rows = np.minimum(np.maximum(last + 1, least), len(values))
    high = clopper_pearson(many[rows - 1], rows.astype(np.float64))[1]
    return last, np.minimum.accumulate(high[::-1])[::-1]


def _least_rows(n: int) -> int:
    """Of a bin."""
    return max(BIN_ROWS, n // MOST_BINS)


def _cuts(values: Values) -> npt.NDArray[np.int64]:
    """Where bins of rising values start: each has rows, expected events and expected others enough for bounds that
    say something. Labels have no part in it."""
    least_rows = _least_rows(len(values))
    starts = [len(values)]
    rows = events = 0.0
    fresh = np.append(True, np.diff(values) > 0)  # equal values stay together
    for place in range(len(values) - 1, -1, -1):
        rows, events = rows + 1, events + values[place]
        full = rows >= least_rows and events >= BIN_EVENTS and rows - events >= BIN_EVENTS
        if full and fresh[place]:
            starts.append(place)
            rows = events = 0.0
    found = np.array(starts[:0:-1], np.int64)
    if not len(found):
        return np.zeros(1, np.int64)
    found[0] = 0  # what is left at the low end joins the lowest bin
    return found
