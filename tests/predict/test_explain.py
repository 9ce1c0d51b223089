"""Reasons: what is named moves the prediction as said when it is taken away."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError, LimitExceeded
from storewise.engine.registry import registry
from storewise.predict.base import Labelled, Rows
from storewise.predict.calibrated import Calibrated, Calibration
from storewise.predict.explain import deleted, explain, merged, replaced, without
from storewise.predict.models.logistic import Logistic
from storewise.predict.models.trees import Trees, TreesConfig
from storewise.testing.predictor import shoppers, trained

NAMES = ["predict.logistic.v1", "predict.lightgbm.v1", "predict.blend.v1"]


@pytest.fixture(scope="module")
def later() -> Labelled:
    return shoppers(1, 300)


@pytest.fixture(scope="module", params=NAMES)
def model(request, later) -> Calibrated:
    made = trained(lambda: registry().create(request.param), shoppers(n=1500))
    return Calibrated(made, Calibration.learn(made.scores(later.rows), later.labels))


def test_deleting_the_named_features_moves_the_prediction_as_said(model, later):
    """For nearly every row whose strongest reason is worth more than a tenth of a log odd: without it, the score
    moves to the other side; and far more than without the weakest feature."""
    rows = later.rows.part(np.arange(120))
    background = shoppers(5, 60).rows
    told = merged(model.predictor.contributions(rows))
    scores = model.predictor.scores(rows)
    own = np.log(scores) - np.log1p(-scores)
    moved = {name: own - without(model.predictor, rows, [name], background, draws=30) for name in told.names}
    reasons = explain(model, rows, n=1)
    top = np.array([moved[reason.feature][row] for row, (reason,) in enumerate(reasons)])
    said = np.array([reason.log_odds for (reason,) in reasons])
    strong = np.abs(said) > 0.1
    assert strong.sum() > 60
    assert (np.sign(top[strong]) == np.sign(said[strong])).mean() >= 0.95
    assert np.corrcoef(top, said)[0, 1] > 0.9
    weakest = [told.names[place] for place in np.abs(told.values).argmin(axis=1)]
    least = np.array([moved[name][row] for row, name in enumerate(weakest)])
    assert (np.abs(top) > np.abs(least)).mean() > 0.9


def test_all_top_reasons_together(model, later):
    rows = later.rows.part(np.arange(80))
    background = shoppers(5, 60).rows
    scores = model.predictor.scores(rows)
    own = np.log(scores) - np.log1p(-scores)
    reasons = explain(model, rows, n=3)
    kept = 0
    for row in range(0, 80, 4):
        one = rows.part(np.array([row]))
        names = [reason.feature for reason in reasons[row]]
        said = sum(reason.log_odds for reason in reasons[row])
        gone = own[row] - without(model.predictor, one, names, background, draws=30)[0]
        kept += abs(said) < 0.2 or (np.sign(gone) == np.sign(said) and 0.4 < gone / said < 2.0)
    assert kept >= 18


def test_points_are_the_move_of_the_calibrated_value(model, later):
    rows = later.rows.part(np.arange(20))
    values = model(rows).value
    scores = model.predictor.scores(rows)
    for row, found in enumerate(explain(model, rows, n=2)):
        assert [abs(r.log_odds) for r in found] == sorted((abs(r.log_odds) for r in found), reverse=True)
        for reason in found:
            odds = np.log(scores[row]) - np.log1p(-scores[row]) - reason.log_odds
            expected = values[row] - model.calibration.map(np.array([1 / (1 + np.exp(-odds))]))[0]
            assert reason.points == pytest.approx(expected, abs=1e-9)


def test_logistic_contributions_are_exact(later):
    """Replaced by every background row in turn, the mean move is the difference to the background's mean move."""
    model = trained(lambda: Logistic(), shoppers())
    rows, background = later.rows.part(np.arange(10)), shoppers(5, 40).rows
    mine, theirs = (merged(model.contributions(side)) for side in (rows, background))
    place = mine.names.index("price")
    moved = np.zeros(10)
    own = model.scores(rows)
    for other in range(40):
        mixed = model.scores(replaced(rows, ["price"], background.part(np.full(10, other))))
        moved += (np.log(own / (1 - own)) - np.log(mixed / (1 - mixed))) / 40
    np.testing.assert_allclose(moved, mine.values[:, place] - theirs.values[:, place].mean(), atol=1e-8)


def test_tree_contributions_are_shapley_values():
    """Two features that split at random: each contribution is the mean over both orders of path expectations, by
    brute force over the training rows."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (400, 2)).astype(np.float32)
    y = (rng.random(400) < 0.1 + 0.3 * x[:, 0] + 0.5 * x[:, 0] * x[:, 1]).astype(np.float64)
    rows = Rows.of(numbers=x, number_names=("a", "b"))
    # One tree on all rows without sampling, so that covers are the training rows themselves.
    model = Trees(TreesConfig(rounds=1, learning_rate=1.0, num_leaves=4, min_data_in_leaf=1, feature_fraction=1.0,
                              bagging_fraction=1.0, lambda_l2=0.0))  # fmt: skip
    model.train(Labelled(rows, y), rng=rng)
    scores = model.scores(rows)
    f = np.log(scores / (1 - scores))
    table = {(a, b): f[(x[:, 0] == a) & (x[:, 1] == b)][0] for a in (0, 1) for b in (0, 1)}
    told = model.contributions(rows)
    assert told.base == pytest.approx(f.mean(), abs=1e-6)

    # The tree splits on a first (the stronger one): unknown a averages over all rows, unknown b over those with a.
    def of_a(a: int) -> float:
        return float(f[x[:, 0] == a].mean())

    def of_b(b: int) -> float:
        share = float((x[:, 0] == 1).mean())
        return share * table[1, b] + (1 - share) * table[0, b]

    for a, b in table:
        row = int(np.flatnonzero((x[:, 0] == a) & (x[:, 1] == b))[0])
        phi_a = 0.5 * (of_a(a) - f.mean()) + 0.5 * (table[a, b] - of_b(b))
        assert told.values[row, 0] == pytest.approx(phi_a, abs=1e-5)


def test_deleted():
    rows = shoppers(n=5).rows
    gone = deleted(rows, ["price", "colour", "text", "history of product"])
    assert np.isnan(gone.numbers[:, 0]).all()
    assert (gone.categories[:, 0] == -1).all()
    assert np.array_equal(gone.categories[:, 1], rows.categories[:, 1])
    assert not gone.vectors["text"].any()
    assert (gone.sequences["product"] == -1).all()
    assert np.isfinite(rows.numbers[:, 0]).all()


def test_bad_questions(model, later):
    with pytest.raises(LimitExceeded):
        explain(model, later.rows, n=0)
    with pytest.raises(DataError, match="no 'weight'"):
        deleted(later.rows, ["weight"])
    assert explain(model, later.rows.part(np.arange(0))) == []
