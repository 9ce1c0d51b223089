"""A small problem that only networks can solve: an exclusive or of two categories, and a history that matters."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.predict.base import Labelled, Rows

N, LENGTH = 2400, 6


def make(n: int, seed: int) -> Labelled:
    """Log odds: ±2 by the parity of two categories, one number, 1.5 when the product is in the history."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(1, 6, (n, 2)).astype(np.int32)
    numbers = rng.normal(size=(n, 2)).astype(np.float32)
    history = rng.integers(1, 6, (n, LENGTH)).astype(np.int32)
    history[np.arange(LENGTH)[None] < rng.integers(0, LENGTH + 1, n)[:, None]] = -1
    again = (history == codes[:, :1]).any(axis=1)
    odds = 4.0 * ((codes[:, 0] + codes[:, 1]) % 2) - 2 + numbers[:, 0] + 1.5 * again
    labels = (odds + rng.logistic(size=n) > 0).astype(float)
    numbers[rng.random(n) < 0.2, 1] = np.nan
    rows = Rows.of(
        numbers=numbers, categories=codes, number_names=("price", "age"), category_names=("product", "place"),
        sizes=(6, 6), sequences={"product": history},
        vectors={"title": rng.normal(size=(n, 3)).astype(np.float32)},
    )  # fmt: skip
    return Labelled(rows, labels)


@pytest.fixture(scope="session")
def data() -> Labelled:
    pytest.importorskip("torch", reason="needs the extra deep")
    return make(N, 1)


@pytest.fixture(scope="session")
def later() -> Labelled:
    return make(600, 2)
