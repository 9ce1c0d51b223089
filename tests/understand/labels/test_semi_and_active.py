"""Few labels: pseudo-labels that two views agree on, and which product to label next."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import UnknownName
from storewise.understand.labels import active, heads, semi


def test_agreement_is_of_all_views_sure_and_capped():
    a = np.log([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3]])
    b = np.log([[0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2]])
    found = semi.agree([a, b], threshold=0.6, most=np.array([9, 9, 9]))
    assert dict(zip(found.rows.tolist(), found.targets.tolist(), strict=True)) == {0: 0, 1: 0, 3: 2}
    capped = semi.agree([a, b], threshold=0.6, most=np.array([1, 9, 0]))
    assert len(capped.rows) == 1
    assert capped.targets.tolist() == [0]


def two_views(n=800, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    corners = np.eye(3) * 3
    return [(corners[y] + rng.normal(size=(n, 3))).astype(np.float32) for _ in range(2)], y


def test_pseudo_labels_help_where_the_views_are_independent():
    gains = []
    for seed in range(6):
        views, y = two_views(seed=seed)
        joint = np.concatenate(views, axis=1)
        start = np.concatenate([np.flatnonzero(y == c)[:1] for c in range(3)])
        rest = np.setdiff1d(np.arange(len(y)), start)
        config = semi.PseudoConfig(threshold=0.4, most_per_label=80, weight=1.0)
        taught = semi.self_train(views, joint, start, y[start], 3, config=config)
        alone = heads.fit("ridge", joint[start], y[start], 3, seed=0)
        accuracy = [
            (m.log_probabilities(joint[rest]).argmax(axis=1) == y[rest]).mean() for m in (taught, alone)
        ]
        gains.append(accuracy[0] - accuracy[1])
    assert np.mean(gains) > 0.01


@pytest.mark.parametrize("strategy", active.STRATEGIES)
def test_every_strategy_picks_as_many_as_asked_each_once(strategy):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    told = np.log(rng.dirichlet(np.ones(3), 60)).astype(np.float32)
    for n in (1, 7, 60):
        picked = active.STRATEGIES[strategy](x, told, n, np.random.default_rng(1))
        assert len(np.unique(picked)) == n == len(picked)
        assert picked.max() < 60
    copies = np.repeat(x[:1], 20, axis=0), np.repeat(told[:1], 20, axis=0)
    assert len(np.unique(active.STRATEGIES[strategy](*copies, 12, np.random.default_rng(1)))) == 12


def test_badge_distances_are_those_of_the_outer_products():
    """Drawn with a rigged generator, each next one is the farthest from those drawn, by the full gradients."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5))
    told = np.log(rng.dirichlet(np.ones(3), 40))

    class Farthest:
        def choice(self, n, p):
            return int(np.argmax(p))

    picked = active.badge(x, told, 6, Farthest())
    error = np.exp(told) - np.eye(3)[told.argmax(axis=1)]
    full = np.einsum("nk,nd->nkd", error, x).reshape(40, -1)
    expected = [int(np.linalg.norm(full, axis=1).argmax())]
    while len(expected) < 6:
        apart = ((full[:, None] - full[expected]) ** 2).sum(axis=2).min(axis=1)
        expected.append(int(apart.argmax()))
    assert picked.tolist() == expected


def test_margin_takes_the_least_sure():
    told = np.log([[0.9, 0.1], [0.55, 0.45], [0.7, 0.3]])
    assert active.margin(np.zeros((3, 1)), told, 2, np.random.default_rng(0)).tolist() == [1, 2]


def test_a_diverse_batch_avoids_copies():
    x = np.array([[0.0, 0]] * 5 + [[1.0, 1]] * 5 + [[9.0, 9]] * 40, np.float32)
    told = np.log(np.array([[0.5, 0.5]] * 10 + [[0.99, 0.01]] * 40))
    picked = active.diverse_margin(x, told, 2, np.random.default_rng(0))
    assert len({tuple(x[i]) for i in picked}) == 2


def test_typical_products_are_one_of_each_cluster():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [20, 0], [0, 20], [20, 20]], float)
    x = (np.repeat(centres, 50, axis=0) + rng.normal(size=(200, 2))).astype(np.float32)
    picked = active.typical(x, 4, rng=np.random.default_rng(0))
    assert sorted(picked // 50) == [0, 1, 2, 3]
    apart = np.linalg.norm(x[picked] - centres[picked // 50], axis=1)
    assert apart.max() < 1.2  # from the dense middle, not from the edge
    assert len(np.unique(active.typical(x, 30, rng=np.random.default_rng(1)))) == 30


def rare_classes(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(8, n, p=[0.65] + [0.05] * 7)
    x = (rng.normal(size=(8, 6))[y] * 2.2 + rng.normal(size=(n, 6))).astype(np.float32)
    return x, y


def test_asking_actively_needs_fewer_labels_than_chance():
    x, y = rare_classes()
    pool, asked = np.arange(2000), np.arange(2000, 3000)

    def curve(strategy):
        found = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            start = rng.choice(pool, 20, replace=False)
            found.append(
                active.run(x, y, 8, start, pool, asked, strategy=strategy, batch=20, rounds=8, rng=rng)
            )
        return active.Curve(found[0].labels, np.mean([c.accuracy for c in found], axis=0), found[0].right)

    random = curve("random")
    assert random.labels.tolist() == list(range(20, 181, 20))
    for strategy in ("badge", "margin"):
        assert curve(strategy).labels_for(random.accuracy[-1]) < 180, strategy


def test_labels_are_looked_at_only_after_they_are_picked():
    x, y = rare_classes(400)
    pool, asked = np.arange(300), np.arange(300, 400)
    looked = []

    class Told(np.ndarray):
        def __getitem__(self, rows):
            looked.append(np.asarray(rows))
            return np.asarray(self).__getitem__(rows)

    watched = np.array(y).view(Told)
    active.run(
        x,
        watched,
        8,
        np.arange(10),
        pool,
        asked,
        strategy="margin",
        batch=10,
        rounds=2,
        rng=np.random.default_rng(0),
    )
    of_pool = [rows for rows in looked if rows.max() < 300]
    assert [len(rows) for rows in of_pool] == [10, 20, 30]


def test_labels_for_an_accuracy():
    curve = active.Curve(np.array([10, 20, 30]), np.array([0.2, 0.5, 0.4]), np.zeros(0, bool))
    assert curve.labels_for(0.1) == 10
    assert curve.labels_for(0.35) == 15
    assert curve.labels_for(0.6) == float("inf")


def test_an_unknown_strategy_is_named():
    with pytest.raises(UnknownName, match="badge, diverse_margin, margin, random"):
        active.run(
            np.zeros((3, 1)), np.zeros(3), 1, [0], [1], [2], strategy="luck", batch=1, rounds=1, rng=None
        )
