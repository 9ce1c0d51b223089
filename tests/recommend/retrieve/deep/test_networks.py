"""Every network: numpy answers what torch trained, a killed run goes on bit for bit, budgets and patience hold."""

from __future__ import annotations

import subprocess
import sys
from itertools import count

import numpy as np
import pytest

from storewise.core import optional
from storewise.core.component import same_state
from storewise.core.errors import ConfigError, DataError, MissingExtra, StateError
from storewise.core.registry import Registry
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve import COMPONENTS
from storewise.recommend.retrieve.deep.training import Training
from storewise.testing.retriever import shop

torch = pytest.importorskip("torch", reason="needs the extra deep")

from storewise.recommend.retrieve.deep.neural import Step  # noqa: E402

NAMES = ["retrieve.sasrec.v1", "retrieve.gru4rec.v1", "retrieve.two_tower.v1"]
SMALL = {"epochs": 4, "patience": 0, "embedding_size": 8, "length": 12, "batch_size": 16, "warm_up": 5}
REGISTRY = Registry(COMPONENTS)


def make(name, **config):
    return REGISTRY.create(name, {**SMALL, **config})


def train(model, data, seed=0, **options):
    model.train(data, rng=np.random.default_rng(seed), options=Training(**options))
    return model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", [{}, {"temperature": 0.2}, {"loss": "sampled", "negatives": 16}])
