"""Why a network says what it says: integrated gradients (Sundararajan et al. 2017).

The score (log odds) of a row is followed along the straight line from the average row to it, in the space of
standardised numbers and embeddings; what feature i adds is ``∫ ∂f/∂x_i · (x_i − x̄_i)`` along it, by Gauss-Legendre
quadrature. The sum over features is the difference of the scores, up to the error of the quadrature. With torch and
captum gradients are exact; without them the derivative along each feature is taken by central differences in
float64, which gives the same figures and needs nothing installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from storewise.core.optional import require
from storewise.predict.base import Contributions, Rows
from storewise.predict.networks.embed import HISTORY, Embedded, embed
from storewise.predict.networks.inputs import Inputs, Reading
from storewise.predict.networks.ops import NumpyOps, TorchOps

STEPS = 64
NUDGE = 1e-4
BY_DIFFERENCES = 16  # rows; for more, captum is faster where it is installed

Logits = Callable[[Mapping[str, Any], Any, Any], Any]
Leaves = dict[str, Any]
Values = npt.NDArray[np.float64]
How = Literal["auto", "captum", "differences"]


def average(e: Embedded) -> dict[str, npt.NDArray[np.float32]]:
    """The average row, leaf by leaf. Keys of histories are 0: nothing was looked at."""
    found = {name: np.asarray(value).mean(axis=0) for name, value in _leaves(e).items()}
    return {
        name: np.asarray(value * 0 if name.startswith("keys.") else value) for name, value in found.items()
    }


def contributions(
    logits: Logits, parameters: Mapping[str, Any], reading: Reading, outset: Mapping[str, Any], rows: Rows, *,
    shift: float = 0.0, task: int = 0, how: How = "auto",
) -> Contributions:  # fmt: skip
    """(n, features) of one task; a number's mark counts to the number, a history is a feature of its own."""
    wide = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
    inputs = reading.read(rows)
    here = embed(wide, Inputs(inputs.dense.astype(np.float64), *_rest(inputs)), NumpyOps())
    path = _Path(logits, wide, here, {name: np.asarray(v, np.float64) for name, v in outset.items()}, task)
    names = (
        *reading.number_names,
        *reading.tables,
        *reading.vectors,
        *(HISTORY + h for h in reading.histories),
    )
    installed = all(importlib.util.find_spec(name) is not None for name in ("torch", "captum"))
    if how == "captum" or (how == "auto" and installed and len(rows) > BY_DIFFERENCES):
        values = _by_captum(path, parameters, reading, names)
    else:
        values = _by_differences(path, reading, names)
    base = float(path.score(np.zeros(1), np.zeros(1, np.int64))[0]) if len(rows) else float("nan")
    return Contributions(names, values, base - shift)


@dataclass(frozen=True)
class _Path:
    """The line from ``outset`` to each row of ``here``."""

    logits: Logits
    parameters: Mapping[str, Any]
    here: Embedded
    outset: Mapping[str, npt.NDArray[np.float64]]
    task: int

    def score(self, share: Values, rows: npt.NDArray[np.int64], moved: Leaves | None = None) -> Any:
        """(m,) of ``rows`` at ``share`` of the way; ``moved``: leaf → what is added."""
        at = {}
        for name, value in _leaves(self.here).items():
            part, start = value[rows], self.outset[name]
            ahead = share.reshape((-1,) + (1,) * (part.ndim - 1))
            at[name] = start + ahead * (part - start) + (moved or {}).get(name, 0.0)
        masks = {name: mask[rows] for name, mask in self.here.masks.items()}
        return self.logits(self.parameters, _embedded(at, masks), NumpyOps())[:, self.task]


def _by_differences(path: _Path, reading: Reading, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    leaves = _leaves(path.here)
    n = len(path.here.dense)
    found = np.zeros((n, len(names)))
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    shares, rows = np.tile((points + 1) / 2, n), np.repeat(np.arange(n), STEPS)
    for column, feature in enumerate(names):
        ahead = {
            name: NUDGE * value[rows] for name, value in _towards(path, leaves, reading, feature).items()
        }
        up = path.score(shares, rows, ahead)
        down = path.score(shares, rows, {name: -value for name, value in ahead.items()})
        found[:, column] = ((up - down) / (2 * NUDGE)).reshape(n, STEPS) @ (weights / 2)
    return found


def _towards(path: _Path, leaves: Leaves, reading: Reading, feature: str) -> Leaves:
    """What separates the rows from the outset in one feature: leaf → difference."""
    if feature in reading.number_names:
        columns = np.array([name == feature for name in reading.dense_names], np.float64)
        return {"dense": (leaves["dense"] - path.outset["dense"]) * columns}
    wanted = [name for name in leaves if _feature(name) == feature]
    return {name: leaves[name] - path.outset[name] for name in wanted}


def _by_captum(
    path: _Path, parameters: Mapping[str, Any], reading: Reading, names: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    torch = require("torch", extra="deep")
    attribution = require("captum.attr", extra="deep").IntegratedGradients
    leaves = _leaves(path.here)
    tensors = {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in parameters.items()}
    ops, order = TorchOps(torch), tuple(leaves)
    masks = {name: torch.from_numpy(np.asarray(mask, np.float64)) for name, mask in path.here.masks.items()}

    def forward(*given: Any) -> Any:
        repeats = len(given[0]) // len(path.here.dense)
        wide = {name: mask.repeat(repeats, 1) for name, mask in masks.items()}
        at = dict(zip(order, given[: len(order)], strict=True))
        unused = sum((leaf * 0).reshape(len(leaf), -1).sum(1) for leaf in given[: len(order)])
        return (
            path.logits(tensors, _embedded(at, wide), ops)[:, path.task] + unused
        )  # autograd wants all used

    here = tuple(torch.from_numpy(np.asarray(leaves[name])) for name in order)
    start = tuple(
        torch.from_numpy(np.broadcast_to(path.outset[name], leaves[name].shape).copy()) for name in order
    )
    found = attribution(forward).attribute(here, start, n_steps=STEPS, method="gausslegendre")
    values = np.zeros((len(path.here.dense), len(names)))
    place = {name: i for i, name in enumerate(names)}
    for name, block in zip(order, found, strict=True):
        part = block.detach().numpy()
        if name == "dense":
            for i, column in enumerate(reading.dense_names):
                values[:, place[column]] += part[:, i]
        else:
            values[:, place[_feature(name)]] += part.reshape(len(part), -1).sum(axis=1)
    return values


def _feature(leaf: str) -> str:
    kind, _, name = leaf.partition(".")
    return HISTORY + name if kind == "keys" else name


def _leaves(e: Embedded) -> Leaves:
    return {
        "dense": e.dense,
        **{f"part.{name}": value for name, value in e.parts.items()},
        **{f"first.{name}": value for name, value in e.firsts.items()},
        **{f"keys.{name}": value for name, value in e.keys.items()},
    }


def _embedded(leaves: Leaves, masks: Mapping[str, Any]) -> Embedded:
    def under(kind: str) -> Leaves:
        return {name[len(kind) :]: value for name, value in leaves.items() if name.startswith(kind)}

    return Embedded(leaves["dense"], under("part."), under("first."), under("keys."), masks)


def _rest(inputs: Inputs) -> tuple[Any, Any, Any]:
    vectors = {name: np.asarray(block, np.float64) for name, block in inputs.vectors.items()}
    return inputs.rows, vectors, inputs.histories
