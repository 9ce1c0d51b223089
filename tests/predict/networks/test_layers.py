"""Formulas against slow references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storewise.predict.networks.embed import Embedded
from storewise.predict.networks.layers import attention, cross, dense_layers, mlp, pairwise
from storewise.predict.networks.ops import NumpyOps

OPS = NumpyOps()


def test_pairwise_is_the_double_loop() -> None:
    rng = np.random.default_rng(1)
    n, k = 5, 3
    dense, table = rng.normal(size=(n, 2)), rng.normal(size=(2, k))
    parts = {name: rng.normal(size=(n, k)) for name in "abc"}
    found = pairwise({"table": table}, Embedded(dense, parts, {}, {}, {}), OPS)
    for row in range(n):
        vectors = [dense[row, j] * table[j] for j in range(2)] + [parts[name][row] for name in "abc"]
        slow = sum(
            float(vectors[i] @ vectors[j]) for i in range(len(vectors)) for j in range(i + 1, len(vectors))
        )
        assert found[row] == pytest.approx(slow)


def test_cross_is_the_formula() -> None:
    rng = np.random.default_rng(2)
    x0, width, rank = rng.normal(size=(4, 5)), 5, 2
    p: dict[str, Any] = {}
    for i in range(3):
        p |= {
            f"c.{i}.u": rng.normal(size=(width, rank)),
            f"c.{i}.v": rng.normal(size=(rank, width)),
            f"c.{i}.b": rng.normal(size=width),
        }
    found = cross(p, "c", x0, 3)
    for row in range(4):
        x = x0[row].copy()
        for i in range(3):
            w = (p[f"c.{i}.u"] @ p[f"c.{i}.v"]).T
            x = np.array([x0[row, j] * (w[j] @ x + p[f"c.{i}.b"][j]) + x[j] for j in range(width)])
        np.testing.assert_allclose(found[row], x)


def attend(keys: Any, mask: Any, *, softmax: bool) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(3)
    k = keys.shape[-1]
    p = dense_layers("a", (4 * k, 6, 1), rng) | {"a.places": rng.normal(size=4)}
    query = rng.normal(size=(len(keys), k))
    return attention(p, "a", query, keys, mask, OPS, softmax=softmax), p, query


def test_softmax_attention_over_one_key_is_the_key() -> None:
    keys = np.random.default_rng(4).normal(size=(3, 4, 2))
    mask = np.array([[0.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
    found, _, _ = attend(keys, mask, softmax=True)
    np.testing.assert_allclose(found[:2], [keys[0, 3], keys[1, 1]])
    assert found[2].tolist() == [0, 0]


def test_plain_attention_over_one_key_is_its_weight_times_the_key() -> None:
    keys = np.random.default_rng(4).normal(size=(2, 1, 2))
    found, p, query = attend(keys, np.ones((2, 1)), softmax=False)
    key = keys[:, 0]
    inside = np.concatenate([query, key, query - key, query * key], axis=1)
    weight = np.maximum(inside @ p["a.0.w"] + p["a.0.b"], 0) @ p["a.1.w"] + p["a.1.b"] + p["a.places"][-1]
    np.testing.assert_allclose(found, weight * key)


def test_a_deep_part_has_no_relu_at_its_end() -> None:
    p = {"d.0.w": np.array([[1.0]]), "d.0.b": np.array([-5.0])}
    assert mlp(p, "d", np.array([[2.0]]), OPS, last=True).tolist() == [[-3.0]]
    assert mlp(p, "d", np.array([[2.0]]), OPS).tolist() == [[0.0]]
