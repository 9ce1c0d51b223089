"""How many more, or fewer, buy in the days to come than in those a model was calibrated on: what last year's same weeks
say, as far as earlier windows found it true.

A season multiplies everybody's rate of ordering by ρ. Whoever stays away with probability 1 - p then stays away with
(1 - p)^ρ (proportional hazards, Cox, 1972), so that ln(-ln(1 - p)) moves by ln ρ for all alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from storewise.predict.features.events import DAY_S, PURCHASE, EventLog
from storewise.predict.shift import Shift
from storewise.predict.targets import TARGETS, Target, customer_cases

Floats = npt.NDArray[np.float64]
Code = Literal["season", "no_gain", "short"]
YEAR_DAYS = 364.0  # whole weeks, so that weekdays stay
WEEK_S = 7 * DAY_S
STEP_DAYS = 28.0  # between earlier windows, at most
LEAST_WINDOWS = 4  # earlier windows that have a year before them, or nothing is shifted
LEAST_EVENTS = 20  # of each outcome in a window, or its rate says nothing
STRENGTHS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Season:
    """``log_ratio``: ln ρ to be applied, ``strength`` · ``year_ago``. ``spread``: standard deviation of what ln ρ
    missed in ``windows`` earlier windows, beyond the noise of their rates. ``code``: ``season``; ``no_gain``, earlier
    windows don't say that last year helps; ``short``, too little history. ``error`` and ``error_without``: mean squared
    errors of ln ρ in earlier windows, with the shift and without."""

    log_ratio: float = 0.0
    spread: float = 0.0
    year_ago: float = 0.0
    strength: float = 0.0
    windows: int = 0
    code: Code = "short"
    error: float = 0.0
    error_without: float = 0.0

    def about(self) -> dict[str, Any]:
        """As the report has it."""
        return asdict(self)

    def shift(self, target: Target) -> Shift:
        """What to apply to probabilities of a target; churn is the absence of orders."""
        return Shift(self.log_ratio, self.spread, absent=target.name == "churn")

    @property
    def reason(self) -> str:
        """Why so, in a sentence.

        >>> Season().reason
        'No season: 4 earlier windows with the same weeks a year before are needed, there are 0.'
        """
        if self.code == "short":
            need = f"{LEAST_WINDOWS} earlier windows with the same weeks a year before are needed"
            return f"No season: {need}, there are {self.windows}."
        if self.code == "no_gain":
            return (
                f"No season: in {self.windows} earlier windows the same weeks of the year before said too little of the "
                "change."
            )
        return (
            f"Season: rates of ordering times {np.exp(self.log_ratio):.3f}; last year's same weeks had "
            f"{np.exp(self.year_ago):.3f} times the buyers of those before, and in {self.windows} earlier windows "
            f"{self.strength:g} of the logarithm came true."
        )


def year_ago(log: EventLog, moment: float, days: float) -> float | None:
    """ln of the buyers a week in the ``days`` from one year before ``moment`` on, over those in the ``days`` before
    that; None where the history does not reach so far, or nobody bought.

    Buyers are counted without dividing by the customers known so far: these grow with the age of the data, not of the
    shop. Reads nothing at or after ``moment``.
    """
    middle = moment - YEAR_DAYS * DAY_S
    weeks = max(round(days / 7), 1)
    if middle - weeks * WEEK_S < log.start or middle + weeks * WEEK_S > moment:
        return None
    before, after = (
        sum(_buyers(log, start + k * WEEK_S) for k in range(weeks))
        for start in (middle - weeks * WEEK_S, middle)
    )
    return float(np.log(after / before)) if before and after else None


def learn_season(log: EventLog, moment: float, days: float, target: Target = TARGETS["purchase"]) -> Season:
    """The season between the ``days`` before ``moment`` (which calibrate) and those from it on (which are asked about).

    Earlier windows, each with its outcome known before ``moment``, tell what would have been right: e, the change of
    ln(-ln(1 - rate)) between one window and the next, against x, what :func:`year_ago` said at the time. The strength s
    with the least mean of (e - s·x)² is taken when its gain over s = 0 exceeds one standard error; windows that overlap
    count by the part of them that is new. ``target``: whose cases make the rates, one of customers.
    """
    past = log.before(moment)
    step = min(STEP_DAYS, days)
    found: list[tuple[float, float, float]] = []
    place = 1
    while (at := moment - days * DAY_S - (place - 1) * step * DAY_S) > past.start:
        place += 1
        said = year_ago(past, at, days)
        if said is not None and (change := _change(past, at, days, target)) is not None:
            found.append((said, *change))
    now = year_ago(past, moment, days)
    whole = len(found) * step / days
    if whole < LEAST_WINDOWS or now is None:
        return Season(windows=len(found))
    x, e, noise = np.array(found).T
    errors = {s: (e - s * x) ** 2 for s in (0.0, *STRENGTHS)}
    best = min(STRENGTHS, key=lambda s: float(errors[s].mean()))
    gains = errors[0.0] - errors[best]
    if gains.mean() <= gains.std(ddof=1) / np.sqrt(whole):
        best = 0.0
    left = float(errors[best].mean())
    return Season(
        best * now, float(np.sqrt(max(left - noise.mean(), 0.0))), now, best, len(found),
        "season" if best else "no_gain", left, float(errors[0.0].mean()),
    )  # fmt: skip


def _buyers(log: EventLog, start: float) -> int:
    """Different known customers who bought in the week from ``start`` on."""
    rows = (log.at >= start) & (log.at < start + WEEK_S) & (log.kinds == PURCHASE)
    who = log.customers[rows]
    return len(np.unique(who[(who >= 0) & (who < log.n_customers)]))


def _change(log: EventLog, moment: float, days: float, target: Target) -> tuple[float, float] | None:
    """The change of ln(-ln(1 - rate)) from the window before ``moment`` to the one after it, and its variance by chance;
    None with too few events."""
    total, noise = 0.0, 0.0
    for start, sign in ((moment, 1.0), (moment - days * DAY_S, -1.0)):
        labels = customer_cases(target, log, start, days).labels
        events = float(labels.sum())
        if target.name == "churn":  # who stays away: the others order
            events = len(labels) - events
        if min(events, len(labels) - events) < LEAST_EVENTS:
            return None
        rate = events / len(labels)
        hazard = -np.log1p(-rate)
        total += sign * float(np.log(hazard))
        noise += rate / ((1 - rate) * len(labels) * hazard**2)  # the delta method
    return total, float(noise)
