"""Every registered retriever keeps the retriever's contract."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import StateError
from storewise.core.registry import Registry
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve import COMPONENTS
from storewise.testing.retriever import check_retriever, shop

REGISTRY = Registry(COMPONENTS)
SMALL = {"epochs": 4, "embedding_size": 8, "length": 12}
NETWORKS = {f"retrieve.{name}.v1": SMALL for name in ("sasrec", "gru4rec", "two_tower", "lightgcn")}


def make(name):
    """A network as small as the shop, others as they are."""
    if name in NETWORKS:
        pytest.importorskip("torch", reason="needs the extra deep")
    return REGISTRY.create(name, NETWORKS.get(name, {}))


def test_how_many_there_are():
    assert len(REGISTRY.names("retrieve")) == 14


@pytest.mark.parametrize("name", REGISTRY.names("retrieve"))
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_retriever(lambda: make(name), seed)


@pytest.mark.parametrize("name", REGISTRY.names("retrieve"))
def test_untrained_is_a_state_error(name):
    model = REGISTRY.create(name)
    with pytest.raises(StateError, match="has not been trained"):
        model.scores(Histories.single([0], n_products=3))
    with pytest.raises(StateError, match="has not been trained"):
        model.state()


def test_the_suite_notices_a_broken_retriever():
    class Broken(REGISTRY.get("retrieve.popular.v1")):
        def scores(self, histories):
            return super().scores(histories) + np.arange(len(histories), dtype=np.float32)[:, None]

    with pytest.raises(AssertionError):
        check_retriever(Broken)


@pytest.mark.parametrize(
    "name", [n for n in REGISTRY.names("retrieve") if n != "retrieve.bpr.v1" and n not in NETWORKS]
)
def test_who_is_called_what_does_not_matter(name):
    """Customers with other numbers teach the same (BPR and networks draw them at random, in their order)."""
    data = shop(2)
    numbers = np.random.default_rng(0).permutation(data.n_customers)
    behaviour = data.interactions
    other = Dataset.of(
        numbers[behaviour.customers],
        behaviour.products,
        at=behaviour.at,
        n_customers=data.n_customers,
        n_products=data.n_products,
    ).with_content(data.content)
    scores = []
    for part in (data, other):
        model = REGISTRY.create(name)
        model.train(part, rng=np.random.default_rng(0))
        scores.append(model.scores(Histories.single([4, 7, 12], at=[1e6, 2e6, 3e6], n_products=40, now=4e6)))
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-3, atol=1e-4)
