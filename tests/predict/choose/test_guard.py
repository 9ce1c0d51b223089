"""The small-data guard: simple models on little data, clever ones where they pay, the reason said; searches resume."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError, UnknownName
from storewise.core.progress import Silent
from storewise.core.run_context import RunContext
from storewise.core.tracking import Journal, open_runs, read_curves
from storewise.predict.base import Labelled, Predictor, Rows
from storewise.predict.choose import guard
from storewise.predict.choose.contest import Contest, Fold
from storewise.predict.choose.folds import by_group, by_time, stratified, validation_folds
from storewise.predict.choose.guard import choose, predictors, registry
from storewise.predict.choose.tune import tune

RATE, LOGISTIC, TREES, BLEND = (f"predict.{n}.v1" for n in ("rate", "logistic", "lightgbm", "blend"))


def additive(n: int, seed: int = 0, *, crossed: bool = False) -> Labelled:
    """A law that adds up; or one of signs that no sum can say."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    z = 2.5 * np.sign(x[:, 0] * x[:, 1]) if crossed else 1.2 * x[:, 0] - x[:, 1]
    labels = (rng.random(n) < 1 / (1 + np.exp(1.0 - z))).astype(np.float64)
    return Labelled(Rows.of(numbers=x, number_names=("a", "b", "c")), labels)


def folds_of(data: Labelled) -> list[Fold]:
    n = len(data.labels)
    made = validation_folds(np.arange(n), "time", data.labels, seed=0, moments=np.arange(n))

    def part(places):
        return Labelled(data.rows.part(places), data.labels[places])

    return [Fold(part(one.train), part(one.later)) for one in made]


def test_two_thousand_rows_get_logistic_regression():
    """No network is even tried, and the reason says so."""
    made = choose(folds_of(additive(2000)), budget_s=2, seed=1)
    assert made.selected == LOGISTIC
    networks = [a for a in made.attempts if a.complexity >= guard.NETWORK]
    assert all(a.skipped == "needs 5,000 rows" for a in networks)
    assert "validation rows" in made.reason
    assert made.reason.count(". ") == 0
    assert ("not tried" in made.reason) == bool(networks)
    assert len(made.attempts) == len(predictors())


def test_trees_are_taken_where_they_pay():
    made = choose(
        folds_of(additive(3000, crossed=True)), candidates=[RATE, LOGISTIC, TREES], budget_s=0.1, seed=1
    )
    assert made.selected == TREES
    assert made.reason.startswith(f"{TREES} has the least log loss")


def test_of_two_alike_the_simpler_is_taken(monkeypatch):
    """Labels by chance: nothing beats the rate by more than its standard error."""
    rng = np.random.default_rng(3)
    data = additive(1500)
    made = choose(
        folds_of(Labelled(data.rows, (rng.random(1500) < 0.3).astype(np.float64))),
        candidates=[TREES, LOGISTIC, RATE], budget_s=0.1, seed=1,
    )  # fmt: skip
    assert made.selected == RATE


def test_one_standard_error_is_what_the_formula_says():
    """By hand: gaps of the simpler model to the best one, mean against std / sqrt(n)."""
    rng = np.random.default_rng(0)
    best = guard.Attempt("predict.best.v1", 20, losses=rng.random(400))
    fold = Fold(additive(10), additive(400))
    for shift, expected in ((0.5, "predict.simple.v1"), (1.5, "predict.best.v1")):
        gaps = rng.normal(size=400)
        gaps = (gaps - gaps.mean()) / gaps.std(ddof=1) + shift / np.sqrt(400)
        simple = guard.Attempt("predict.simple.v1", 10, losses=best.losses + gaps)
        chosen, reason, why = guard._simplest([simple, best], [simple, best], [fold])
        assert chosen == expected
        assert reason.endswith(".")
        assert (why["code"] == "simplest") == (expected == "predict.simple.v1")


def test_budget_is_kept_and_said():
    made = choose(folds_of(additive(2000)), budget_s=0.0, seed=1)
    assert made.selected == RATE
    assert "no time was left" in made.reason


def test_a_busy_machine_still_tries_what_is_quick():
    """No time at all, but little data: the models that are no networks are tried, and the settings known to do well."""
    made = choose(folds_of(additive(900, crossed=True)), budget_s=1e-9, seed=1)
    assert made.selected in (TREES, BLEND)
    assert made.of(TREES).trials == 1 + len(registry().get(TREES).starts())
    assert made.of(LOGISTIC).loss > made.of(TREES).loss
    assert all(a.skipped for a in made.attempts if a.complexity >= guard.NETWORK)


def test_the_blend_is_the_pool_of_its_members():
    """By hand, and what is trained again has the members' configs and that weight."""
    data = additive(1200, seed=2)
    made = choose(folds_of(data), candidates=[LOGISTIC, TREES, BLEND], budget_s=0.1, seed=1)
    blend, w = made.of(BLEND), made.of(BLEND).config.weight
    z = [np.log(made.of(name).scores / (1 - made.of(name).scores)) for name in (LOGISTIC, TREES)]
    np.testing.assert_allclose(blend.scores, 1 / (1 + np.exp(-(1 - w) * z[0] - w * z[1])), rtol=1e-9)
    assert blend.config.trees == made.of(TREES).config
    assert blend.config.logistic == made.of(LOGISTIC).config
    assert (
        blend.loss
        <= guard.recalibrated_losses(1 / (1 + np.exp(-(z[0] + z[1]) / 2)), made.labels).mean() + 1e-12
    )
    assert made.refit(BLEND, data, seed=1).scores(data.rows).shape == (1200,)


