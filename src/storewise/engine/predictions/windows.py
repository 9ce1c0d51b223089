"""Windows of the past to learn from: each asks at a moment and is labelled by the days after it, none overlaps the
one that judges it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from storewise.core.rng import spawn
from storewise.predict.base import Labelled
from storewise.predict.cases import rows_of
from storewise.predict.features import EventLog, FactsConfig, Shelf, ShopFacts
from storewise.predict.features.customer import Text
from storewise.predict.features.events import DAY_S
from storewise.predict.targets import Cases, Target, customer_cases, moment_cases, pair_cases

STEP_DAYS = 28.0
CASE_DAYS = 28.0  # in which events become cases
LEAST_PAST_DAYS = 28.0  # of history before a window, or there is nothing to learn from


@dataclass(frozen=True)
class Window:
    """Cases asked at (or from) ``start``, and their rows."""

    start: float
    days: float
    cases: Cases
    data: Labelled

    @property
    def stop(self) -> float:
        return self.start + self.days * DAY_S


def starts(log: EventLog, days: float, most: int, *, end: float | None = None) -> list[float]:
    """Moments of windows of ``days``, the newest first: the one that judges ends with the data, the one that
    calibrates ends where that begins, the others end where it begins or earlier, in steps of 28 days at most.

    >>> log = EventLog.build([0, 0], [0, 0], [0.0, 280 * DAY_S], n_customers=1, n_products=1)
    >>> [round(start / DAY_S) for start in starts(log, 28, 3)]
    [252, 224, 196, 168, 140]
    """
    last = (log.end + 1e-3) if end is None else end
    judged = last - days * DAY_S
    calibrating = judged - days * DAY_S
    step = min(STEP_DAYS, days)
    older = [calibrating - (days + k * step) * DAY_S for k in range(most)]
    earliest = log.start + LEAST_PAST_DAYS * DAY_S
    return [start for start in (judged, calibrating, *older) if start >= earliest]


@dataclass
class Past:
    """A shop's log with the facts of past moments, each made once."""

    log: EventLog
    shelf: Shelf
    config: FactsConfig
    _facts: dict[tuple[float, bool], ShopFacts] = field(default_factory=dict)

    def facts(self, moment: float, *, products: bool = True) -> ShopFacts:
        """As of ``moment``; without ``products`` those of shoppers alone."""
        if (moment, True) in self._facts:
            return self._facts[moment, True]
        if (moment, products) not in self._facts:
            made = ShopFacts.of(self.log, self.shelf, moment, self.config, products=products)
            self._facts[moment, products] = made
        return self._facts[moment, products]

    def window(
        self,
        target: Target,
        start: float,
        days: float,
        *,
        customers: int | None,
        cases: int | None,
        seed: int,
        text: Text = "fit",
    ) -> Window:
        """The cases of a target from ``start`` on. A case that is an event has a moment of its own within the first
        28 days of a window, which is as much longer as its outcome may take."""
        rng = spawn(seed, target.name, str(int(start)))
        facts = self.facts(start, products=target.unit != "customer")
        if target.unit == "customer":
            found = customer_cases(target, self.log, start, days)
        elif target.unit == "pair":
            found = pair_cases(self.log, facts, start, days, most=customers, rng=rng)
        else:
            found = moment_cases(target, self.log, start, start + CASE_DAYS * DAY_S, most=cases, rng=rng)
        return Window(
            start, days, found, Labelled(rows_of(target, self.log, facts, found, text=text), found.labels)
        )


def both(window: Window) -> bool:
    """Whether a window has yes and no."""
    return len(window.cases) > 0 and bool(window.cases.labels.min() < window.cases.labels.max())


def window_days(target: Target, outcome_days: float) -> float:
    """How long a window of a target is."""
    return outcome_days + CASE_DAYS if target.unit == "moment" else outcome_days


def summary(windows: list[Window]) -> str:
    """One line on what was learned from."""
    rows = sum(len(window.cases) for window in windows)
    yes = int(np.sum([window.cases.labels.sum() for window in windows]))
    return f"{rows:,} rows with {yes:,} events in {len(windows)} windows"
