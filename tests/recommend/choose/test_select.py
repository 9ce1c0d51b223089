"""Selection: what is tried, what is chosen, and that nothing of the test is needed for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import storewise.recommend.choose.select as choosing
from storewise.core.errors import ConfigError, UnknownName
from storewise.core.progress import Silent
from storewise.core.registry import Registry
from storewise.core.rng import derive_seed, spawn
from storewise.data.dataset import Dataset
from storewise.metrics.intervals import Interval
from storewise.recommend.choose.blend import SMALL, Pool, cross_fitted, learn, likeliest
from storewise.recommend.choose.judge import Judge
from storewise.recommend.choose.select import (
    EASE,
    FUSION,
    IALS,
    KNN,
    POPULAR,
    REPEAT,
    USER_KNN,
    Selection,
    automatic,
    select,
)
from storewise.recommend.choose.task import Task
from storewise.recommend.choose.tune import Choice, Workshop, tune
from storewise.recommend.request import Reason, Request
from storewise.recommend.retrieve import COMPONENTS
from storewise.recommend.retrieve.fusion import FLOOR, Fusion, FusionConfig, Member, standardise
from storewise.recommend.retrieve.item_knn import ItemKnnConfig
from storewise.recommend.retrieve.popular import Popular, PopularConfig

DAY = 86_400.0


def tastes(seed=0, customers=400, products=60, chance=0.0, k=5):
    """Customers of six tastes; ``chance`` of a choice by pure luck. The last choice is the question."""
    rng = np.random.default_rng(seed)
    who, what, at = [], [], []
    for customer in range(customers):
        own = np.flatnonzero(np.arange(products) % 6 == customer % 6)
        for day in range(12):
            pick = rng.integers(products) if rng.random() < chance else rng.choice(own)
            who.append(customer), what.append(pick), at.append(day * DAY * 9)
    data = Dataset.of(who, what, at=at, n_customers=customers, n_products=products)
    later = data.interactions.at > 10.5 * 9 * DAY
    train = data.until(10.5 * 9 * DAY)
    relevant = data.interactions.select(later).matrix
    return train, Task(train.histories(np.arange(customers)), relevant, None, k)


def test_clear_tastes_are_learned_and_the_choice_is_above_popularity():
    train, task = tastes()
    found = select(train, task, candidates=[POPULAR, KNN], budget_s=5, seed=1)
    values = {choice.name: choice.validation for choice in found.choices}
    assert found.selected == KNN
    assert values[KNN] > 2 * values[POPULAR]
    assert "popular has" in found.reason


def test_pure_luck_gives_popularity_and_says_so():
    train, task = tastes(chance=1.0)
    found = select(train, task, candidates=[POPULAR, KNN, USER_KNN], budget_s=3, seed=1)
    assert found.selected == POPULAR
    assert "by more than chance" in found.reason


def test_the_reported_value_is_that_of_the_refitted_model():
    train, task = tastes(chance=0.3)
    found = select(train, task, candidates=[POPULAR, KNN, USER_KNN], budget_s=3, seed=1)
    judge = Judge(task, most=len(task), rng=np.random.default_rng(0))
    for name, model in found.refit(train, seed=1).items():
        choice = next(c for c in found.choices if c.name == name)
        assert judge.value(model) == pytest.approx(choice.validation, abs=1e-9), name


def test_a_fusion_is_refitted_with_the_models_that_stand_beside_it():
    train, _ = tastes(chance=0.4)
    knn = ItemKnnConfig(decay=0.2, neighbours=20)
    fusion = FusionConfig(
        members=(Member(use=KNN, config=knn.model_dump(), weight=0.7), Member(use=POPULAR, weight=0.3))
    )
    choices = (
        Choice(FUSION, fusion, 0.3, 1, 0.0),
        Choice(KNN, knn, 0.2, 1, 0.0),
        Choice(POPULAR, PopularConfig(), 0.1, 1, 0.0),
    )
    selection = Selection(choices, FUSION, "")
    models = selection.refit(train, seed=1)
    assert list(models) == [FUSION, KNN, POPULAR]
    assert models[FUSION].members[0] is models[KNN]  # trained once
    alone = selection.refit(train, seed=1, names=[FUSION])
    assert list(alone) == [FUSION]
    histories = train.histories(np.arange(20))
    np.testing.assert_array_equal(models[FUSION].scores(histories), alone[FUSION].scores(histories))


def test_all_candidates_are_choices_best_first():
    train, task = tastes(chance=0.4)
    found = select(train, task, candidates=[POPULAR, KNN, USER_KNN, FUSION], budget_s=3, seed=1)
    values = [choice.validation for choice in found.choices]
    assert values == sorted(values, reverse=True)
    assert {POPULAR, KNN, USER_KNN} <= {choice.name for choice in found.choices}


@pytest.mark.parametrize(
    ("customers", "expected"),
    [(10, [POPULAR]), (100, [POPULAR, REPEAT, KNN])],
)
def test_little_data_means_simple_methods(customers, expected):
    train, task = tastes(customers=customers)
    names, why = automatic(train, task)
    assert names == expected
    assert f"{customers:,} shoppers" in why
    assert why in select(train, task, budget_s=2, seed=0).reason


@pytest.mark.parametrize(("low", "taken"), [(-0.001, False), (0.001, True)])
def test_fusion_is_taken_only_for_more_than_chance(monkeypatch, low, taken):
    train, task = tastes(chance=0.4)
    real_value = choosing.Judge.value
    real, fusing = choosing.paired_difference, derive_seed(1, "fusion") % 2**32

    def measured(ours, theirs, *, seed):
        return Interval(0.01, low, 0.02) if seed == fusing else real(ours, theirs, seed=seed)

    monkeypatch.setattr(choosing, "paired_difference", measured)
    # There is a fusion, and it looks better than anything alone; only the interval of its gain differs.
    monkeypatch.setattr(choosing, "learn", lambda pool: np.array([0.1, 0.8, 0.1, 0.0]))
    monkeypatch.setattr(
        choosing.Judge,
        "value",
        lambda judge, model: float(isinstance(model, Fusion)) or real_value(judge, model),
    )
    monkeypatch.setattr(choosing, "cross_fitted", lambda pool, rng: np.ones(len(pool.products)))
    found = select(train, task, candidates=[POPULAR, KNN, USER_KNN, FUSION], budget_s=2, seed=1)
    assert found.choices[0].name == FUSION
    assert (found.selected == FUSION) is taken
    assert ("no more than chance" in found.reason) is not taken


def test_enough_data_means_fusion_and_no_repeat_where_seen_products_are_masked():
    train, task = tastes(customers=400)
    assert FUSION in automatic(train, task)[0]
    assert REPEAT in automatic(train, task)[0]
    masked = Task(task.histories, task.relevant, train.interactions.matrix, task.k)
    assert REPEAT not in automatic(train, masked)[0]


def test_a_large_catalogue_leaves_out_what_scores_all_of_it():
    data = Dataset.of(np.arange(5000) % 900, np.arange(5000) * 12, n_customers=900, n_products=60_000)
    task = Task(data.histories(np.arange(900)), data.interactions.matrix, None, 10)
    names, why = automatic(data, task)
    assert IALS not in names
    assert USER_KNN not in names
    assert KNN in names
    assert "60,000 products" in why


def test_wrong_candidates():
    train, task = tastes(customers=50)
    with pytest.raises(ConfigError, match="No candidate"):
        select(train, task, candidates=[])
    with pytest.raises(UnknownName, match="item_knn"):
        select(train, task, candidates=["retrieve.item_kn.v1"])


def pool(seed=0, b=300, c=40):
    """Two halves of the truth and one member of noise."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((2, b, c)).astype(np.float32)
    noise = rng.standard_normal((b, c)).astype(np.float32)
    best = np.argmax(truth.sum(0), axis=1)
    relevant = sparse.csr_matrix((np.ones(b), (np.arange(b), best)), shape=(b, c))
    products = np.tile(np.arange(c, dtype=np.int32), (b, 1))
    histories = Dataset.of([], [], n_customers=b, n_products=c).histories(np.arange(b))
    return Pool(np.stack([*truth, noise], axis=2), products, Task(histories, relevant, None, 5))


