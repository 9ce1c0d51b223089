"""The parts of networks, each a formula on arrays of NumPy or torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise as pairs_of
from typing import Any

import numpy as np

from storewise.predict.networks.embed import Embedded, Parameters
from storewise.predict.networks.ops import Ops

FAR = 1e9


def dense_layers(name: str, sizes: Sequence[int], rng: np.random.Generator) -> dict[str, Any]:
    """Weights of ``len(sizes) − 1`` layers, He et al. (2015)."""
    made: dict[str, Any] = {}
    for i, (n_in, n_out) in enumerate(pairs_of(sizes)):
        made[f"{name}.{i}.w"] = rng.normal(0, np.sqrt(2 / max(n_in, 1)), (n_in, n_out)).astype(np.float32)
        made[f"{name}.{i}.b"] = np.zeros(n_out, np.float32)
    return made


def mlp(p: Parameters, name: str, x: Any, ops: Ops, *, last: bool = False) -> Any:
    """``h ← dropout(relu(h·W + b))`` for each layer; with ``last`` the last one is linear."""
    depth = sum(1 for key in p if key.startswith(f"{name}.") and key.endswith(".w"))
    for i in range(depth):
        x = x @ p[f"{name}.{i}.w"] + p[f"{name}.{i}.b"]
        if not (last and i == depth - 1):
            x = ops.dropout(ops.relu(x))
    return x


def first_order(p: Parameters, e: Embedded) -> Any:
    """(n,) ``b + Σ w·x`` over numbers, categories, vectors and histories."""
    total = e.dense @ p["first"] + p["bias"]
    for value in e.firsts.values():
        total = total + value
    return total


def pairwise(p: Parameters, e: Embedded, ops: Ops) -> Any:
    """(n,) ``Σ_{i<j} ⟨v_i, v_j⟩ x_i x_j`` in linear time (Rendle 2010): half of ``|Σ v_i x_i|² − Σ |v_i x_i|²``."""
    numbers = p["table"]
    total, squares = e.dense @ numbers, (e.dense * e.dense) @ (numbers * numbers)
    for part in e.parts.values():
        total, squares = total + part, squares + part * part
    return 0.5 * (total * total - squares).sum(1)


def cross(p: Parameters, name: str, x0: Any, depth: int) -> Any:
    """``x ← x0 ⊙ (x·U·V + b) + x`` for each layer: DCN-V2 with W of low rank (Wang et al. 2021, eq. 1 and 2)."""
    x = x0
    for i in range(depth):
        x = x0 * ((x @ p[f"{name}.{i}.u"]) @ p[f"{name}.{i}.v"] + p[f"{name}.{i}.b"]) + x
    return x


def attention(p: Parameters, name: str, query: Any, keys: Any, mask: Any, ops: Ops, *, softmax: bool) -> Any:
    """(n, k) from ``query`` (n, k), ``keys`` (n, length, k) and ``mask`` (n, length): ``Σ_t a_t · key_t`` with
    ``a = MLP([q, key, q − key, q ⊙ key]) + r_t``, r learned for each place counted from the latest (Zhou et al.
    2018 has neither r nor, by default, the softmax). An empty history gives 0.
    """
    wide = query[:, None, :] + keys * 0
    scores = mlp(p, name, ops.concat([wide, keys, wide - keys, wide * keys]), ops, last=True)[:, :, 0]
    scores = scores + p[f"{name}.places"][-keys.shape[1] :]
    if softmax:
        scores = ops.softmax(scores - FAR * (1 - mask))
    return (keys * (scores * mask)[:, :, None]).sum(1)
