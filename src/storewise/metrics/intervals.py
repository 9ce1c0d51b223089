"""Bootstrap intervals over users (Efron, 1979): what a figure would be with other shoppers of the same kind.

The unit that is resampled is the user, never the single rating or hit: the hits of one user hang together, and
intervals that ignore this are too narrow. The same seed draws the same users for every model, so that the
difference of two models can be resampled in pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95
CHUNK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the bounds of its interval.

    >>> Interval(0.5, 0.4, 0.6).touches(Interval(0.7, 0.6, 0.8))
    True
    """

    value: float
    low: float
    high: float

    def touches(self, other: Interval) -> bool:
        """True when the two intervals share a point."""
        return self.low <= other.high and other.low <= self.high

    def as_dict(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


def mean(values: Values, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> list[Interval]:
    """The mean of each column of ``values`` (n_users, m) with its percentile interval; NaN rows are left out.

    >>> mean(np.ones((5, 1)), seed=1)
    [Interval(value=1.0, low=1.0, high=1.0)]
    """
    kept = values[~np.isnan(values).any(axis=1)]
    return ratio(kept, np.ones_like(kept), seed=seed, resamples=resamples, level=level)


def ratio(
    numerators: Values, denominators: Values, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """Sum of ``numerators`` over sum of ``denominators``, both (n_users, m), column by column.

    With per-user sums of squared errors and counts this is the mean squared error; with weights it is a
    weighted mean over users who have several rows each.
    """
    if not len(numerators):
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return [nothing] * numerators.shape[1]
    drawn = np.concatenate(
        [
            (counts @ numerators) / np.maximum(counts @ denominators, 1e-300)
            for counts in draws(len(numerators), seed, resamples)
        ]
    )
    values = numerators.sum(axis=0) / np.maximum(denominators.sum(axis=0), 1e-300)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [Interval(float(v), float(a), float(z)) for v, a, z in zip(values, low, high, strict=True)]


def paired_difference(
    ours: Values, theirs: Values, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Mean of ``ours - theirs``, both (n_users,) and row by row the same users, resampled in pairs.

    An interval above 0 says better for other users of the same kind too.

    >>> paired_difference(np.array([2.0, 3.0]), np.array([1.0, 2.0]), seed=1).low
    1.0
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"paired values need the same users: {ours.shape} against {theirs.shape}")
    return mean((ours - theirs)[:, None], seed=seed, resamples=resamples, level=level)[0]


def draws(n: int, seed: int, resamples: int) -> Iterator[Values]:
    """How often each of n users is drawn, (chunk, n) at a time; it depends on n and the seed alone."""
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // n)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        users = rng.integers(0, n, size=(size, n), dtype=np.int64) + n * np.arange(size)[:, None]
        yield np.bincount(users.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