def test_weights_find_the_members_that_carry_the_truth():
    p = pool()
    weights = learn(p)
    assert weights[2] <= 0.05
    assert 0.5 < weights[0] / weights[1] < 2
    singles = [np.mean(p.each(np.eye(3)[m])) for m in range(3)]
    assert np.mean(p.each(weights)) > max(singles) + 0.2
    assert abs(np.mean(cross_fitted(p, spawn(0, "x"))) - np.mean(p.each(weights))) < 0.05


def test_the_likeliest_weights_have_no_better_neighbour():
    """The optimum of the docstring's likelihood, by loops."""
    p = pool(b=60, c=12)
    relevant = p.task.relevant.toarray() > 0

    def value(weights):
        total = 0.0
        for parts, wanted in zip(p.parts.astype(float), relevant, strict=True):
            scores = parts @ weights
            total += np.mean((scores - np.log(np.exp(scores).sum()))[wanted])
        return total / len(relevant) - SMALL * weights @ weights

    found = likeliest(p)  # up to its scale
    best = max((found * scale for scale in np.geomspace(0.1, 40, 400)), key=value)
    for place in range(3):
        for change in (-0.05, 0.05):
            other = best.copy()
            other[place] = max(other[place] + change * best.max(), 0.0)
            assert value(other) <= value(best) + 1e-4


