"""What a policy remembers of each arm: sums that can fade, or reach back a number of updates only."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.explore.base import Floats, Ints


class MemoryConfig(Config):
    """``discount`` γ: what is known fades by γ a decision (Garivier & Moulines, 2011), for tastes that drift.
    ``window``: only the last so many updates count (0: all), for tastes that jump."""

    discount: float = Field(default=1.0, gt=0.0, le=1.0)
    window: int = Field(default=0, ge=0, le=10_000)


class Memory:
    """Sums by arm: ``widths`` numbers an arm; arms are added as they are met.

    After a batch of n decisions, sums = γⁿ · sums + batch: evidence ages with traffic and not with the clock
    of updates, and the order within the batch cannot matter.

    >>> memory = Memory(2, discount=0.5)
    >>> memory.add(np.array([1, 1]), np.array([[1.0, 0.0], [1.0, 1.0]]), decisions=2)
    >>> memory.add(np.array([0]), np.array([[1.0, 1.0]]), decisions=1)
    >>> memory.of(np.array([0, 1, 9])).tolist()
    [[1.0, 1.0], [1.0, 0.5], [0.0, 0.0]]
    """

    def __init__(self, width: int, *, discount: float = 1.0, window: int = 0) -> None:
        self.width, self.discount, self.window = width, discount, window
        self.updates = 0
        self._sums = np.zeros((0, width))
        self._recent = np.zeros((window, 0, width))

    def add(self, arms: Ints, values: Floats, *, decisions: int) -> None:
        """Add ``values`` (n, width) of ``arms`` (n,), the outcome of so many decisions."""
        if not decisions:
            return
        self._grow(int(arms.max(initial=-1)) + 1)
        batch = np.zeros_like(self._sums)
        np.add.at(batch, arms, values)
        fade = self.discount**decisions
        if self.window:
            self._recent *= fade
            self._recent[self.updates % self.window] = batch
            self._sums = self._recent.sum(axis=0)
        else:
            self._sums = fade * self._sums + batch
        self.updates += 1

    def of(self, arms: Ints) -> Floats:
        """(m, width) what is known of some arms: zeros for those never met."""
        found = np.zeros((len(arms), self.width))
        known = arms < len(self._sums)
        found[known] = self._sums[arms[known]]
        return found

    def total(self) -> Floats:
        """(width,) over all arms."""
        found: Floats = self._sums.sum(axis=0)
        return found

    def state(self) -> Arrays:
        """Plain arrays."""
        return {"sums": self._sums.copy(), "recent": self._recent.copy(), "updates": np.array([self.updates])}

    def restore(self, state: Arrays) -> None:
        """Take the arrays of ``state``."""
        self._sums = np.array(state["sums"], np.float64)
        self._recent = np.array(state["recent"], np.float64)
        self.updates = int(state["updates"][0])

    def _grow(self, arms: int) -> None:
        missing = arms - len(self._sums)
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, missing), (0, 0)))
            self._recent = np.pad(self._recent, ((0, 0), (0, missing), (0, 0)))
