"""Embedding tables, and what networks see of a row: one small vector for each category, vector and history.

``dense`` (n, P) numbers and marks; ``parts`` name → (n, k); ``firsts`` name → (n,) first-order weights; ``keys``
name → (n, length, k) embeddings of a history. These are the leaves that explanations move: everything behind them
is differentiable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from storewise.predict.networks.inputs import Inputs, Reading
from storewise.predict.networks.ops import Ops

Parameters = Mapping[str, Any]
SPREAD, PAIRS = 0.2, 0.2
"""Of embeddings at the start: 0.2, and less where there are so many features that the sum over all pairs of them
would have a variance above 0.1."""
HISTORY = "history of "


@dataclass(frozen=True)
class Embedded:
    """``masks`` name → (n, length): 1 where the history has something."""

    dense: Any
    parts: Mapping[str, Any]
    firsts: Mapping[str, Any]
    keys: Mapping[str, Any]
    masks: Mapping[str, Any]

    def flat(self, ops: Ops) -> Any:
        """(n, P + parts·k): what a deep part reads."""
        return ops.concat([self.dense, *self.parts.values()])


def spread(reading: Reading, size: int) -> float:
    """The standard deviation of an embedding's numbers at the start: F features have ``F²/2`` pairs, the inner
    product of a pair the variance ``size · spread⁴``."""
    features = max(1, len(reading.dense_names) + len(part_names(reading)))
    return float(min(SPREAD, (PAIRS / (size * features**2)) ** 0.25))


def initial(reading: Reading, size: int, rng: np.random.Generator) -> dict[str, Any]:
    """Tables, projections and first-order weights at the start; float32."""
    made: dict[str, Any] = {}
    for name, rows in reading.tables.items():
        made[f"table.{name}"] = rng.normal(0, spread(reading, size), (rows, size))
        made[f"first.{name}"] = np.zeros(rows)
    for name, width in reading.vectors.items():
        made[f"project.{name}"] = rng.normal(0, 1 / np.sqrt(max(width, 1)), (width, size))
        made[f"first.{name}"] = np.zeros(width)
    for name in reading.histories:
        made[f"first.{HISTORY}{name}"] = np.zeros(reading.tables[name])
    return {name: value.astype(np.float32) for name, value in made.items()}


def part_names(reading: Reading) -> tuple[str, ...]:
    """Of :attr:`Embedded.parts`, in their order."""
    return (*reading.tables, *reading.vectors, *(HISTORY + name for name in reading.histories))


def embed(p: Parameters, x: Inputs, ops: Ops) -> Embedded:
    """Look up the leaves of some rows; a history's part is the mean of its keys (0 where it is empty)."""
    parts: dict[str, Any] = {}
    firsts: dict[str, Any] = {}
    for name, rows in x.rows.items():
        parts[name] = ops.take(p[f"table.{name}"], rows)
        firsts[name] = ops.take(p[f"first.{name}"], rows)
    for name, block in x.vectors.items():
        parts[name] = block @ p[f"project.{name}"]
        firsts[name] = block @ p[f"first.{name}"]
    keys, masks = {}, {}
    for name, rows in x.histories.items():
        keys[name], masks[name] = ops.take(p[f"table.{name}"], rows), ops.there(rows)
        mask = masks[name]
        weights = mask / (mask.sum(1)[:, None] + (mask.sum(1)[:, None] == 0))
        parts[HISTORY + name] = (keys[name] * weights[:, :, None]).sum(1)
        firsts[HISTORY + name] = (ops.take(p[f"first.{HISTORY}{name}"], rows) * weights).sum(1)
    return Embedded(x.dense, parts, firsts, keys, masks)