def test_nothing_to_learn_from_gives_even_weights():
    p = pool(b=5, c=6)
    empty = Task(p.task.histories, sparse.csr_matrix(p.task.relevant.shape), None, 5)
    assert likeliest(Pool(p.parts, p.products, empty)).tolist() == [1.0, 1.0, 1.0]


def test_rarity_is_learned_where_members_lean_to_what_is_common():
    """One member says the truth plus what is common: taking that back gives the truth."""
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((300, 40)).astype(np.float32)
    counts = rng.integers(1, 500, 40)
    common = np.log1p(counts).astype(np.float32)
    best = np.argmax(truth, axis=1)
    relevant = sparse.csr_matrix((np.ones(300), (np.arange(300), best)), shape=(300, 40))
    parts = np.stack([truth + 0.8 * common, rng.standard_normal(truth.shape), truth * 0 - common], axis=2)
    products = np.tile(np.arange(40, dtype=np.int32), (300, 1))
    histories = Dataset.of([], [], n_customers=300, n_products=40).histories(np.arange(300))
    best = np.ones(parts[..., :2].shape, bool)
    p = Pool(parts.astype(np.float32), products, Task(histories, relevant, None, 5), best, 9.0)
    weights = learn(p)
    assert weights[:2].sum() == pytest.approx(1)
    assert weights[2] / weights[0] == pytest.approx(0.8, abs=0.15)
    assert np.mean(p.each(weights)) > np.mean(p.each(np.eye(3)[0])) + 0.1


def test_the_pool_knows_how_rare_a_product_is():
    train, task = tastes(chance=0.3)
    found = select(train, task, candidates=[POPULAR, KNN], budget_s=2, seed=1)
    models = list(found.refit(train, seed=1).values())
    judge = Judge(task, most=50, rng=np.random.default_rng(0))
    counts = train.interactions.popularity
    p = Pool.of(models, judge, popularity=counts)
    assert (p.members, p.parts.shape[2]) == (2, 3)
    there = p.products >= 0
    np.testing.assert_allclose(p.parts[..., 2][there], -np.log1p(counts[p.products[there]]), rtol=1e-6)
    np.testing.assert_array_equal(p.parts[..., :2], Pool.of(models, judge).parts)
    weights = np.array([0.6, 0.4, 0.3])
    members = tuple(Member(use=KNN, weight=weight) for weight in weights[:2])
    whole = Fusion(FusionConfig(members=members, rarity=0.3))
    whole.take(models, train)
    np.testing.assert_allclose(np.mean(p.each(weights)), judge.value(whole), atol=0.01)


def test_a_fusion_that_the_whole_catalogue_refutes_is_not_taken(monkeypatch):
    """Its pools may say that it is perfect; asked among all products it must beat its best member."""
    train, task = tastes(chance=0.4)
    monkeypatch.setattr(choosing, "learn", lambda pool: np.array([0.5, 0.5, 50.0]))
    monkeypatch.setattr(choosing, "cross_fitted", lambda pool, rng: np.ones(len(pool.products)))
    found = select(train, task, candidates=[POPULAR, KNN, FUSION], budget_s=2, seed=1)
    assert FUSION not in {choice.name for choice in found.choices}


class Given(Popular):
    """Scores as they were given, (n_customers, n_products)."""

    given: np.ndarray

    def scores(self, histories):
        return self.given[histories.customers]

    def reasons(self, request, products):
        return [Reason("popular")] * len(products)