def test_numpy_answers_as_torch(name, config):
    if name == "retrieve.two_tower.v1":
        config = {key: value for key, value in config.items() if key == "temperature"}
    data = shop(0)
    model = train(make(name, **config), data)
    histories = data.histories(np.arange(data.n_customers))
    found = model.shoppers(histories)
    weights = {key: torch.from_numpy(array) for key, array in model.weights.items()}
    step = Step(torch, torch.device("cpu"), np.random.default_rng(0), training=False)
    for row in range(len(histories)):
        products = histories.part(row, row + 1).products[-12:]
        if not len(products):
            assert (found[row] == 0).all()
            continue
        vectors = torch.from_numpy(model.input_vectors(model.weights)[products])[None]
        state = model.hidden(weights, vectors, step)[0, -1]
        if model.config.temperature is not None:
            state = torch.nn.functional.normalize(state, dim=0) / model.config.temperature
        np.testing.assert_allclose(found[row], state.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_says_nothing_of_later_events(name):
    """Each position of a training window reads its own past alone."""
    model = train(make(name, epochs=1), shop(0))
    weights = {key: torch.from_numpy(array) for key, array in model.weights.items()}
    step = Step(torch, torch.device("cpu"), np.random.default_rng(0), training=False)
    inputs = model.input_vectors(model.weights)
    long, short = (torch.from_numpy(inputs[products])[None] for products in ([3, 1, 4, 9], [3, 1]))
    told = [model.hidden(weights, vectors, step)[0, 1].numpy() for vectors in (long, short)]
    np.testing.assert_allclose(told[0], told[1], rtol=1e-5, atol=1e-6)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("name", [*NAMES, "retrieve.lightgcn.v1"])
@pytest.mark.parametrize("patience", [0, 3])
def test_a_killed_run_goes_on_to_the_same_weights(name, patience, tmp_path):
    data, config = shop(0), {"epochs": 6, "patience": patience}
    whole = train(make(name, **config), data)

    def kill(epoch):
        if epoch == 3:
            raise KilledError

    with pytest.raises(KilledError):
        train(make(name, **config), data, folder=tmp_path, after_epoch=kill)
    epochs = []
    again = train(make(name, **config), data, folder=tmp_path, after_epoch=epochs.append)
    assert epochs[0] == 4
    assert same_state(whole.state(), again.state())
    assert whole.epochs_done == again.epochs_done


def test_a_run_killed_for_good_goes_on(tmp_path):
    """A process that SIGKILL ends in the middle of an epoch, and another one that goes on."""
    config = {**SMALL, "epochs": 6}
    code = f"""
import os, pathlib, signal
import numpy as np
from storewise.recommend.retrieve.deep.training import Training
from storewise.recommend.retrieve.sasrec import SasRec, SasRecConfig
from storewise.testing.retriever import shop
def kill(epoch):
    if epoch == 4:
        os.kill(os.getpid(), signal.SIGKILL)
options = Training(folder=pathlib.Path({str(tmp_path)!r}), after_epoch=kill)
SasRec(SasRecConfig(**{config!r})).train(shop(0), rng=np.random.default_rng(0), options=options)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    epochs = []
    again = train(make(NAMES[0], epochs=6), shop(0), folder=tmp_path, after_epoch=epochs.append)
    assert epochs == [5, 6]
    assert same_state(again.state(), train(make(NAMES[0], epochs=6), shop(0)).state())


def test_a_finished_run_is_not_repeated(tmp_path):
    data = shop(0)
    train(make(NAMES[0]), data, folder=tmp_path)
    epochs = []
    train(make(NAMES[0]), data, folder=tmp_path, after_epoch=epochs.append)
    assert epochs == []


@pytest.mark.parametrize("change", ["config", "data", "seed"])
def test_a_checkpoint_of_another_run_is_refused(change, tmp_path):
    data = shop(0)
    train(make(NAMES[0]), data, folder=tmp_path)
    config = {"dropout": 0.1} if change == "config" else {}
    with pytest.raises(ConfigError, match="other data or settings"):
        train(
            make(NAMES[0], **config), shop(1) if change == "data" else data,
            seed=int(change == "seed"), folder=tmp_path,
        )  # fmt: skip


def test_patience_keeps_the_best_epoch():
    values = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
    seen = []

    def watch(model):
        seen.append(model.state())
        return next(values)

    model = train(make(NAMES[0], epochs=50, patience=2), shop(0), watch=watch)
    assert len(seen) == 4
    assert model.epochs_done == 2
    assert same_state(model.state(), seen[1])


def test_a_budget_ends_training_at_the_best_epoch_so_far(monkeypatch):
    from storewise.recommend.retrieve.deep import loop

    clock = count(step=1.0)
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(clock))
    epochs = []
    model = train(make(NAMES[0], epochs=500), shop(0), budget_s=10.0, after_epoch=epochs.append)
    assert 1 <= len(epochs) < 10
    assert model.epochs_done == len(epochs)


def test_going_on_from_earlier_weights():
    data = shop(0)
    model = train(make(NAMES[0]), data)
    still = train(make(NAMES[0], epochs=0), data, start=model.state())
    assert same_state(model.state(), still.state())
    with pytest.raises(StateError, match="cannot start"):
        train(make(NAMES[0], embedding_size=4), data, start=model.state())


def test_learning_that_nothing_comes_twice():
    """Where no history repeats, the log odds of a repeat fall; where all do, they rise."""
    rng = np.random.default_rng(0)
    never = [rng.permutation(20)[:10] for _ in range(60)]
    always = [np.repeat(rng.integers(20), 10) for _ in range(60)]
    found = []
    for histories in (never, always):
        who = np.repeat(np.arange(60), 10)
        data = Dataset.of(
            who, np.concatenate(histories), at=np.tile(np.arange(10), 60), n_customers=60, n_products=20
        )
        found.append(float(train(make(NAMES[0], epochs=20, warm_up=1), data).weights["repeat"][0]))
    assert found[0] < -0.5 < 0.5 < found[1]


def test_an_order_is_learned():
    """Product p is always followed by p + 1: after training that is what is expected."""
    starts = np.random.default_rng(0).integers(0, 30, 300)
    who, at = np.repeat(np.arange(300), 8), np.tile(np.arange(8), 300)
    what = (starts[:, None] + np.arange(8)).ravel() % 30
    data = Dataset.of(who, what, at=at, n_customers=300, n_products=30)
    for name in NAMES[:2]:
        model = train(make(name, epochs=25, embedding_size=16, dropout=0.1, learning_rate=0.01), data)
        asked = [Histories.single([p, (p + 1) % 30, (p + 2) % 30], n_products=30) for p in range(30)]
        found = [int(np.argmax(model.scores(one)[0])) for one in asked]
        assert np.mean(found == (np.arange(30) + 3) % 30) > 0.9, name


def test_content_finds_products_that_nobody_has_had():
    """Two towers place a new product by its content; ids alone cannot say anything of it."""
    data = shop(0, customers=200, events=3_000)
    kept = data.interactions.select(~np.isin(data.interactions.products, [5, 15, 25, 35]))
    cold = data.with_interactions(kept)
    model = train(make(NAMES[2], epochs=30, id_dropout=0.4, embedding_size=16), cold)
    scores = model.scores(Histories.single([10, 11, 12], n_products=40))[0]
    assert np.argmax(scores[[5, 15, 25, 35]]) == 1
    without = train(make(NAMES[2]), cold.with_content(None))
    assert np.isneginf(without.scores(Histories.single([10], n_products=40))[0, [5, 15, 25, 35]]).all()


def test_content_can_be_the_start():
    data = shop(0)
    model = make(NAMES[0], content_start=True, epochs=0)
    vectors = train(model, data).weights["item"]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert cosine[0, 1] > cosine[0, 15] + 0.3
    with pytest.raises(ConfigError, match="no content"):
        train(make(NAMES[0], content_start=True), data.with_content(None))


@pytest.mark.parametrize("name", NAMES)
def test_too_little_to_learn_from(name):
    """No pair of events, or no events at all: a model that cannot say much, not an error."""
    for who, what in (([], []), ([0, 1], [0, 1])):
        data = Dataset.of(who, what, at=np.arange(len(who)), n_customers=2, n_products=3)
        scores = train(make(name), data).scores(data.histories([0, 1]))
        assert scores.shape == (2, 3)
        assert not np.isnan(scores).any()


def test_weights_that_are_not_finite_are_an_error():
    model = train(make(NAMES[0]), shop(0))
    with pytest.raises(DataError, match="learning_rate"):
        model.restore({**model.state(), "end_scale": np.full(8, np.nan, np.float32)})


def test_heads_that_do_not_divide():
    with pytest.raises(ConfigError, match="no multiple"):
        make(NAMES[0], heads=3)


def test_without_torch_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    model = make(NAMES[0])
    monkeypatch.setattr(optional.importlib, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"storewise\[deep\]"):
        train(model, shop(0))


@pytest.mark.parametrize("name", NAMES)
def test_answering_needs_no_torch(name, tmp_path):
    model = train(make(name, epochs=1), shop(0))
    np.savez(tmp_path / "state.npz", **model.state())
    code = f"""
import sys; sys.modules["torch"] = None
import numpy as np
from storewise.core.registry import Registry
from storewise.data.interactions import Histories
from storewise.recommend.retrieve import COMPONENTS
model = Registry(COMPONENTS).create({name!r}, {SMALL | {"epochs": 1}!r})
model.restore(dict(np.load({str(tmp_path / "state.npz")!r})))
np.save({str(tmp_path / "scores.npy")!r}, model.scores(Histories.single([1, 2], n_products=40)))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    wanted = model.scores(Histories.single([1, 2], n_products=40))
    assert np.array_equal(np.load(tmp_path / "scores.npy"), wanted)
