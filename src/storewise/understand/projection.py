"""One vector a product from several: text, photo, behaviour …, by a projection learned on the shop's own pairs.

Each modality is a block of unit vectors with zero rows where a product lacks it. The joint vector is
``z = Σ_m B_m W_m``, scaled to length 1; W = [W_1; …] starts at the principal axes of the blocks and is trained by
InfoNCE (van den Oord et al. 2018) on pairs that behaviour gives, with negatives from the batch, products known to
go together masked, and whole blocks dropped at random so that a product with one of them missing (a cold one has
no behaviour) still lands near its like. Plain numpy: no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.component import Arrays, Component
from storewise.core.config import Config
from storewise.core.progress import Progress, Silent
from storewise.understand.base import Vectors, unit

Pairs = npt.NDArray[np.int32]


class ProjectionConfig(Config):
    """``size``: dimensions of the joint vector. ``temperature`` of the softmax. ``stay``: pull towards the
    starting axes (an L2 penalty on the change). ``drop``: chance that a block of a product is hidden in a step."""

    size: int = Field(default=128, ge=2, le=1024)
    epochs: int = Field(default=8, ge=0)
    batch_size: int = Field(default=512, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    temperature: float = Field(default=0.1, gt=0)
    stay: float = Field(default=1e-4, ge=0)
    drop: float = Field(default=0.2, ge=0, lt=1)


@dataclass
class _Adam:
    """Adam (Kingma & Ba 2015) for one matrix."""

    rate: float
    step: int = 0
    first: npt.NDArray[np.float32] | float = 0.0
    second: npt.NDArray[np.float32] | float = 0.0

    def __call__(self, gradient: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.step += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = 0.999 * self.second + 0.001 * gradient**2
        first, second = self.first / (1 - 0.9**self.step), self.second / (1 - 0.999**self.step)
        return np.asarray(self.rate * first / (np.sqrt(second) + 1e-8), np.float32)


class Projection(Component[ProjectionConfig]):
    """Joins blocks of vectors. ``train`` on the products that have behaviour, then call it for all.

    >>> rng = np.random.default_rng(0)
    >>> text = unit(rng.standard_normal((20, 8)))
    >>> model = Projection(ProjectionConfig(size=4, epochs=1))
    >>> model.train({"text": text}, np.array([[0, 1], [2, 3]]), rng=rng)
    >>> model({"text": text[:2]}).shape
    (2, 4)
    """

    Config = ProjectionConfig

    def __init__(self, config: ProjectionConfig | None = None) -> None:
        super().__init__(config)
        self.blocks: tuple[str, ...] = ()
        self._means: dict[str, npt.NDArray[np.float32]] = {}
        self._weights: dict[str, npt.NDArray[np.float32]] = {}
        self.losses: list[float] = []

    def train(
        self,
        blocks: Mapping[str, Vectors],
        pairs: Pairs,
        *,
        rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:
        """``blocks``: name → (n, d_m); ``pairs`` (p, 2): products that behaviour puts together. Without pairs the
        projection stays at the principal axes."""
        self.blocks = tuple(blocks)
        self._means = {name: _mean(block) for name, block in blocks.items()}
        self._weights = _principal(self._centred(blocks), self.config.size)
        start = {name: weight.copy() for name, weight in self._weights.items()}
        centred, n = self._centred(blocks), len(next(iter(blocks.values())))
        known = _partners(pairs, n)
        steps = {name: _Adam(self.config.learning_rate) for name in self.blocks}
        self.losses = []
        for _ in (progress or Silent()).track(
            range(self.config.epochs if len(pairs) > 1 else 0), label="projection"
        ):
            total, order = 0.0, rng.permutation(len(pairs))
            for at in range(0, len(order), self.config.batch_size):
                batch = pairs[order[at : at + self.config.batch_size]]
                if len(batch) > 1:
                    total += self._step(centred, batch, known, start, steps, rng) * len(batch)
            self.losses.append(total / len(pairs))

    def __call__(self, blocks: Mapping[str, Vectors]) -> Vectors:
        """(n, size) float32; a block that is not given counts as missing for all, a product without any is zero."""
        self.require(bool(self.blocks))
        centred = self._centred({name: blocks[name] for name in self.blocks if name in blocks})
        return unit(sum(block @ self._weights[name] for name, block in centred.items()))

    def state(self) -> Arrays:
        self.require(bool(self.blocks))
        found: dict[str, npt.NDArray[np.float32]] = {}
        for place, name in enumerate(self.blocks):
            found[f"mean_{place}_{name}"] = self._means[name]
            found[f"weight_{place}_{name}"] = self._weights[name]
        return found

    def restore(self, state: Arrays) -> None:
        keys = sorted(
            (key for key in state if key.startswith("weight_")), key=lambda key: int(key.split("_")[1])
        )
        self.blocks = tuple(key.split("_", 2)[2] for key in keys)
        self._weights = {key.split("_", 2)[2]: np.asarray(state[key]) for key in keys}
        self._means = {name: np.asarray(state[f"mean_{i}_{name}"]) for i, name in enumerate(self.blocks)}

    def _centred(self, blocks: Mapping[str, Vectors]) -> dict[str, Vectors]:
        """Rows minus their block's mean, at length 1; missing rows stay zero."""
        return {
            name: unit(np.where(_there(block), block - self._means[name], 0))
            for name, block in blocks.items()
        }

    def _step(
        self,
        blocks: Mapping[str, Vectors],
        batch: Pairs,
        known: sparse.csr_matrix,
        start: Mapping[str, npt.NDArray[np.float32]],
        steps: Mapping[str, _Adam],
        rng: np.random.Generator,
    ) -> float:
        """One step on a batch of pairs; the loss before it."""
        sides = [self._side(blocks, batch[:, i], rng) for i in (0, 1)]
        raw = [sum(x @ self._weights[name] for name, x in side.items()) for side in sides]
        loss, gradients = info_nce(
            np.asarray(raw[0]), np.asarray(raw[1]), _masked(batch, known), self.config.temperature
        )
        for name in self.blocks:
            gradient = sum(side[name].T @ g for side, g in zip(sides, gradients, strict=True))
            gradient = gradient + self.config.stay * (self._weights[name] - start[name])
            self._weights[name] -= steps[name](np.asarray(gradient, np.float32))
        return loss

    def _side(
        self, blocks: Mapping[str, Vectors], rows: npt.NDArray[np.int32], rng: np.random.Generator
    ) -> dict[str, Vectors]:
        """The blocks of these products, some hidden, never all of a product."""
        names, many = list(blocks), len(blocks) > 1
        keep = rng.random((len(rows), len(names))) >= (self.config.drop if many else 0.0)
        keep[np.arange(len(rows)), rng.integers(0, len(names), len(rows))] = True
        return {name: blocks[name][rows] * keep[:, [i]] for i, name in enumerate(names)}


