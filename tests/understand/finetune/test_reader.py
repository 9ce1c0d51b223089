"""Readers of histories: nothing later inside an example, no false negative, and learning where the text decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.data.interactions import Histories, Interactions
from storewise.understand.finetune.loop import LoopConfig, fit
from storewise.understand.finetune.methods import MethodConfig, adapt
from storewise.understand.finetune.negatives import text_numbers
from storewise.understand.finetune.reader import (
    CrossEncoder,
    TwoTower,
    joined,
    logits,
    pair_scores,
    with_logit,
)
from storewise.understand.finetune.reading import Examples, examples_of, history_texts, negatives_of
from storewise.understand.finetune.tower import Tower

TITLES = ["red cup", "red mug", "red bowl", "red lamp", "blue cup", "blue mug", "blue bowl", "blue lamp"]
TEXT_OF = text_numbers(TITLES)


def shop(customers: int = 30, *, seed: int = 0) -> Interactions:
    """Everybody buys three things of one colour, one a day."""
    rng = np.random.default_rng(seed)
    what = np.concatenate([rng.permutation(4)[:3] + 4 * (c % 2) for c in range(customers)])
    who = np.repeat(np.arange(customers), 3)
    return Interactions.build(
        who, what, at=np.tile([0.0, 1, 2], customers), n_customers=customers, n_products=8
    )


def examples(behaviour: Interactions, *, border: float = 9.0, since: float = 0.0) -> Examples:
    rng = np.random.default_rng(0)
    return examples_of(behaviour, since=since, border=border, most=500, a_customer=99, rng=rng)


def test_an_example_holds_nothing_at_or_after_its_event_or_the_border() -> None:
    rng = np.random.default_rng(1)
    who, what, at = rng.integers(0, 9, 300), rng.integers(0, 40, 300), rng.integers(0, 30, 300).astype(float)
    whole = Interactions.build(who, what, at=at, n_customers=9, n_products=40)
    found = examples(whole, border=20.0, since=8.0)
    for row, wanted in enumerate(found.wanted):
        one = found.histories.part(row, row + 1)
        now, customer = one.now[0], one.customers[0]
        mine = (who == customer) & (at < now)
        assert 8 <= now < 20
        assert sorted(one.products.tolist()) == sorted(what[mine].tolist())
        assert ((who == customer) & (what == wanted) & (at == now)).any()
        assert wanted not in one.products
        before = set(what[(who == customer) & (at < 20)].tolist())
        assert set(found.bought[row].indices.tolist()) == before
    # Every first purchase of the window with a history is there once.
    expected = sum(
        8 <= at[(who == c) & (what == p)].min() < 20
        and at[(who == c)].min() < at[(who == c) & (what == p)].min()
        for c, p in set(zip(who.tolist(), what.tolist(), strict=True))
    )
    assert len(found) == expected


def test_what_comes_after_the_border_changes_nothing_and_a_shifted_clock_neither() -> None:
    behaviour = shop()
    early = examples(behaviour.select(behaviour.at < 2), border=2.0)
    whole = examples(behaviour, border=2.0)
    moved = examples(replace(behaviour, at=behaviour.at + 1e6), border=1e6 + 2.0, since=1e6)
    for other in (whole, moved):
        assert other.wanted.tolist() == early.wanted.tolist()
        assert other.histories.products.tolist() == early.histories.products.tolist()
        assert (other.bought != early.bought).nnz == 0


def test_no_example_is_an_error() -> None:
    once = Interactions.build([0, 1], [0, 1], at=[0, 0], n_customers=2, n_products=2)
    with pytest.raises(DataError, match="before it"):
        examples(once)


def test_history_texts_are_the_latest_different_titles() -> None:
    found = history_texts(Histories.single([0, 4, 0, 5], n_products=8), TITLES, most=2)
    assert found == ["blue mug ; red cup"]


def test_negatives_were_never_bought_and_differ_in_text() -> None:
    titles = [*TITLES[:-1], "red  Cup"]  # product 7 is called as product 0
    found = examples(shop())
    near = np.tile(np.arange(8), (len(found), 1))
    near[:, 5] = -1
    negatives = negatives_of(
        found,
        near,
        text_numbers(titles),
        np.ones(8, np.int64),
        hard=2,
        random=1,
        rng=np.random.default_rng(0),
    )
    for row, chosen in enumerate(negatives):
        assert len(set(chosen.tolist())) == 3
        assert not set(chosen.tolist()) & set(found.bought[row].indices.tolist())
        assert 7 not in chosen or found.wanted[row] != 0


def test_nothing_left_for_a_negative_is_an_error() -> None:
    everything = Interactions.build([0] * 3, range(3), at=range(3), n_customers=1, n_products=3)
    found = examples(everything)
    with pytest.raises(DataError, match="negatives"):
        negatives_of(
            found, np.full((len(found), 1), -1), np.arange(3), np.ones(3, np.int64), hard=1, random=1,
            rng=np.random.default_rng(0),
        )  # fmt: skip


def two_tower(tower: Tower, found: Examples, **config: float) -> TwoTower:
    told = tower.ids(history_texts(found.histories, TITLES, most=4))
    return TwoTower(found, told, tower.ids(TITLES), TEXT_OF, **config)  # type: ignore[arg-type]


def test_the_two_tower_loss_is_the_formula(tower: Tower) -> None:
    tower.train(False)
    found = examples(shop(6))
    objective = two_tower(tower, found, batch_size=100, temperature=0.5)
    u = tower.encode(history_texts(found.histories, TITLES, most=4)).astype(float)
    v = tower.encode(TITLES).astype(float)
    q = np.bincount(found.wanted, minlength=8) / len(found)
    terms = []
    for i, own in enumerate(found.wanted):
        score = [u[i] @ v[j] / 0.5 - np.log(q[j]) for j in found.wanted]
        kept = [
            s
            for c, (j, s) in enumerate(zip(found.wanted, score, strict=True))
            if c == i or not found.bought[i, j]
        ]
        assert found.bought[i, own]
        terms.append(np.log(np.exp(kept).sum()) - score[i])
    loss = objective.loss(tower, np.random.default_rng(0))
    assert float(loss.detach()) == pytest.approx(np.mean(terms), rel=1e-4)


def test_pairs_are_cut_in_the_history_and_keep_the_candidate() -> None:
    assert joined([2, 5, 6, 7, 8, 3], [2, 9, 3], 6) == ([2, 5, 6, 3, 9, 3], 4)
    assert joined([2, 5, 3], [2, 9, 3], 64) == ([2, 5, 3, 9, 3], 3)
    assert joined([], [2, 9, 3], 64) == ([2, 9, 3], 0)
    assert len(joined(range(50), range(50), 20)[0]) == 20


def test_pair_scores_have_the_shape_of_candidates_and_do_not_depend_on_the_batch(tower: Tower) -> None:
    encoder = with_logit(adapt(tower, MethodConfig(method="lora"), steps=1, seed=0), seed=0).tower
    told, names = encoder.ids(["red cup", ""]), encoder.ids([*TITLES, ""])
    candidates = np.array([[0, 4, 8], [1, -1, 2]])
    one, many = (pair_scores(encoder, told, names, candidates, batch_size=size) for size in (1, 64))
    np.testing.assert_allclose(one, many, atol=1e-5)
    assert np.isfinite(one).tolist() == [[True, True, False], [True, False, True]]
    encoder.train(False)
    assert one[0, 1] == pytest.approx(float(logits(encoder, [told[0]], [names[4]]).detach()[0]), abs=1e-5)


def test_both_learn_where_the_text_decides(tower: Tower) -> None:
    found = examples(shop())
    unlike = np.stack([np.r_[4:8] if wanted < 4 else np.r_[0:4] for wanted in found.wanted])
    cross = CrossEncoder(
        found, tower.ids(history_texts(found.histories, TITLES, most=4)), tower.ids(TITLES), unlike[:, :3], 24
    )
    plan = LoopConfig(steps=40, learning_rate=1e-2, validate_every=40, may_keep_start=False)
    ask = ["red lamp ; red mug", "blue lamp ; blue mug"]
    candidates = np.array([[0, 4], [4, 0]])
    scores = []
    long = LoopConfig(steps=80, learning_rate=5e-3, validate_every=80, may_keep_start=False)
    for _ in range(2):
        adapted = with_logit(adapt(tower, MethodConfig(), steps=80, seed=0), seed=0)
        fit(adapted, cross, long, score=lambda tower: 0.0, seed=1)
        encoder = adapted.merge()
        scores.append(pair_scores(encoder, encoder.ids(ask), encoder.ids(TITLES), candidates))
    assert (scores[0][:, 0] > scores[0][:, 1] + 1).all()
    np.testing.assert_array_equal(scores[0], scores[1])
    adapted = adapt(tower, MethodConfig(method="lora"), steps=40, seed=0)
    fit(adapted, two_tower(tower, found), plan, score=lambda tower: 0.0, seed=1)
    served = adapted.merge()
    near = served.encode(ask) @ served.encode(["red cup", "blue cup"]).T
    assert near[0, 0] > near[0, 1]
    assert near[1, 1] > near[1, 0]
