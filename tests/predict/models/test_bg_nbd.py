"""The predictor around BG/NBD: columns of a shop in, probabilities and amounts out."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.predict.base import Labelled, Rows
from storewise.predict.choose.contest import Fold
from storewise.predict.choose.guard import choose
from storewise.predict.models.bg_nbd import NEEDED, BgNbdConfig, BgNbdPredictor


def customers(n: int = 400) -> Labelled:
    """Two kinds: regular buyers, and ones who left long ago."""
    rng = np.random.default_rng(0)
    regular = rng.random(n) < 0.5
    orders = np.where(regular, rng.integers(5, 20, n), rng.integers(1, 4, n))
    tenure = rng.uniform(150, 350, n)
    recency = np.where(regular, rng.uniform(0, 20, n), rng.uniform(0.5, 1.0, n) * tenure)
    recency = np.where(orders == 1, tenure, recency)
    columns = np.stack([recency, np.log1p(orders), tenure, np.log1p(rng.uniform(900, 1100, n))], axis=1)
    rows = Rows.of(numbers=columns, number_names=(*NEEDED, "order_value_log"))
    return Labelled(rows, (regular & (rng.random(n) < 0.8)).astype(float))


def test_it_knows_who_is_there():
    data = customers()
    model = BgNbdPredictor()
    model.train(data, rng=np.random.default_rng(0))
    scores = model.scores(data.rows)
    assert scores[data.labels == 1].mean() > scores[data.labels == 0].mean() + 0.3
    churn = BgNbdPredictor(BgNbdConfig(outcome="churn"))
    churn.train(data, rng=np.random.default_rng(0))
    np.testing.assert_allclose(churn.scores(data.rows), 1 - scores)
    found = BgNbdPredictor()  # told nothing, it sees from the labels which of the two they are
    found.train(Labelled(data.rows, 1 - data.labels), rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.scores(data.rows), 1 - scores)


def test_contributions_add_up_and_have_the_right_sign():
    data = customers()
    model = BgNbdPredictor()
    model.train(data, rng=np.random.default_rng(0))
    said = model.contributions(data.rows)
    assert said is not None
    scores = 1 / (1 + np.exp(-(said.base + said.values.sum(axis=1))))
    np.testing.assert_allclose(scores, model.scores(data.rows), atol=2e-6)
    often = np.expm1(data.rows.numbers[:, 1]) > 10
    assert said.values[often, 1].mean() > 0  # many orders raise it


def test_value_is_orders_times_their_value():
    data = customers()
    model = BgNbdPredictor(BgNbdConfig(outcome="value", horizon_days=90))
    model.train(Labelled(data.rows, data.labels * 3_000), rng=np.random.default_rng(0))
    value = model.scores(data.rows)
    assert value[data.labels == 1].mean() > 1_000  # a regular buys more than once in 90 days, for 1,000 each
    assert value.min() >= 0


def test_state_and_missing_columns():
    data = customers()
    model = BgNbdPredictor()
    model.train(data, rng=np.random.default_rng(0))
    again = BgNbdPredictor()
    again.restore(model.state())
    np.testing.assert_array_equal(again.scores(data.rows), model.scores(data.rows))
    other = Rows.of(numbers=np.zeros((3, 1)), number_names=("price",))
    np.testing.assert_allclose(model.scores(other), data.labels.mean())
    nobody = Rows.of(numbers=np.full((2, 3), np.nan), number_names=NEEDED)
    np.testing.assert_allclose(model.scores(nobody), data.labels.mean())


def test_one_class():
    data = customers()
    with pytest.raises(DataError):
        BgNbdPredictor().train(Labelled(data.rows, np.ones(len(data.labels))), rng=np.random.default_rng(0))


def test_it_is_not_tried_on_other_tables():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1))
    part = Labelled(Rows.of(numbers=x, number_names=("price",)), (x[:, 0] > 0).astype(float))
    choice = choose(
        [Fold(part, part)], candidates=["predict.rate.v1", "predict.bg_nbd.v1"], budget_s=1, seed=0
    )
    assert "needs the columns" in choice.of("predict.bg_nbd.v1").skipped
