"""Uplift: how well a score finds the people whom a treatment changes (Radcliffe, 2007; Gutierrez & Gérardy, 2017).

People are sorted by falling score; x is the share of them that is treated. With T, C the (weighted) numbers of
treated and control people among the first x, and Y_T, Y_C the sums of their outcomes::

    qini(x) = (Y_T − Y_C · T / C) / T(1)       outcomes gained for each person that was treated
    gain(x) = x · (Y_T / T − Y_C / C)          outcomes gained for each person there is

The Qini figure is the area between ``qini`` and the straight line to its end, which random order follows: 0 for
a random score, in outcomes a person. Its coefficient divides by the same area of the best order there can be
(treated people with outcome first, control people with outcome last). AUUC is the area under ``gain``. People of
the same score come in together, so that a constant score is exactly random. Weights (1 / propensity) make both
hold where the treatment's share differs between people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.metrics.effect import difference
from storewise.metrics.intervals import LEVEL, RESAMPLES, Interval, draws

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
POINTS = 100  # of a curve that is drawn
FIGURES = ("qini", "qini_coefficient", "auuc", "auuc_gain")


@dataclass(frozen=True)
class Trial:
    """People of one treatment and its control: ``outcome`` (n,), ``treated`` (n,), ``weights`` (n,) or None (1)."""

    outcome: Values
    treated: Mask
    weights: Values | None = None

    def columns(self) -> tuple[Values, Values, Values, Values]:
        """(n,) each: what a person adds to T, C, Y_T and Y_C."""
        weights = np.ones(len(self.outcome)) if self.weights is None else self.weights
        treated, control = weights * self.treated, weights * ~self.treated
        return treated, control, treated * self.outcome, control * self.outcome


class Ranked:
    """A trial in the order of a score.

    >>> trial = Trial(np.array([1.0, 0.0, 0.0, 0.0]), np.array([True, False, True, False]))
    >>> ranked = Ranked(np.array([2.0, 2.0, 1.0, 1.0]), trial)
    >>> ranked.qini().tolist(), ranked.auuc().tolist()
    ([0.125], [0.375])
    """

    def __init__(self, scores: Values, trial: Trial) -> None:
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        self._order = order
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(scores) else order
        self._columns = [column[order] for column in trial.columns()]

    def curves(self, counts: Values | None = None) -> tuple[Values, Values, Values]:
        """Share treated, ``qini`` and ``gain``, (b, m + 1) each, from (0, 0) on; ``counts`` (b, n) says how often
        each person is there (None: once)."""
        drawn = np.ones((1, len(self._order))) if counts is None else counts[:, self._order]
        share = self._sums(drawn, None)
        share /= np.maximum(share[:, -1:], 1e-300)
        treated, control, ours, theirs = (self._sums(drawn, column) for column in self._columns)
        total = np.maximum(treated[:, -1:], 1e-300)
        qini = (ours - theirs * _ratio(treated, control)) / total
        gain = share * (_ratio(ours, treated) - _ratio(theirs, control))
        return share, qini, gain

    def qini(self, counts: Values | None = None) -> Values:
        """(b,) the area between the Qini curve and the random line."""
        share, qini, _ = self.curves(counts)
        return np.asarray(np.trapezoid(qini, share, axis=1) - qini[:, -1] / 2)

    def auuc(self, counts: Values | None = None) -> Values:
        """(b,) the area under the gain curve."""
        share, _, gain = self.curves(counts)
        return np.asarray(np.trapezoid(gain, share, axis=1))

    def _sums(self, drawn: Values, column: Values | None) -> Values:
        found = np.cumsum(drawn if column is None else drawn * column, axis=1)[:, self._ends]
        return np.concatenate([np.zeros((len(found), 1)), found], axis=1)


def _ratio(numerator: Values, denominator: Values) -> Values:
    """0 where nobody is there yet."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def best(trial: Trial) -> Values:
    """(n,) the score of the best order there can be for these outcomes."""
    return np.where(trial.treated, trial.outcome, -trial.outcome)


def figures(
    scores: Values, trial: Trial, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Interval]:
    """``qini``, ``qini_coefficient``, ``auuc`` and ``auuc_gain`` (above random), people resampled.

    >>> trial = Trial(np.array([1.0, 0, 0, 0] * 9), np.array([True, False, True, False] * 9))
    >>> figures(np.zeros(36), trial, seed=1)["qini"].value
    0.0
    """
    if not len(scores):
        return dict.fromkeys(FIGURES, Interval(float("nan"), float("nan"), float("nan")))
    ranked, ideal = Ranked(scores, trial), Ranked(best(trial), trial)
    chunks = [areas(ranked, ideal.qini(counts), counts) for counts in draws(len(scores), seed, resamples)]
    return as_intervals(areas(ranked, ideal.qini())[:, 0], np.concatenate(chunks, axis=1), level=level)


def as_intervals(point: Values, drawn: Values, *, level: float = LEVEL) -> dict[str, Interval]:
    """``point`` (4,) and ``drawn`` (4, resamples) in the order of ``FIGURES``, with percentile intervals."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return {name: Interval(float(point[i]), float(low[i]), float(high[i])) for i, name in enumerate(FIGURES)}


def areas(ranked: Ranked, most: Values, counts: Values | None = None) -> Values:
    """(4, b) in the order of ``FIGURES``; ``most`` (b,): the Qini area of the ``best`` order."""
    share, qini, gain = ranked.curves(counts)
    area = np.trapezoid(qini, share, axis=1) - qini[:, -1] / 2
    auuc = np.trapezoid(gain, share, axis=1)
    return np.stack([area, _ratio(area, most), auuc, auuc - gain[:, -1] / 2])


def curve(
    scores: Values, trial: Trial, *, seed: int, resamples: int = 200, level: float = LEVEL
) -> list[dict[str, float]]:
    """The Qini curve at even shares with its band: ``share``, ``value``, ``low``, ``high``, ``random``."""
    ranked, at = Ranked(scores, trial), np.linspace(0, 1, POINTS + 1)

    def on_grid(counts: Values | None) -> Values:
        share, qini, _ = ranked.curves(counts)
        return np.stack([np.interp(at, x, y) for x, y in zip(share, qini, strict=True)])

    point = on_grid(None)[0]
    drawn = np.concatenate([on_grid(counts) for counts in draws(len(scores), seed, resamples)])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [
        {"share": float(x), "value": float(v), "low": float(a), "high": float(z), "random": float(x * point[-1])}
        for x, v, a, z in zip(at, point, low, high, strict=True)
    ]  # fmt: skip


def by_share(
    scores: Values, trial: Trial, *, parts: int = 10, level: float = LEVEL
) -> list[dict[str, float]]:
    """The effect within each tenth of the people (parts = 10), best first, with a normal interval.

    Each row: ``part`` (1 = best), ``n``, ``treated``, ``control`` (mean outcomes), ``uplift``, ``low``, ``high``;
    NaN where one side is missing.
    """
    order = np.argsort(-scores, kind="stable")
    rows = []
    for number, part in enumerate(np.array_split(order, parts), 1):
        side = trial.treated[part]
        weights = None if trial.weights is None else trial.weights[part]
        ours, theirs, gap = difference(trial.outcome[part], side, weights=weights, level=level)
        rows.append({"part": number, "n": len(part), "treated": ours, "control": theirs,
                     "uplift": gap.value, "low": gap.low, "high": gap.high})  # fmt: skip
    return rows
