"""Every registered retriever keeps the retriever's contract."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import StateError
from storewise.core.registry import Registry
from storewise.data.interactions import Histories
from storewise.recommend.retrieve import COMPONENTS
from storewise.testing.retriever import check_retriever

REGISTRY = Registry(COMPONENTS)


def test_how_many_there_are():
    assert len(REGISTRY.names("retrieve")) == 8


@pytest.mark.parametrize("name", REGISTRY.names("retrieve"))
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_retriever(lambda: REGISTRY.create(name), seed)


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
