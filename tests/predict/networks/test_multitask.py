"""Networks of several tasks: the contract, ESMM's product, mixtures against slow references."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.engine.registry import registry
from storewise.predict.multitask import MultiLabelled, MultiPredictor
from storewise.predict.networks.embed import embed
from storewise.predict.networks.esmm import Esmm, EsmmConfig
from storewise.predict.networks.mmoe import Mmoe
from storewise.predict.networks.multitask import mixture
from storewise.predict.networks.ops import NumpyOps, TorchOps
from storewise.testing.multitask import check_multi_predictor, small_funnel

FAST = {"epochs": 4, "learning_rate": 0.01}
NAMES = [name for name in registry().names("predict") if issubclass(registry().get(name), MultiPredictor)]


def test_how_many_there_are() -> None:
    assert NAMES == ["predict.esmm.v1", "predict.mmoe.v1", "predict.ple.v1"]


@pytest.fixture(autouse=True)
def _torch() -> None:
    pytest.importorskip("torch", reason="needs the extra deep")


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str) -> None:
    def make() -> MultiPredictor[Any]:
        made = registry().create(name, FAST)
        assert isinstance(made, MultiPredictor)
        return made

    check_multi_predictor(make)


@pytest.mark.parametrize("name", NAMES)
def test_numpy_says_what_torch_says(name: str) -> None:
    import torch

    data = small_funnel(400)
    model: Any = registry().create(name, {"epochs": 1})
    model.train(data, rng=np.random.default_rng(1))
    tensors = {key: torch.tensor(value) for key, value in model.parameters.items()}
    ops = TorchOps(torch)
    x = embed(tensors, model.reading.read(data.rows).to_torch(torch, "cpu"), ops)
    expected = torch.sigmoid(model.logits(tensors, x, ops)).numpy()
    np.testing.assert_allclose(model.scores(data.rows), expected, atol=1e-5)
    found = model.contributions(data.rows.part(np.arange(3)), task="purchase")
    odds = np.log(expected[:3, 1] / (1 - expected[:3, 1]))
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), odds, atol=0.05)


def test_esmm_is_a_product() -> None:
    data = small_funnel(800)
    model = Esmm(EsmmConfig(epochs=2))
    model.train(data, rng=np.random.default_rng(1))
    click, both = model.scores(data.rows).T
    conversion = model.conversion(data.rows)
    assert (both <= click).all()
    assert ((conversion > 0) & (conversion < 1)).all()
    np.testing.assert_allclose(both, click * conversion, rtol=1e-9)
    assert model.reading is not None
    x = embed(model.parameters, model.reading.read(data.rows), NumpyOps()).flat(NumpyOps())
    from storewise.predict.networks.layers import mlp

    b = mlp(model.parameters, "second step", x, NumpyOps(), last=True)[:, 0].astype(float)
    np.testing.assert_allclose(conversion, 1 / (1 + np.exp(-b)), rtol=1e-4)  # the tower's own probability


def test_esmm_refuses_a_purchase_without_a_click() -> None:
    data = small_funnel(60)
    labels = data.labels.copy()
    labels[0] = [0, 1]
    with pytest.raises(DataError, match="1 rows have purchase without click"):
        Esmm().train(replace(data, labels=labels), rng=np.random.default_rng(1))
    three = MultiLabelled(data.rows, np.concatenate([labels, labels[:, :1]], axis=1), ("a", "b", "c"))
    with pytest.raises(DataError, match="3 tasks"):
        Esmm().train(three, rng=np.random.default_rng(1))


def test_a_task_without_labels_on_some_rows_is_learned_from_the_others() -> None:
    data = small_funnel(1500)
    labels = data.labels.copy()
    labels[labels[:, 0] == 0, 1] = np.nan  # bought or not: known of clicks alone
    model = Mmoe(Mmoe.Config(**FAST))  # type: ignore[arg-type]
    model.train(replace(data, labels=labels), rng=np.random.default_rng(1))
    rate = np.nanmean(labels[:, 1])
    clicked = labels[:, 0] == 1
    assert rate > 1.3 * data.labels[:, 1].mean()
    assert abs(model.scores(data.rows.part(clicked))[:, 1].mean() - rate) < 0.06


def test_labels_that_cannot_be() -> None:
    data = small_funnel(60)
    with pytest.raises(DataError, match="one column of labels a task"):
        replace(data, labels=data.labels[:, :1])
    with pytest.raises(DataError, match="click is 2"):
        replace(data, labels=data.labels * 2).check()


def test_mixture_is_the_weighted_sum() -> None:
    rng = np.random.default_rng(1)
    x, gate = rng.normal(size=(3, 2)), rng.normal(size=(2, 4))
    experts = [rng.normal(size=(3, 5)) for _ in range(4)]
    found = mixture({"g": gate}, "g", x, experts, NumpyOps())
    for row in range(3):
        shares = np.exp(x[row] @ gate)
        shares /= shares.sum()
        np.testing.assert_allclose(found[row], sum(s * e[row] for s, e in zip(shares, experts, strict=True)))


def test_ple_keeps_other_tasks_experts_out() -> None:
    """At one level, changing a task's own experts moves that task alone."""
    from storewise.predict.networks.ple import Ple

    data = small_funnel(300)
    model = Ple(Ple.Config(epochs=1, levels=1))  # type: ignore[call-arg, arg-type]
    model.train(data, rng=np.random.default_rng(1))
    before = model.scores(data.rows)
    for name in model.parameters:
        if name.startswith("level0.task1."):
            model.parameters[name] = model.parameters[name] + 1
    after = model.scores(data.rows)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after[:, 1] != before[:, 1]).any()
