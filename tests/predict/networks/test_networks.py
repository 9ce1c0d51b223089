"""Every network: learns what a linear model cannot, serves with NumPy what torch trained, keeps its probabilities."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from storewise.core.component import same_state
from storewise.core.errors import DataError, StateError
from storewise.engine.registry import registry
from storewise.predict.base import Labelled, Rows
from storewise.predict.networks.base import Network
from storewise.predict.networks.embed import embed
from storewise.predict.networks.ops import TorchOps

FAST = {"epochs": 12, "learning_rate": 0.01, "patience": 4}
NAMES = [name for name in registry().names("predict") if issubclass(registry().get(name), Network)]


def test_how_many_there_are() -> None:
    assert NAMES == ["predict.dcn_v2.v1", "predict.deepfm.v1", "predict.din.v1", "predict.fm.v1"]


@pytest.fixture(scope="module")
def trained(data: Labelled, later: Labelled) -> dict[str, Any]:
    made = {}
    for name in NAMES:
        made[name] = registry().create(name, FAST)
        made[name].train(data, validation=later, rng=np.random.default_rng(3))
    return made


@pytest.mark.parametrize("name", NAMES)
def test_learns_a_cross_that_a_linear_model_cannot(
    trained: dict[str, Any], data: Labelled, later: Labelled, name: str
) -> None:
    def plain(rows: Rows) -> Any:
        known = np.eye(7)[rows.categories + 1].reshape(len(rows), -1)
        return np.concatenate([np.nan_to_num(rows.numbers), known], axis=1)

    linear = LogisticRegression().fit(plain(data.rows), data.labels).predict_proba(plain(later.rows))[:, 1]
    found = trained[name].scores(later.rows)
    assert log_loss(later.labels, found) < log_loss(later.labels, linear) - 0.05


@pytest.mark.parametrize("name", NAMES)
def test_numpy_says_what_torch_says(trained: dict[str, Any], later: Labelled, name: str) -> None:
    import torch

    model = trained[name]
    tensors = {key: torch.tensor(value) for key, value in model.parameters.items()}
    ops = TorchOps(torch)
    inputs = model.reading.read(later.rows).to_torch(torch, "cpu")
    expected = torch.sigmoid(model.logits(tensors, embed(tensors, inputs, ops), ops))[:, 0]
    np.testing.assert_allclose(model.scores(later.rows), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_model_answers_alike(trained: dict[str, Any], later: Labelled, name: str) -> None:
    model = trained[name]
    again = registry().create(name, FAST)
    again.restore(model.state())
    assert same_state(again.state(), model.state())
    assert again.settled() == model.settled()
    np.testing.assert_array_equal(again.scores(later.rows), model.scores(later.rows))


@pytest.mark.parametrize("name", NAMES)
def test_what_was_never_seen_is_answered(trained: dict[str, Any], later: Labelled, name: str) -> None:
    rows = later.rows
    strange = replace(
        rows,
        numbers=np.full_like(rows.numbers, np.nan),
        categories=np.full_like(rows.categories, -1),
        sequences={"product": np.full_like(rows.sequences["product"], -1)},
    )
    assert np.isfinite(trained[name].scores(strange)).all()
    unseen = replace(rows, categories=np.full_like(rows.categories, 99), sizes=(100, 100))
    zero = replace(rows, categories=np.zeros_like(rows.categories))
    np.testing.assert_array_equal(trained[name].scores(unseen), trained[name].scores(zero))
    huge = replace(rows, numbers=np.full_like(rows.numbers, np.inf))
    assert np.isfinite(trained[name].scores(huge)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_scored_by_itself(trained: dict[str, Any], later: Labelled, name: str) -> None:
    whole = trained[name].scores(later.rows)
    alone = [trained[name].scores(later.rows.part(np.array([i])))[0] for i in (0, 7)]
    np.testing.assert_allclose(alone, whole[[0, 7]], rtol=1e-5)


def test_weighting_positives_does_not_move_probabilities(later: Labelled) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(6000, 1)).astype(np.float32)
    labels = (x[:, 0] - 3.0 + rng.logistic(size=6000) > 0).astype(float)
    rows = Rows.of(numbers=x, number_names=("x",))
    model = registry().create("predict.fm.v1", {**FAST, "balance": 1.0})
    model.train(Labelled(rows, labels), rng=np.random.default_rng(1))  # type: ignore[attr-defined]
    found = model.scores(rows)  # type: ignore[attr-defined]
    assert labels.mean() < 0.1
    assert abs(found.mean() - labels.mean()) < 0.02
    raw = 1 / (1 + np.exp(-(np.log(found / (1 - found)) + model.shift[0])))  # type: ignore[attr-defined]
    assert raw.mean() > 0.25  # what the weighted loss itself aims at


def test_hashing_shares_rows_and_keeps_missing_and_unseen_apart() -> None:
    from storewise.predict.networks.inputs import Reading

    codes = np.arange(-1, 1000, dtype=np.int32)[:, None]
    rows = Rows.of(categories=codes, category_names=("product",), sizes=(1000,))
    found = Reading.learn(rows, most_rows=50).read(rows).rows["product"]
    assert found[:2].tolist() == [0, 1]
    assert found[2:].min() == 2
    assert found.max() == 49
    counts = np.bincount(found[2:])[2:]
    assert counts.max() < 3 * counts.mean()


def test_names_that_no_file_can_have(data: Labelled, tmp_path: Any) -> None:
    from storewise.core import artifact

    rows = replace(data.rows, number_names=("price / €", "../age"), category_names=("a/b", "c"), sequences={})
    model: Any = registry().create("predict.fm.v1", {"epochs": 1})
    model.train(Labelled(rows, data.labels), rng=np.random.default_rng(1))
    written = artifact.write(artifact.Artifact("predict", {}, model.state()), tmp_path)
    again: Any = registry().create("predict.fm.v1", {"epochs": 1})
    again.restore(artifact.read(written).arrays)
    np.testing.assert_array_equal(again.scores(rows), model.scores(rows))


def test_refusals(data: Labelled) -> None:
    model = registry().create("predict.fm.v1")
    with pytest.raises(StateError, match="has not been trained"):
        model.scores(data.rows)  # type: ignore[attr-defined]
    one = Labelled(data.rows, np.ones(len(data.rows)))
    with pytest.raises(DataError, match="nothing to tell apart"):
        model.train(one, rng=np.random.default_rng(1))  # type: ignore[attr-defined]
    amounts = Labelled(data.rows, np.arange(len(data.rows), dtype=float))
    with pytest.raises(DataError, match="labels are 0 or 1"):
        model.train(amounts, rng=np.random.default_rng(1))  # type: ignore[attr-defined]
    alone = replace(data.rows, sequences={"brand": data.rows.sequences["product"]})
    with pytest.raises(DataError, match="'brand' has no category"):
        model.train(Labelled(alone, data.labels), rng=np.random.default_rng(1))  # type: ignore[attr-defined]


def test_other_columns_are_refused(trained: dict[str, Any], later: Labelled) -> None:
    with pytest.raises(DataError, match="trained on price, age"):
        trained["predict.fm.v1"].scores(replace(later.rows, number_names=("age", "price")))


def test_constant_and_empty_columns_are_normal(data: Labelled) -> None:
    numbers = np.concatenate([data.rows.numbers, np.full((len(data.rows), 1), 7.0), np.full((len(data.rows), 1), np.nan)], axis=1)  # fmt: skip
    rows = replace(
        data.rows,
        numbers=numbers.astype(np.float32),
        number_names=("price", "age", "constant", "empty"),
    )
    model = registry().create("predict.deepfm.v1", {**FAST, "epochs": 1})
    model.train(Labelled(rows, data.labels), rng=np.random.default_rng(1))  # type: ignore[attr-defined]
    assert np.isfinite(model.scores(rows)).all()  # type: ignore[attr-defined]


def test_serving_does_not_load_torch(trained: dict[str, Any], tmp_path: Any) -> None:
    model = trained["predict.din.v1"]
    np.savez(tmp_path / "state.npz", **model.state())
    script = f"""
import sys, numpy as np
from storewise.engine.registry import registry
from storewise.predict.base import Rows
state = dict(np.load({str(tmp_path / "state.npz")!r}))
model = registry().create("predict.din.v1", {FAST!r})
model.restore(state)
rows = Rows.of(numbers=[[0.0, 1.0]], categories=[[1, 2]], number_names=("price", "age"),
    category_names=("product", "place"), sizes=(6, 6), sequences={{"product": np.array([[1, 2]], np.int32)}},
    vectors={{"title": np.zeros((1, 3), np.float32)}})
model.scores(rows)
model.contributions(rows)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
