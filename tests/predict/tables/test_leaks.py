"""Leaks: found where a column knows the outcome, not where it is merely strong."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from storewise.predict.tables.leaks import find_leaks

N = 2000


def labels(rate: float = 0.1, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(N) < rate).astype(np.float64)


def leaks(column: pl.Series, y: np.ndarray, moments: np.ndarray | None = None) -> list[str]:
    return [leak.column for leak in find_leaks(column.alias("x").to_frame(), y, moments=moments)]


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_filled_when_it_happens(rate):
    y = labels(rate)
    assert leaks(pl.Series([7 if v else None for v in y]), y) == ["x"]
    assert leaks(pl.Series([None if v else "reason" for v in y]), y) == ["x"]


def test_more_than_nothing_for_events_only():
    """Spent money: 0 for most, more for some of the events."""
    y = labels(0.15)
    spent = np.where((y == 1) & (np.arange(N) % 8 == 0), 12.5, 0.0)
    assert leaks(pl.Series(spent), y) == ["x"]
    assert leaks(pl.Series(np.where(spent > 0, "yes", "no")), y) == ["x"]


def test_later_than_the_row():
    y = labels(0.3)
    moments = np.arange(N) * 60_000_000
    gap = np.where(y == 1, 5, 500) * 1_000_000
    assert leaks(pl.Series(moments + gap).cast(pl.Datetime("us")), y, moments) == ["x"]
    assert leaks(pl.Series(moments - gap).cast(pl.Datetime("us")), y, moments) == []
    promised = moments + np.random.default_rng(0).integers(1, 99, N) * 3_600_000_000
    assert leaks(pl.Series(promised).cast(pl.Datetime("us")), y, moments) == []


def test_the_label_under_another_name():
    y = labels(0.3)
    assert leaks(pl.Series(np.where(y == 1, "won", "lost")), y) == ["x"]


def test_strong_features_are_kept():
    y = labels(0.1)
    rng = np.random.default_rng(1)
    flip = rng.random(N) < 0.03
    assert leaks(pl.Series(np.where(flip, 1 - y, y)), y) == []
    assert leaks(pl.Series(y * 3 + rng.normal(size=N)), y) == []
    assert leaks(pl.Series([None if rng.random() < 0.5 else 1.0 for _ in y]), y) == []
    never = np.where(y == 1, 0, rng.random(N) < 0.3)  # bots never buy
    assert leaks(pl.Series(never), y) == []


def test_few_events_say_nothing():
    y = np.zeros(N)
    y[:5] = 1
    assert leaks(pl.Series([1 if v else None for v in y]), y) == []
