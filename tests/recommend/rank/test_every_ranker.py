"""Every registered ranker keeps the ranker's contract."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError, StateError
from storewise.core.registry import Registry
from storewise.recommend.rank import COMPONENTS
from storewise.recommend.rank.base import Moment
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.testing.ranker import check_ranker, lessons

REGISTRY = Registry(COMPONENTS)
SMALL = {"rank.lambdamart.v1": {"trees": 20, "least_rows_in_leaf": 10}}


def test_how_many_there_are():
    assert len(REGISTRY.names("rank")) == 1


@pytest.mark.parametrize("name", REGISTRY.names("rank"))
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_ranker(lambda: REGISTRY.create(name, SMALL.get(name, {})), seed)


@pytest.mark.parametrize("name", REGISTRY.names("rank"))
def test_untrained_is_a_state_error(name):
    _, data, sources = lessons()
    model = REGISTRY.create(name)
    with pytest.raises(StateError, match="has not been trained"):
        model.scores(data.histories([0]), sources.one(data.histories([0])))
    with pytest.raises(StateError, match="has not been trained"):
        model.state()


@pytest.mark.parametrize("name", REGISTRY.names("rank"))
@pytest.mark.parametrize("value", [False, True])
def test_one_class_is_a_data_error(name, value):
    moments, data, _ = lessons()
    same = [Moment(m.histories, m.candidates, np.full(len(m.bought), value), m.facts) for m in moments]
    with pytest.raises(DataError, match="bought"):
        REGISTRY.create(name).train(same, facts=ProductFacts.of(data), rng=np.random.default_rng(0))


def test_the_suite_notices_a_broken_ranker():
    class Broken(REGISTRY.get("rank.lambdamart.v1")):
        def scores(self, histories, candidates):
            found = super().scores(histories, candidates)
            return found - found.mean()  # depends on the other candidates

    with pytest.raises(AssertionError, match="matter"):
        check_ranker(lambda: Broken(Broken.Config(trees=5, least_rows_in_leaf=5)))