@pytest.mark.parametrize("masked", [False, True])
def test_what_a_pool_says_holds_among_many_rare_products(masked):
    """A thousand products that nobody chose must not enter everybody's list for being rare: the weights, learned from
    the members' best, would never see it."""
    rng = np.random.default_rng(0)
    n, m, common = 200, 1_100, 100
    chosen = rng.random((n, m)) < np.where(np.arange(m) < common, 0.5, 0.0)
    customers, products = np.nonzero(chosen)
    train = Dataset.of(customers, products, n_customers=n, n_products=m)
    model = Given()
    model.given = (rng.normal(size=(n, m)) + np.where(np.arange(m) < common, 10.0, 0.0)).astype(np.float32)
    wanted = np.zeros((n, m))
    open_ = np.where(chosen & masked, -np.inf, model.given)
    wanted[np.arange(n), open_.argmax(axis=1)] = 1.0
    seen = train.interactions.matrix if masked else None
    task = Task(train.histories(np.arange(n)), sparse.csr_matrix(wanted), seen, 10)
    judge = Judge(task, most=n, rng=np.random.default_rng(0))
    p = Pool.of([model], judge, popularity=train.interactions.popularity)
    fusion = Fusion(FusionConfig(members=(Member(use=POPULAR, weight=1.0),), rarity=1.5))
    fusion.take([model], train)
    assert np.mean(p.each(np.array([1.0, 1.5]))) > 0.1
    np.testing.assert_allclose(np.mean(p.each(np.array([1.0, 1.5]))), judge.value(fusion), atol=1e-9)


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
def test_a_member_without_weight_makes_no_product_one_of_the_best(weights):
    """What only a member that was dropped puts among its best is rare for nothing, in the pool as in the fusion."""
    rng = np.random.default_rng(1)
    n, m = 150, 900
    chance = np.where(np.arange(m) < 150, 0.4, 0.01)
    customers, products = np.nonzero(rng.random((n, m)) < chance)
    train = Dataset.of(customers, products, n_customers=n, n_products=m)
    members = []
    for _ in range(2):
        model = Given()
        model.given = (rng.normal(size=(n, m)) + np.where(rng.random(m) < 0.1, 3.0, 0.0)).astype(np.float32)
        members.append(model)
    wanted = np.zeros((n, m))
    wanted[np.arange(n), (members[0].given + members[1].given).argmax(axis=1)] = 1.0
    task = Task(train.histories(np.arange(n)), sparse.csr_matrix(wanted), None, 10)
    judge = Judge(task, most=n, rng=np.random.default_rng(0))
    p = Pool.of(members, judge, popularity=train.interactions.popularity)
    parts = tuple(Member(use=POPULAR, weight=weight) for weight in weights)
    fusion = Fusion(FusionConfig(members=parts, rarity=0.6))
    fusion.take(members, train)
    value = judge.value(fusion)
    assert value > 0.01
    np.testing.assert_allclose(np.mean(p.each(np.array([*weights, 0.6]))), value, atol=1e-6)
    request = Request(train.histories([3]))
    best = np.argsort(-fusion.scores(request.history)[0], kind="stable")[:10]
    np.testing.assert_array_equal(fusion(request, 10).products, best)


def test_what_is_left_out_leaves_its_time_to_the_others(monkeypatch):
    train, task = tastes(chance=0.4)
    budgets = {}

    def spent(name, shop, *, budget_s, most=60):
        budgets[name] = budget_s
        return tune(name, shop, budget_s=0.01, most=1)

    monkeypatch.setattr(choosing, "tune", spent)
    monkeypatch.setattr(choosing, "ease_seconds", lambda train: 1e9)
    found = select(train, task, budget_s=10, seed=1)
    assert EASE not in budgets
    assert "EASE was left out" in found.reason
    assert sum(budgets.values()) == pytest.approx(9.2)


def test_the_pool_ranks_like_the_whole_catalogue():
    train, task = tastes(chance=0.3)
    found = select(train, task, candidates=[POPULAR, KNN], budget_s=2, seed=1)
    models = list(found.refit(train, seed=1).values())
    judge = Judge(task, most=200, rng=np.random.default_rng(0))
    p = Pool.of(models, judge)
    for place, model in enumerate(models):
        one = np.eye(len(models))[place]
        np.testing.assert_allclose(p.each(one).mean(), judge.value(model), atol=0.01)


def test_standardised_scores():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((4, 50)).astype(np.float32)
    scores[1, 10:] = -np.inf
    scores[2] = -np.inf
    scores[3] = 7.0
    found = standardise(scores, 20)
    best = np.sort(scores[0])[-20:]
    np.testing.assert_allclose(found[0], np.maximum((scores[0] - best.mean()) / best.std(), FLOOR), rtol=1e-4)
    np.testing.assert_allclose(found[1, :10].mean(), 0, atol=1e-5)
    assert (found[1, 10:] == FLOOR).all()
    assert (found[2] == FLOOR).all()
    assert not found[3].any()


class Untrained(Workshop):
    """Gives models without training them, for a judge that looks at configs alone."""

    def train(self, name, config, *, final=False, budget_s=None):
        return self.registry.create(name, config)


@pytest.mark.parametrize("helps", [True, False])
def test_sizes_grow_while_that_helps(helps):
    """A judge that likes large (or small) models makes trials end large (or small)."""
    train, task = tastes(customers=100)
    judge = Judge(task, most=100, rng=np.random.default_rng(0))
    judge.value = lambda model: (1 if helps else -1) * model.config.embedding_size / 1e4
    shop = Untrained(train, judge, Registry(COMPONENTS), 0, Silent())
    choice = tune(IALS, shop, budget_s=600, most=8)
    assert choice.config.embedding_size == (512 if helps else 32)
    assert choice.validation == (0.0512 if helps else -0.0032)
    assert shop.trained[IALS].config == choice.config
