"""The time that one answer may take: what comes too late is left out, and the answer says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from storewise.core.errors import DeadlineExceeded

SHARES = {"retrieve": 0.25, "rank": 0.6, "rerank": 0.85}
"""The part of the budget after which a stage is not begun any more."""


@dataclass(frozen=True)
class Deadline:
    """A budget that began when the request came in.

    >>> late = Deadline(10.0, clock=iter([0.0, 0.009]).__next__)
    >>> late.check("rank")
    Traceback (most recent call last):
    ...
    storewise.core.errors.DeadlineExceeded: 9 ms of 10 ms are gone before rank could begin. Raise the budget \
(deadline_ms), or train a pipeline with less to do.
    """

    budget_ms: float
    clock: Callable[[], float] = time.perf_counter
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_started", self.clock())

    def check(self, stage: str) -> None:
        """Raise when the stage would begin too late.

        Raises:
            DeadlineExceeded: naming the time gone and the budget.
        """
        spent = 1e3 * (self.clock() - self._started)
        if spent >= SHARES[stage] * self.budget_ms:
            raise DeadlineExceeded(
                f"{spent:.0f} ms of {self.budget_ms:g} ms are gone before {stage} could begin.",
                next_step="Raise the budget (deadline_ms), or train a pipeline with less to do.",
            )
