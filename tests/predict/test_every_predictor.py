"""What holds for every registered predictor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.errors import MissingExtra
from storewise.engine.registry import registry
from storewise.predict.base import Predictor
from storewise.predict.choose.guard import NETWORK, predictors
from storewise.testing.predictor import check_predictor, shoppers, trained

NAMES = [name for name in registry().names("predict") if issubclass(registry().get(name), Predictor)]

GENERAL = [
    name for name in NAMES if not registry().get(name).needs
]  # the others read a shop's features alone


SHORT = {"epochs": 10, "learning_rate": 0.01, "patience": 3}  # enough of a network for a plain law


def make(name: str) -> Predictor:
    network = registry().get(name).complexity >= NETWORK
    found = registry().create(name, SHORT if network else {})
    assert isinstance(found, Predictor)
    return found


def test_all_are_found():
    assert len(NAMES) == 9
    assert predictors() == NAMES


@pytest.mark.parametrize("name", GENERAL)
def test_contract(name):
    try:
        check_predictor(lambda: make(name))
    except MissingExtra as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", NAMES)
def test_artifact_round_trip(name, tmp_path: Path):
    data = shoppers(n=300)
    try:
        model = trained(lambda: make(name), data)
    except MissingExtra as error:
        pytest.skip(str(error))
    read = artifact.read(artifact.write(Artifact("predict", {}, model.state()), tmp_path))
    again = make(name)
    again.restore(read.arrays)
    assert np.array_equal(model.scores(data.rows), again.scores(data.rows))


def test_simple_ones_come_first():
    """The guard's order: the rate, then logistic regression, then trees, then both, then all networks."""
    kinds = {name: registry().get(name) for name in NAMES}
    ordered = sorted(GENERAL, key=lambda name: kinds[name].complexity)
    assert ordered[:4] == [f"predict.{name}.v1" for name in ("rate", "logistic", "lightgbm", "blend")]
