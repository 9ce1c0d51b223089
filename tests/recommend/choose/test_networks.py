"""Networks among the retrievers: when they are tried, what tuning keeps, and that nothing leaks."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.component import same_state
from storewise.data.dataset import Dataset
from storewise.recommend.choose import networks
from storewise.recommend.choose.networks import LIGHTGCN, SASREC, TWO_TOWER, holds, networks_for
from storewise.recommend.choose.select import FUSION, select
from storewise.recommend.choose.task import Task
from storewise.testing.retriever import shop

PLENTY = {SASREC: 1e9, TWO_TOWER: 1e9, LIGHTGCN: 1e9}


def many(*, ordered=True, content=True, events=30_000):
    rng = np.random.default_rng(0)
    data = Dataset.of(
        rng.integers(0, 2_000, events), rng.integers(0, 50, events), at=np.arange(events) if ordered else None,
        n_customers=2_000, n_products=50,
    )  # fmt: skip
    return data.with_content(np.eye(50, dtype=np.float32) if content else None)


@pytest.mark.parametrize(
    ("facts", "shoppers", "shares", "wanted"),
    [
        ({}, 2_000, PLENTY, [SASREC, TWO_TOWER]),
        ({"ordered": False}, 2_000, PLENTY, [LIGHTGCN, TWO_TOWER]),
        ({"ordered": False, "content": False}, 2_000, PLENTY, [LIGHTGCN]),
        ({"content": False}, 2_000, PLENTY, [SASREC]),
        ({"events": 5_000}, 2_000, PLENTY, []),
        ({}, 500, PLENTY, []),
        ({}, 2_000, {SASREC: 1e9, TWO_TOWER: 1.0}, [SASREC]),
    ],
)
def test_when_they_are_tried(facts, shoppers, shares, wanted, monkeypatch):
    monkeypatch.setattr(networks, "has_torch", lambda: True)
    found, why = networks_for(many(**facts), shoppers, shares)
    assert found == wanted
    assert ("two_tower" in why) == (shares[TWO_TOWER] == 1.0)


def test_without_torch_nothing_changes(monkeypatch):
    monkeypatch.setattr(networks, "has_torch", lambda: False)
    assert networks_for(many(), 2_000, PLENTY) == ([], "")


def question(data):
    """Train on all but each shopper's last event, validate on that."""
    behaviour = data.interactions
    last = np.zeros(len(behaviour), bool)
    busy = np.diff(behaviour.indptr) > 1
    last[behaviour.indptr[1:][busy] - 1] = True
    train = data.with_interactions(behaviour.select(~last))
    who = np.flatnonzero(busy)
    relevant = behaviour.select(last).matrix[who]
    return train, Task(train.histories(who), relevant, None, 10)


@pytest.fixture(scope="module")
def chosen():
    pytest.importorskip("torch", reason="needs the extra deep")
    data = shop(0, customers=120, events=1_200)
    train, task = question(data)
    names = ["retrieve.popular.v1", "retrieve.item_knn.v1", SASREC, FUSION]
    return data, train, select(train, task, candidates=names, budget_s=0.5, seed=1)


def test_the_config_says_after_how_many_epochs(chosen):
    choice = next(c for c in chosen[2].choices if c.name == SASREC)
    assert choice.config.patience == 0
    assert choice.config.epochs == chosen[2].trained[SASREC].epochs_done >= 1


def test_the_fusion_is_served_only_above_its_best_part(chosen):
    by_name = {choice.name: choice.validation for choice in chosen[2].choices}
    best = max(value for name, value in by_name.items() if name != FUSION)
    assert chosen[2].selected != FUSION or by_name[FUSION] > best


def test_refit_goes_on_where_nothing_leaks(chosen):
    """With all the events of tuning and more: fewer epochs from its weights. With others: from nothing."""
    data, train, selection = chosen
    assert holds(data, train.interactions)
    more = selection.refit(data, seed=0, names=[SASREC])[SASREC]
    tuned = next(c for c in selection.choices if c.name == SASREC).config.epochs
    assert more.config.epochs == max(1, round(0.25 * tuned))
    half = data.with_interactions(data.interactions.select(np.arange(len(data.interactions)) % 2 == 0))
    assert not holds(half, train.interactions)
    anew = selection.refit(half, seed=0, names=[SASREC])[SASREC]
    assert anew.config.epochs == tuned
    other = select_nothing(selection).refit(half, seed=0, names=[SASREC])[SASREC]
    assert same_state(anew.state(), other.state())


def select_nothing(selection):
    from dataclasses import replace

    return replace(selection, trained={})
