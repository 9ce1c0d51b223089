"""The contract suite of predictors of several tasks: what each must keep, for plug-in authors too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from storewise.core.component import same_state
from storewise.core.errors import DataError, StateError
from storewise.predict.base import Rows
from storewise.predict.multitask import MultiLabelled, MultiPredictor

Make = Callable[[], MultiPredictor[Any]]


def small_funnel(n: int = 1500, *, seed: int = 0) -> MultiLabelled:
    """Impressions with click and purchase; the number drives both, the category each its own way.

    >>> small_funnel(50).labels.shape
    (50, 2)
    """
    rng = np.random.default_rng(seed)
    codes = rng.integers(1, 5, (n, 1)).astype(np.int32)
    numbers = rng.normal(size=(n, 1)).astype(np.float32)
    history = rng.integers(1, 5, (n, 3)).astype(np.int32)
    odds = np.stack(
        [numbers[:, 0] + (codes[:, 0] > 2) - 0.5, numbers[:, 0] - 2.0 * (codes[:, 0] > 2)], axis=1
    )
    found = (odds + rng.logistic(size=(n, 2)) > 0).astype(float)
    found[:, 1] *= found[:, 0]
    rows = Rows.of(
        numbers=numbers, categories=codes, number_names=("price",), category_names=("product",), sizes=(5,),
        sequences={"product": history},
    )  # fmt: skip
    return MultiLabelled(rows, found, ("click", "purchase"))


def check_multi_predictor(make: Make) -> None:
    """Raise AssertionError, saying what is broken."""
    data, later = small_funnel(seed=1), small_funnel(400, seed=2)
    model = make()
    _refuses(model, later.rows)
    model.train(data, validation=later, rng=np.random.default_rng(7))
    found = model.scores(later.rows)
    assert model.tasks == data.tasks, f"tasks are {model.tasks}, not {data.tasks}"
    assert found.shape == later.labels.shape, f"scores have the shape {found.shape}"
    assert ((found > 0) & (found < 1)).all(), "scores are no probabilities"
    for task in range(2):
        base = later.labels[:, task].mean()
        loss, plain = _log_loss(later.labels[:, task], found[:, task]), _log_loss(later.labels[:, task], base)
        assert loss < plain, (
            f"{model.tasks[task]} is no better than its mean ({loss:.3f} against {plain:.3f})"
        )
    again, twin = make(), make()
    again.restore(model.state())
    assert np.array_equal(again.scores(later.rows), found), "a restored model answers otherwise"
    twin.train(data, validation=later, rng=np.random.default_rng(7))
    assert same_state(twin.state(), model.state()), "the same seed gives another model"
    one = model.scores(later.rows.part(np.array([3])))
    np.testing.assert_allclose(one, found[3:4], rtol=1e-5, err_msg="a row's score depends on its batch")
    _strange(model, later.rows)


def _refuses(model: MultiPredictor[Any], rows: Rows) -> None:
    try:
        model.scores(rows)
    except StateError:
        pass
    else:
        raise AssertionError("an untrained model answers")
    one_class = small_funnel(50)
    labels = one_class.labels * 0
    try:
        model.train(replace(one_class, labels=labels), rng=np.random.default_rng(1))
    except DataError:
        return
    raise AssertionError("labels of one class are accepted")


def _strange(model: MultiPredictor[Any], rows: Rows) -> None:
    for codes in (-1, 0, 77):
        asked = replace(
            rows,
            numbers=np.full_like(rows.numbers, np.nan),
            categories=np.full_like(rows.categories, codes),
            sequences={"product": np.full_like(rows.sequences["product"], -1)},
        )
        assert np.isfinite(model.scores(asked)).all(), f"category {codes} without a number has no score"
    assert len(model.scores(rows.part(np.zeros(0, np.int64)))) == 0, "no rows, no scores"


def _log_loss(labels: Any, p: Any) -> float:
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p)))
