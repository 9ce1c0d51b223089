"""Integrated gradients: complete, alike by captum and by differences, and exact where the model is linear."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from storewise.predict.base import Labelled, Rows
from storewise.predict.networks import explain
from storewise.predict.networks.din import Din, DinConfig
from storewise.predict.networks.fm import Fm, FmConfig


@pytest.fixture(scope="module")
def din(data: Labelled, later: Labelled) -> Din:
    model = Din(DinConfig(epochs=8, learning_rate=0.01, balance=0.5))
    model.train(data, validation=later, rng=np.random.default_rng(4))
    return model


def ask(model: Any, rows: Rows, how: explain.How) -> Any:
    return explain.contributions(
        model.logits,
        model.parameters,
        model.reading,
        model.outset,
        rows,
        shift=float(model.shift[0]),
        how=how,
    )


def test_they_sum_to_the_difference_of_scores(din: Din, later: Labelled) -> None:
    rows = later.rows.part(np.arange(12))
    found = din.contributions(rows)
    assert found is not None
    assert found.names == ("price", "age", "product", "place", "title", "history of product")
    score = np.log(din.scores(rows) / (1 - din.scores(rows)))
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), score, atol=0.05)
    assert np.ptp(score) > 1


def test_captum_and_differences_agree(din: Din, later: Labelled) -> None:
    pytest.importorskip("captum", reason="needs the extra deep")
    rows = later.rows.part(np.arange(6))
    np.testing.assert_allclose(
        ask(din, rows, "captum").values, ask(din, rows, "differences").values, atol=0.03
    )


def test_a_linear_model_is_explained_exactly() -> None:
    pytest.importorskip("torch", reason="needs the extra deep")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(800, 2)).astype(np.float32)
    data = Labelled(Rows.of(numbers=x, number_names=("a", "b")), (x[:, 0] > 0).astype(float))
    model = Fm(FmConfig(epochs=2))
    model.train(data, rng=rng)
    model.parameters["table"] *= 0  # no pairs: what is left is linear
    found = model.contributions(data.rows)
    assert found is not None
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(found.values, standard * model.parameters["first"], atol=1e-4)


def test_what_matters_is_named(din: Din, later: Labelled) -> None:
    """Taking the number that is named first back to its mean moves the score as said, in sign."""
    rows = later.rows.part(np.flatnonzero(np.abs(later.rows.numbers[:, 0]) > 1.5)[:10])
    found = din.contributions(rows)
    assert found is not None
    price = found.names.index("price")
    without = replace(rows, numbers=rows.numbers * np.array([0, 1], np.float32))

    def odds(asked: Rows) -> Any:
        p = din.scores(asked)
        return np.log(p / (1 - p))

    moved = odds(rows) - odds(without)
    assert np.corrcoef(moved, found.values[:, price])[0, 1] > 0.9
    assert (np.sign(moved) == np.sign(found.values[:, price])).all()