def test_refit_learns_from_all_rows_with_the_chosen_config():
    data = additive(3000, crossed=True)
    made = choose(folds_of(data), candidates=[TREES, RATE], budget_s=0.1, seed=1)
    model = made.refit(TREES, data, seed=1)
    assert isinstance(model, Predictor)
    assert model.scores(data.rows).shape == (3000,)
    assert len(made.labels) == len(made.of(TREES).scores)


def test_a_tracker_is_told(tmp_path):
    """Every attempt, at steps that never go back."""
    journal = Journal(tuple(open_runs(tmp_path, [])))
    told = RunContext(journal=journal)
    choose(folds_of(additive(800)), candidates=[RATE, LOGISTIC], budget_s=0.0, seed=1, context=told)
    journal.finish()
    lines = read_curves(tmp_path)
    assert [line["step"] for line in lines] == [1, 2]
    losses = [value for line in lines for name, value in line.items() if "log loss" in name]
    assert len(losses) == 2
    assert all(0 < value < 1 for value in losses)


def test_a_search_is_gone_on_with(tmp_path):
    """Four trials, then a new process's four more: eight in the storage, and the best is never worse."""
    contest = Contest(registry(), tuple(folds_of(additive(600))), 1, Silent())
    storage = f"sqlite:///{tmp_path / 'search.db'}"
    first = tune(contest, LOGISTIC, budget_s=30, storage=storage, most=4)
    again = tune(contest, LOGISTIC, budget_s=30, storage=storage, most=8)
    done = tune(contest, LOGISTIC, budget_s=30, storage=storage, most=8)
    assert first is not None
    assert again is not None
    assert done is not None
    assert (first.trials, again.trials, done.trials) == (4, 8, 8)
    assert again.loss <= first.loss + 1e-12
    assert done.loss == pytest.approx(again.loss)
    assert done.config == again.config


def test_nothing_to_tune():
    contest = Contest(registry(), tuple(folds_of(additive(300))), 1, Silent())
    assert tune(contest, RATE, budget_s=5) is None
    assert tune(contest, LOGISTIC, budget_s=0) is None


def test_bad_questions():
    with pytest.raises(DataError, match="no validation part"):
        choose([], budget_s=1, seed=1)
    with pytest.raises(UnknownName):
        choose(folds_of(additive(300)), candidates=["predict.oracle.v1"], budget_s=1, seed=1)


def test_time_folds_are_later_and_inside():
    moments = np.random.default_rng(0).integers(0, 50, 400)
    labels = np.tile([0.0, 1.0], 200)
    split = by_time(moments, 0.2)
    assert moments[split.train].max() < moments[split.later].min()
    assert 60 <= len(split.later) <= 100
    made = validation_folds(split.train, "time", labels, seed=0, moments=moments)
    assert len(made) == 2
    for fold in made:
        assert moments[fold.train].max() < moments[fold.later].min()
        assert set(fold.train) | set(fold.later) <= set(split.train)


def test_groups_are_never_parted():
    groups = np.random.default_rng(0).integers(0, 30, 400)
    labels = np.tile([0.0, 1.0], 200)
    split = by_group(groups, 0.2, np.random.default_rng(1))
    assert not set(groups[split.train]) & set(groups[split.later])
    for fold in validation_folds(split.train, "group", labels, seed=0, groups=groups):
        assert not set(groups[fold.train]) & set(groups[fold.later])


@pytest.mark.parametrize("seed", range(6))
def test_a_huge_group_is_no_test(seed):
    """Most rows are of one group: it is learned from, whatever the order by chance; and one group that is left is
    validated by its rows."""
    groups = np.repeat([7, 1, 2, 3, 4], [1000, 40, 30, 20, 10])
    split = by_group(groups, 0.2, np.random.default_rng(seed))
    assert 0 < len(split.later) <= 0.2 * len(groups)
    two = np.repeat([0, 1], [300, 1000])
    split = by_group(two, 0.2, np.random.default_rng(seed))
    assert set(two[split.later]) == {0}
    labels = np.tile([0.0, 1.0], 650)
    made = validation_folds(split.train, "group", labels, seed=0, groups=two)
    assert sorted(np.concatenate([fold.later for fold in made])) == sorted(split.train)


def test_strata_keep_their_share():
    labels = np.array([1.0] * 20 + [0.0] * 380)
    split = stratified(labels, 0.2, np.random.default_rng(0))
    assert labels[split.later].sum() == 4
    assert sorted(np.concatenate([split.train, split.later])) == list(range(400))
    made = validation_folds(split.train, "chance", labels, seed=0)
    assert [labels[fold.later].sum() for fold in made] == [6.0, 5.0, 5.0]
