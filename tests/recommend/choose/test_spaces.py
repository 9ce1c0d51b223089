"""Search spaces: what they propose is a valid config, and they ask only what the data can answer."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from storewise.core.registry import Registry
from storewise.data.dataset import Dataset
from storewise.recommend.choose.spaces import SPACES, STARTS, has_clock
from storewise.recommend.retrieve import COMPONENTS
from storewise.testing.retriever import shop

REGISTRY = Registry(COMPONENTS)
CLOCK = shop(0)
ORDER = Dataset.of([0, 0, 1, 1], [0, 1, 0, 1], at=[0, 1, 0, 1], n_customers=2, n_products=2)
SETS = Dataset.of([0, 0, 1, 1], [0, 1, 0, 1], n_customers=2, n_products=2)
TIME_KEYS = {"decay", "half_life_days", "gap", "backward"}


def test_kinds_of_time_are_told_apart():
    assert has_clock(CLOCK)
    assert not has_clock(ORDER)
    assert not has_clock(SETS)


@pytest.mark.parametrize("name", list(SPACES))
@pytest.mark.parametrize("data", [CLOCK, ORDER, SETS], ids=["clock", "order", "sets"])
def test_proposals_are_valid_configs(name, data):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        values = SPACES[name](study.ask(), data)
        config = REGISTRY.create(name, values).config.model_dump()
        assert values.items() <= config.items()
        assert data is not SETS or not TIME_KEYS & values.keys()
        assert data is CLOCK or "half_life_days" not in values


@pytest.mark.parametrize("name", list(STARTS))
def test_starts_lie_inside_their_space(name):
    for start in STARTS[name]:
        study = optuna.create_study()
        study.enqueue_trial(dict(start))
        trial = study.ask()
        SPACES[name](trial, CLOCK)
        inside = {key: value for key, value in trial.params.items() if key in start}
        assert inside == {key: start[key] for key in inside}
        assert len(inside) > 0 or name == "retrieve.popular.v1"


def test_repeatable():
    values = []
    for _ in range(2):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
        values.append(SPACES["retrieve.item_knn.v1"](study.ask(), CLOCK))
    assert values[0] == values[1]
    assert np.isfinite(values[0]["shrinkage"])