def info_nce(
    left: npt.NDArray[np.float32],
    right: npt.NDArray[np.float32],
    masked: npt.NDArray[np.bool_],
    temperature: float,
) -> tuple[float, list[npt.NDArray[np.float32]]]:
    """Symmetric InfoNCE of rows that belong together, and its gradients by both sides.

    ``left``, ``right`` (b, d), not yet of length 1; ``masked`` (b, b): pairs that are no negatives. The loss is the
    mean of the cross-entropies of rows and of columns of cosine / temperature, the diagonal being right.
    """
    lengths = [np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (left, right)]
    a, b = left / lengths[0], right / lengths[1]
    scores = np.where(masked, -np.inf, a @ b.T / temperature)
    size = len(scores)
    by_row, by_column = _softmax(scores), _softmax(scores.T).T
    right_answer = np.arange(size)
    told = -np.log(
        np.maximum(
            np.stack([by_row[right_answer, right_answer], by_column[right_answer, right_answer]]), 1e-30
        )
    )
    slope = (by_row + by_column) / 2
    slope[right_answer, right_answer] -= 1
    slope /= size * temperature
    gradients = []
    for unit_rows, length, pull in ((a, lengths[0], slope @ b), (b, lengths[1], slope.T @ a)):
        along = (pull * unit_rows).sum(axis=1, keepdims=True)
        gradients.append(((pull - along * unit_rows) / length).astype(np.float32))
    return float(told.mean()), gradients


def _softmax(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _masked(batch: Pairs, known: sparse.csr_matrix) -> npt.NDArray[np.bool_]:
    """(b, b) true where the other pair's product is no honest negative: it goes with ours too, or is ours."""
    left, right = batch[:, 0], batch[:, 1]
    together = known[left][:, right].toarray() > 0
    together |= (
        (left[:, None] == right[None, :])
        | (right[:, None] == right[None, :])
        | (left[:, None] == left[None, :])
    )
    np.fill_diagonal(together, False)
    return np.asarray(together)


def _partners(pairs: Pairs, n: int) -> sparse.csr_matrix:
    both = np.concatenate([pairs, pairs[:, ::-1]]) if len(pairs) else np.zeros((0, 2), np.int32)
    return sparse.csr_matrix((np.ones(len(both), np.float32), (both[:, 0], both[:, 1])), shape=(n, n))


def _there(block: Vectors) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(block).sum(axis=1, keepdims=True) > 0)


def _mean(block: Vectors) -> npt.NDArray[np.float32]:
    there = _there(block)[:, 0]
    return np.asarray(block[there].mean(axis=0) if there.any() else np.zeros(block.shape[1]), np.float32)


def _principal(blocks: Mapping[str, Vectors], size: int) -> dict[str, npt.NDArray[np.float32]]:
    """The main axes of the blocks side by side, (d_m, size) each, signs fixed."""
    joint = np.concatenate(list(blocks.values()), axis=1).astype(np.float64)
    values, axes = np.linalg.eigh(joint.T @ joint)
    axes = axes[:, np.argsort(-values)[:size]]
    axes = axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)
    if axes.shape[1] < size:
        axes = np.pad(axes, ((0, 0), (0, size - axes.shape[1])))
    borders = np.cumsum([block.shape[1] for block in blocks.values()])[:-1]
    return {name: part.astype(np.float32) for name, part in zip(blocks, np.split(axes, borders), strict=True)}
