"""The joint vectors: gradients against finite differences, learning on pairs, missing modalities."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.component import same_state
from storewise.understand.base import Vectors, unit
from storewise.understand.projection import Pairs, Projection, ProjectionConfig, info_nce


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 5, 4))
    masked = np.zeros((5, 5), bool)
    masked[0, 3] = masked[3, 0] = masked[1, 2] = True
    _, gradients = info_nce(left, right, masked, 0.3)
    for side, array in enumerate((left, right)):
        for i, j in [(0, 0), (2, 3), (4, 1)]:
            old, values = array[i, j], []
            for step in (1e-3, -1e-3):
                array[i, j] = old + step
                values.append(info_nce(left, right, masked, 0.3)[0])
            array[i, j] = old
            assert gradients[side][i, j] == pytest.approx((values[0] - values[1]) / 2e-3, abs=2e-3)


def shop(seed: int = 0) -> tuple[dict[str, Vectors], Pairs, np.ndarray]:
    """Sixty products of six groups. Text says the group in 3 of 20 directions among louder noise."""
    rng = np.random.default_rng(seed)
    group = np.arange(120) % 6
    quiet = np.eye(6)[group] @ rng.standard_normal((6, 3))
    text = unit(np.concatenate([quiet, 3.0 * rng.standard_normal((120, 17))], axis=1))
    image = unit(np.concatenate([rng.standard_normal((120, 5)) * 3, np.eye(6)[group]], axis=1))
    image[::4] = 0
    warm = np.arange(80)
    pairs = np.array([(a, b) for a in warm for b in warm if a < b and group[a] == group[b]], np.int32)
    return {"text": text, "image": image}, pairs, group


def purity(vectors: Vectors, group: np.ndarray, asked: np.ndarray) -> float:
    scores = vectors[asked] @ vectors.T
    scores[np.arange(len(asked)), asked] = -np.inf
    return float((group[np.argsort(-scores, axis=1)[:, :5]] == group[asked][:, None]).mean())


def test_pairs_teach_what_belongs_together_also_for_products_they_do_not_hold() -> None:
    blocks, pairs, group = shop()
    config = ProjectionConfig(size=12, epochs=30, batch_size=64, learning_rate=5e-3)
    cold = np.arange(80, 120)
    start = Projection(config.model_copy(update={"epochs": 0}))
    start.train(blocks, pairs, rng=np.random.default_rng(0))
    model = Projection(config)
    model.train(blocks, pairs, rng=np.random.default_rng(0))
    assert model.losses[-1] < 0.8 * model.losses[0]
    before, after = (purity(m(blocks), group, cold) for m in (start, model))
    assert after > before + 0.15
    only_text = purity(model({"text": blocks["text"]}), group, cold)
    assert only_text > before


def test_restored_is_the_same_and_a_product_without_anything_is_zero() -> None:
    blocks, pairs, _ = shop()
    blocks = {
        name: np.concatenate([block, np.zeros((1, block.shape[1]), np.float32)])
        for name, block in blocks.items()
    }
    config = ProjectionConfig(size=8, epochs=1)
    model, again, other = Projection(config), Projection(config), Projection(config)
    model.train(blocks, pairs, rng=np.random.default_rng(1))
    other.train(blocks, pairs, rng=np.random.default_rng(1))
    assert same_state(model.state(), other.state())
    again.restore(model.state())
    np.testing.assert_array_equal(again(blocks), model(blocks))
    assert (model(blocks)[-1] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(model(blocks)[:-1], axis=1), 1, atol=1e-5)


def test_without_pairs_it_stays_at_the_principal_axes() -> None:
    blocks, _, _ = shop()
    model = Projection(ProjectionConfig(size=26))
    model.train(blocks, np.zeros((0, 2), np.int32), rng=np.random.default_rng(0))
    found = model({"text": blocks["text"]})
    centred = unit(blocks["text"] - blocks["text"].mean(axis=0))
    assert found.shape == (120, 26)
    np.testing.assert_allclose(found @ found.T, centred @ centred.T, atol=0.35)
