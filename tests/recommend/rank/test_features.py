"""What the trees read, against a slow reference, and that nothing later can change it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.recommend.rank.candidates import Candidates
from storewise.recommend.rank.features import BASKET_S, HALF_LIFE_DAYS, features, names_of
from storewise.recommend.rank.product_facts import DAY_S, ProductFacts
from storewise.testing.retriever import shop

N = 40


def everything(histories) -> Candidates:
    b = len(histories)
    row, products = np.repeat(np.arange(b), N), np.tile(np.arange(N, dtype=np.int32), b)
    nothing = np.full((b * N, 1), np.nan, np.float32)
    return Candidates(row, products, nothing, nothing, ("fused",))


@pytest.fixture(scope="module")
def data() -> Dataset:
    made = shop(3)
    rng = np.random.default_rng(1)
    products = made.products.with_columns(
        category=pl.Series([["a", "b", None][i % 3] for i in range(N)]),
        brand=pl.lit(None, pl.String),
        price_minor=pl.Series([None if i == 5 else int(v) for i, v in enumerate(rng.integers(100, 900, N))]),
    )
    return Dataset(
        products, made.customer_ids, made.interactions, watermark=made.watermark + DAY_S, content=made.content
    )


def by_hand(data: Dataset, customer: int, product: int, now: float) -> dict[str, float]:
    rows = data.interactions
    mine = [(t, p) for c, p, t in zip(rows.customers, rows.products, rows.at, strict=True) if c == customer]
    baskets: list[list[tuple[float, int]]] = []
    for t, p in mine:
        if not baskets or t - baskets[-1][-1][0] >= BASKET_S:
            baskets.append([])
        baskets[-1].append((t, p))
    having = [i for i, basket in enumerate(baskets) if product in [p for _, p in basket]]
    found = {"own_times": float(len(having)), "customer_baskets": np.log1p(len(baskets))}
    times = [t for t, p in mine if p == product]
    if times:
        found["own_idle_days"] = (now - times[-1]) / DAY_S
        found["own_first_days"] = (now - times[0]) / DAY_S
        found["own_rate"] = len(having) / len(baskets)
        found["own_baskets_since"] = len(baskets) - 1 - having[-1]
        first_of = [next(t for t, p in baskets[i] if p == product) for i in having]
        found["own_recent"] = sum(2 ** (-(now - t) / DAY_S / HALF_LIFE_DAYS) for t in first_of)
    codes = [["a", "b", None][p % 3] for _, p in mine]
    known = [code for code in codes if code]
    if product % 3 != 2 and known:
        found["category_share"] = known.count(["a", "b"][product % 3]) / len(known)
    return found


def test_a_slow_reference_says_the_same(data: Dataset) -> None:
    now = data.watermark
    who = np.array([0, 3, 7, data.n_customers - 1])
    histories = data.histories(who, now=now)
    columns = features(histories, everything(histories), ProductFacts.of(data))
    names = names_of(("fused",))
    assert columns.shape == (len(who) * N, len(names))
    compared = 0
    for place, customer in enumerate(who):
        for product in range(N):
            expected = by_hand(data, int(customer), product, now)
            told = dict(zip(names, columns[place * N + product], strict=True))
            for name, value in expected.items():
                assert told[name] == pytest.approx(value, rel=1e-4), (name, customer, product)
                compared += 1
            if not expected["own_times"]:
                assert np.isnan(told["own_idle_days"])
    assert compared > 300


def test_later_events_change_nothing(data: Dataset) -> None:
    """The clock is shifted: everything at or after the moment is altered, no feature moves."""
    now = float(np.quantile(data.interactions.at, 0.6))
    rng = np.random.default_rng(5)
    rows = data.interactions
    later = rows.at >= now
    other = Interactions.build(
        rows.customers, np.where(later, rng.integers(0, N, len(rows)), rows.products),
        at=np.where(later, rows.at + 5 * DAY_S, rows.at), n_customers=rows.n_customers, n_products=N,
    )  # fmt: skip
    made = []
    for behaviour in (rows, other):
        whole = Dataset(
            data.products, data.customer_ids, behaviour, watermark=behaviour.end, content=data.content
        )
        past = whole.until(now)
        histories = past.histories(np.arange(20), now=now)
        made.append(features(histories, everything(histories), ProductFacts.of(past)))
    assert later.any()
    np.testing.assert_array_equal(made[0], made[1])


def test_an_event_before_the_moment_does_change_them(data: Dataset) -> None:
    now = data.watermark
    histories = data.histories([0], now=now)
    rows = data.interactions
    more = Interactions.build(
        np.append(rows.customers, 0), np.append(rows.products, 9), at=np.append(rows.at, now - DAY_S),
        n_customers=rows.n_customers, n_products=N,
    )  # fmt: skip
    facts = ProductFacts.of(data)
    before, after = (features(h, everything(h), facts) for h in (histories, more.histories([0], now=now)))
    place = names_of(("fused",)).index("own_times")
    assert after[9, place] == before[9, place] + 1
    assert not np.array_equal(before, after, equal_nan=True)


def test_content_of_the_latest_basket_and_history(data: Dataset) -> None:
    histories = data.histories([3], now=data.watermark)
    names = names_of(("fused",))
    columns = features(histories, everything(histories), ProductFacts.of(data))
    assert data.content is not None
    mean = data.content[histories.products].mean(axis=0)
    expected = data.content @ (mean / np.linalg.norm(mean))
    told = columns[:, names.index("content_history")]
    known = data.content.any(axis=1)
    np.testing.assert_allclose(told[known], expected[known], atol=2e-3)
    assert np.isnan(told[~known]).all()


def test_prices_are_those_paid_before_the_moment() -> None:
    events = pl.DataFrame(
        {"product": [0, 0, 1], "at": [0.0, 5.0, 1.0], "unit_price_minor": [100, 300, 0]},
        schema_overrides={"product": pl.Int32},
    )
    made = Dataset.of([0, 0, 0], [0, 0, 1], at=[0, 5, 1], n_customers=1, n_products=3)
    products = made.products.with_columns(price_minor=pl.Series([999, 700, None]))
    data = Dataset(products, made.customer_ids, made.interactions, watermark=6.0, extra={"events": events})
    assert np.exp(ProductFacts.of(data).log_price[:2]).round().tolist() == [300.0, 700.0]
    assert np.isnan(ProductFacts.of(data).log_price[2])
