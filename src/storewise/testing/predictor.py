"""The contract of predictors of events, as a suite that a plug-in's own tests can call.

>>> from storewise.predict.models.rate import Rate
>>> check_predictor(lambda: Rate())
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from storewise.core.component import same_state
from storewise.core.errors import DataError, StateError
from storewise.metrics.probability import roc_auc
from storewise.predict.base import MISSING, Labelled, Predictor, Rows

Make = Callable[[], Predictor[Any]]
ATOL = 1e-6  # sums in another order
LEAST_AUC = 0.6
SIZES = (6, 40)


def shoppers(seed: int = 0, n: int = 900) -> Labelled:
    """Rows with a known law: two numbers (gaps in one), two categories (missing and unseen codes in both), a text as a
    vector, and what was looked at before. A third of the labels are events.

    >>> data = shoppers(n=10)
    >>> data.rows.numbers.shape, data.rows.category_names, sorted(data.rows.vectors), sorted(data.rows.sequences)
    ((10, 2), ('colour', 'product'), ['text'], ['product'])
    """
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n, 2)).astype(np.float32)
    colour, product = (rng.integers(1, size, n) for size in SIZES)
    text = rng.normal(size=(n, 4)).astype(np.float32)
    logit = 1.2 * numbers[:, 0] + np.array([0.0, 1.5, -1.5, 0.0, 1.0, -1.0])[colour] + text[:, 0] - 1.0
    logit += np.where(product % 5 == 0, 2.0, -0.5)
    labels = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float64)
    numbers[rng.random(n) < 0.1, 1] = np.nan
    codes = np.stack([colour, product], axis=1).astype(np.int32)
    codes[rng.random(n) < 0.05, 0] = MISSING
    codes[rng.random(n) < 0.05, 1] = 0
    past = rng.integers(1, SIZES[1], (n, 5)).astype(np.int32)
    past[rng.random((n, 5)) < 0.3] = MISSING
    past.sort(axis=1)  # padding first
    rows = Rows.of(
        numbers=numbers, categories=codes, number_names=("price", "age"), category_names=("colour", "product"),
        sizes=SIZES, vectors={"text": text}, sequences={"product": past},
    )  # fmt: skip
    return Labelled(rows, labels)


def check_predictor(make: Make, seed: int = 0, *, additive: float = 0.05) -> None:
    """Run every check below. ``additive``: how far contributions may be from adding up, in log odds and as a share.

    Raises:
        AssertionError: naming the broken promise.
    """
    data, later = shoppers(seed), shoppers(seed + 1, n=500)
    check_refusals(make, data)
    model = trained(make, data, seed)
    check_scores(model, later)
    check_odd_rows(model, later.rows)
    check_odd_training(make, data)
    check_contributions(model, later.rows.part(np.arange(60)), additive)
    again = trained(make, data, seed)
    assert same_state(model.state(), again.state()), "training twice gives different states"
    check_restored(make, model, later.rows)


def trained(make: Make, data: Labelled, seed: int = 0) -> Predictor[Any]:
    """A new model, with the last fifth of the rows for early stopping."""
    cut = int(0.8 * len(data.labels))
    head, tail = (
        Labelled(data.rows.part(np.arange(a, z)), data.labels[a:z])
        for a, z in ((0, cut), (cut, len(data.labels)))
    )
    model = make()
    model.train(head, validation=tail, rng=np.random.default_rng(seed))
    return model


def check_refusals(make: Make, data: Labelled) -> None:
    """Untrained, one class, no rows, labels that are no event: each an error that says so."""
    _refuses(lambda: make().scores(data.rows), StateError, "an untrained model answered")
    nothing = np.arange(0)
    for labels, rows, what in (
        (np.zeros_like(data.labels), data.rows, "labels of one class were accepted"),
        (data.labels[nothing], data.rows.part(nothing), "no rows were accepted"),
        (data.labels + 1.0, data.rows, "labels other than 0 and 1 were accepted"),
        (data.labels[:-1], data.rows, "fewer labels than rows were accepted"),
    ):
        bad = Labelled(rows, labels)
        _refuses(lambda bad=bad: make().train(bad, rng=np.random.default_rng(0)), DataError, what)  # type: ignore[misc]


def check_scores(model: Predictor[Any], later: Labelled) -> None:
    """Probabilities that say something, each by its row alone; none for no rows."""
    found = model.scores(later.rows)
    assert found.shape == later.labels.shape, f"scores have shape {found.shape}"
    assert found.dtype == np.float64, f"scores are {found.dtype}"
    assert np.isfinite(found).all(), "a score is not finite"
    assert found.min() >= 0.0, "a score is below 0"
    assert found.max() <= 1.0, "a score is above 1"
    assert roc_auc(later.labels, found) > LEAST_AUC, "the model has not learned a plain law"
    order = np.random.default_rng(1).permutation(len(found))
    np.testing.assert_allclose(
        model.scores(later.rows.part(order)), found[order], atol=ATOL, err_msg="order matters"
    )
    alone = np.concatenate([model.scores(later.rows.part(np.array([place]))) for place in range(5)])
    np.testing.assert_allclose(alone, found[:5], atol=ATOL, err_msg="a row's score depends on its batch")
    assert len(model.scores(later.rows.part(np.arange(0)))) == 0, "no rows, but scores"


def check_odd_rows(model: Predictor[Any], rows: Rows) -> None:
    """All missing, unseen codes, codes of a larger vocabulary, huge numbers: finite scores."""
    few = rows.part(np.arange(6))
    odd = {
        "all missing": replace(
            few, numbers=np.full_like(few.numbers, np.nan), categories=np.full_like(few.categories, MISSING),
            vectors={name: np.zeros_like(block) for name, block in few.vectors.items()},
            sequences={name: np.full_like(codes, MISSING) for name, codes in few.sequences.items()},
        ),
        "unseen categories": replace(few, categories=np.zeros_like(few.categories)),
        "huge numbers": replace(few, numbers=np.full_like(few.numbers, 1e30)),
    }  # fmt: skip
    for what, block in odd.items():
        found = model.scores(block)
        assert np.isfinite(found).all(), f"{what}: a score is not finite"
        assert ((found >= 0) & (found <= 1)).all(), f"{what}: a score is no probability"


def check_odd_training(make: Make, data: Labelled) -> None:
    """A constant column, one that is always missing, few rows: trained, with finite scores."""
    numbers = data.rows.numbers.copy()
    numbers[:, 0], numbers[:, 1] = 7.0, np.nan
    for what, odd in (
        ("a constant and an empty column", Labelled(replace(data.rows, numbers=numbers), data.labels)),
        ("two rows", _few(data, 1)),
        ("twenty rows", _few(data, 10)),
    ):
        model = make()
        model.train(odd, rng=np.random.default_rng(0))
        assert np.isfinite(model.scores(data.rows)).all(), f"{what}: a score is not finite"


def _few(data: Labelled, each: int) -> Labelled:
    places = np.concatenate([np.flatnonzero(data.labels == label)[:each] for label in (0.0, 1.0)])
    return Labelled(data.rows.part(places), data.labels[places])


def check_contributions(model: Predictor[Any], rows: Rows, additive: float) -> None:
    """By name, finite, and together with the base the log odds of the score; or None."""
    told = model.contributions(rows)
    if told is None:
        return
    assert told.values.shape == (len(rows), len(told.names)), f"contributions have shape {told.values.shape}"
    assert np.isfinite(told.values).all(), "a contribution is not finite"
    known = {*rows.number_names, *rows.category_names, *rows.vectors, *rows.sequences}
    known |= {f"history of {name}" for name in rows.sequences}
    assert set(told.names) <= known, f"contributions of unknown features: {set(told.names) - known}"
    scores = np.clip(model.scores(rows), 1e-9, 1 - 1e-9)
    log_odds = np.log(scores) - np.log1p(-scores)
    gap = np.abs(told.base + told.values.sum(axis=1) - log_odds)
    assert (gap <= additive + additive * np.abs(log_odds)).all(), (
        f"contributions do not add up: off by {gap.max():.3g}"
    )


def check_restored(make: Make, model: Predictor[Any], rows: Rows) -> None:
    """State is plain arrays, and a restored model answers bit for bit the same."""
    state = model.state()
    assert state, "a trained model has no state"
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in state.values()), "state is not arrays"
    again = make()
    again.restore({name: array.copy() for name, array in state.items()})
    assert np.array_equal(again.scores(rows), model.scores(rows)), "a restored model answers differently"
    ours, theirs = (
        again.contributions(rows.part(np.arange(20))),
        model.contributions(rows.part(np.arange(20))),
    )
    if theirs is not None:
        assert ours is not None, "a restored model has lost its contributions"
        assert np.array_equal(ours.values, theirs.values), "restored: contributions differ"


def _refuses(act: Callable[[], Any], error: type[Exception], what: str) -> None:
    try:
        act()
    except error:
        return
    raise AssertionError(what)
