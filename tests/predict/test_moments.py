"""Moments look at nothing later: against a slow reference, and with the future changed."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.data.interactions import DAY_S, Interactions
from storewise.predict.moments import Moments, MomentsConfig, moments

N_PRODUCTS = 12


def shop(seed: int = 0, n: int = 400) -> Interactions:
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 60, n) * DAY_S  # whole days: many events share a moment
    return Interactions.build(
        rng.integers(0, 15, n), rng.integers(0, N_PRODUCTS, n), at=at, n_customers=15, n_products=N_PRODUCTS
    )


def make(events: Interactions, **given: object) -> Moments:
    config = MomentsConfig(length=5, **given)  # type: ignore[arg-type]
    return moments(
        events, config, rng=np.random.default_rng(3), categories=(np.arange(N_PRODUCTS) % 3).astype(np.int32)
    )


def test_every_feature_against_a_slow_reference() -> None:
    events = shop()
    found = make(events)
    rows, labels = found.labelled.rows, found.labelled.labels
    assert 0.15 < labels.mean() < 0.35
    assert (np.diff(found.at) >= 0).all()
    for i in range(0, len(labels), 37):
        who, what, at = found.customers[i], rows.categories[i, 0] - 1, found.at[i]
        before = events.at < at
        mine, its = before & (events.customers == who), before & (events.products == what)
        late = its & (events.at >= at - 28 * DAY_S)
        expected = [
            its.sum(),
            late.sum(),
            mine.sum(),
            (at - events.at[mine].max()) / DAY_S,
            (mine & its).sum(),
        ]
        np.testing.assert_allclose(np.expm1(rows.numbers[i, :5]), expected, rtol=1e-4, atol=1e-4)
        pair = events.at[mine & its]
        last = (at - pair.max()) / DAY_S if len(pair) else np.nan
        np.testing.assert_allclose(np.expm1(rows.numbers[i, 5]), last, rtol=1e-4)
        history = events.products[np.flatnonzero(mine)][-5:]
        assert rows.sequences["product"][i].tolist() == [-1] * (5 - len(history)) + (history + 1).tolist()
        assert rows.sequences["category"][i].tolist() == [-1] * (5 - len(history)) + (history % 3).tolist()
        took = ((events.customers == who) & (events.products == what) & (events.at == at)).any()
        assert took == bool(labels[i])


def test_the_future_changes_nothing() -> None:
    """The same rows with all later events gone: no feature moves."""
    events = shop()
    ratings = np.where(np.arange(len(events)) % 2, 5.0, 1.0).astype(np.float32)
    config = MomentsConfig(length=5)
    whole = moments(events, config, rng=np.random.default_rng(3), ratings=ratings)
    early = events.at < 30 * DAY_S
    part = moments(events.select(early), config, rng=np.random.default_rng(3), ratings=ratings[early])
    n = len(part.at)
    assert n > 50
    kept = whole.labelled.rows.part(np.arange(n))
    np.testing.assert_array_equal(kept.numbers, part.labelled.rows.numbers)
    np.testing.assert_array_equal(kept.sequences["product"], part.labelled.rows.sequences["product"])
    np.testing.assert_array_equal(whole.labelled.labels[:n], part.labelled.labels)


def test_ratings_are_rows_of_their_own() -> None:
    events = shop()
    ratings = np.full(len(events), 3.0, np.float32)
    ratings[::4], ratings[1::4] = 4.0, np.nan
    found = moments(events, MomentsConfig(least=0), rng=np.random.default_rng(1), ratings=ratings)
    assert len(found.at) == int(np.isfinite(ratings).sum())
    assert found.labelled.labels.sum() == (ratings >= 4).sum()


def test_limits_and_refusals() -> None:
    assert len(make(shop(), most=50).at) == 50
    with pytest.raises(DataError, match="have no times"):
        make(Interactions.build([0], [1], n_customers=1, n_products=N_PRODUCTS))
    with pytest.raises(DataError, match="more than 500 events"):
        make(shop(), least=500)
