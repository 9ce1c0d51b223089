"""Learning the weights of a fusion on validation shoppers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize

from storewise.data.interactions import Histories
from storewise.metrics import ranking
from storewise.recommend.choose.judge import CELLS, Judge
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.fusion import FLOOR, commonness, raised, standardise

STEPS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)
LEAST_GAIN = 0.002
"""A step must raise the metric by this share: a member that adds less costs more than it gives."""

SMALL = 1e-3
"""Share of the squared weights in the likelihood: keeps them finite where members agree."""


@dataclass(frozen=True)
class Pool:
    """Each member's best products of each shopper, together: ``parts`` (b, c, m) standardised scores,
    ``products`` (b, c) with -1 where a shopper's pool is smaller. A list of a weighted sum is worked out
    from the pool alone. The last of ``parts`` is how rare a product is where there is ``best`` (b, c, m), whose
    products are: no member, but weighed with them. A product that is the best of none that has a weight counts as the
    ``commonest``."""

    parts: npt.NDArray[np.float32]
    products: npt.NDArray[np.int32]
    task: Task
    best: npt.NDArray[np.bool_] | None = None
    commonest: float = 0.0

    @classmethod
    def of(
        cls,
        members: Sequence[Retriever[Any]],
        judge: Judge,
        *,
        popularity: npt.NDArray[np.int64] | None = None,
        depth: int = 200,
    ) -> Pool:
        """A member gives its best products, as a fusion counts them. ``popularity`` (n_products,) makes rarity one more
        part."""
        task, start, made = judge.task, 0, []
        n = task.histories.n_products
        size = max(1, CELLS // max(n * (len(members) + 1), 1))
        for histories in task.histories.batches(size):
            told = [standardise(member.scores(histories), depth) for member in members]
            made += _pooled(told, histories, task, start)
            start += len(histories)
        width = max((len(products) for products, *_ in made), default=0)
        products = np.full((len(made), width), -1, np.int32)
        parts = np.full((len(made), width, len(members)), FLOOR, np.float32)
        best = np.zeros(parts.shape, np.bool_)
        for row, (found, scores, mine) in enumerate(made):
            products[row, : len(found)], parts[row, : len(found)], best[row, : len(found)] = (
                found,
                scores,
                mine,
            )
        if popularity is None:
            return cls(parts, products, task)
        common = commonness(popularity)
        rare = -common[np.maximum(products, 0)]
        parts = np.concatenate([parts, rare[:, :, None]], axis=2)
        return cls(parts, products, task, best, float(common.max(initial=0.0)))

    @property
    def members(self) -> int:
        return int(self.parts.shape[2]) - (self.best is not None)

    @cached_property
    def wanted(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where the relevant products stand in the pools: (row, column), each (e,)."""
        n = self.task.histories.n_products
        relevant = self.task.relevant
        known = np.repeat(np.arange(len(self.products)), np.diff(relevant.indptr)) * n + relevant.indices
        asked = np.arange(len(self.products))[:, None] * n + self.products
        rows, columns = np.nonzero(np.isin(asked, known) & (self.products >= 0))
        return rows, columns

    def each(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(b,): the task's metric of each shopper for the weighted sum, ties broken against it."""
        scores = self.parts @ weights.astype(np.float32)
        if self.best is not None and weights[-1]:
            # As :meth:`Fusion.loss` has it: rarity speaks of the best products of those members that serve.
            served = weights[: self.members] > 0
            if not served.all():
                outside = ~self.best[:, :, served].any(axis=2)
                lost = np.float32(weights[-1]) * (-np.float32(self.commonest) - self.parts[:, :, -1])
                scores += np.where(outside, lost, np.float32(0.0))
        scores[self.products < 0] = -np.inf
        rows, columns = self.wanted
        rank = (scores[rows] >= scores[rows, columns][:, None]).sum(axis=1) - 1
        listed = rank < self.task.k
        top = np.full((len(scores), self.task.k), -1, np.int32)
        top[rows[listed], rank[listed]] = self.products[rows[listed], columns[listed]]
        found: npt.NDArray[np.float64] = ranking.METRICS[self.task.metric](top, self.task.relevant)
        return found

    def rows(self, chosen: npt.NDArray[np.int64]) -> Pool:
        """The pool of some shoppers."""
        task = self.task
        seen = None if task.seen is None else task.seen[chosen]
        part = Task(task.histories.take(chosen), task.relevant[chosen], seen, task.k, task.metric)
        best = None if self.best is None else self.best[chosen]
        return Pool(self.parts[chosen], self.products[chosen], part, best, self.commonest)


def learn(pool: Pool) -> npt.NDArray[np.float64]:
    """(m,) weights, those of members with sum 1; on the pool's shoppers never worse than the best member.

    They start where the softmax of the sum gives the relevant products most probability (:func:`likeliest`), which
    is smooth and has one optimum. Then those that the metric does not miss are left out, and one after the other
    goes to its best step while the metric itself rises.
    """
    m = pool.parts.shape[2]
    singles = [float(np.nanmean(pool.each(np.eye(m)[place]))) for place in range(pool.members)]
    order = [*np.argsort(singles)[::-1], *range(pool.members, m)]
    weights, best = _climb(pool, _lean(pool, likeliest(pool), order[::-1]), order)
    if best < max(singles):
        weights = np.eye(m)[int(np.argmax(singles))]
    normed: npt.NDArray[np.float64] = weights / weights[: pool.members].sum()
    return normed


def likeliest(pool: Pool) -> npt.NDArray[np.float64]:
    """(m,) weights ≥ 0 that maximise Σ ln softmax(parts · weights)[relevant], each shopper's relevant products
    sharing one vote (Cao et al. 2007, ListNet), by L-BFGS-B. Shoppers whose pool has none of theirs don't count."""
    rows, columns = pool.wanted
    m = pool.parts.shape[2]
    if not len(rows):
        return np.ones(m)
    asked, place, count = np.unique(rows, return_inverse=True, return_counts=True)
    parts, open_ = pool.parts[asked].astype(np.float32), pool.products[asked] >= 0
    vote = 1.0 / count[place]
    told = np.einsum("em,e->m", parts[place, columns].astype(np.float64), vote)

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scores = np.where(open_, parts @ weights.astype(np.float32), -np.inf)
        top = scores.max(axis=1, keepdims=True)
        share = np.exp(scores - top)
        mass = share.sum(axis=1, keepdims=True)
        share /= mass
        total = float((np.log(mass) + top).sum(dtype=np.float64) - told @ weights)
        slope = np.einsum("bc,bcm->m", share, parts, dtype=np.float64) - told
        return (
            total / len(asked) + SMALL * float(weights @ weights),
            slope / len(asked) + 2 * SMALL * weights,
        )

    start, bounds = np.full(m, 1.0 / m), [(0.0, None)] * m
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights: npt.NDArray[np.float64] = found.x
    return weights / weights.max() if weights[: pool.members].any() else np.ones(m)


def _lean(pool: Pool, weights: npt.NDArray[np.float64], order: Sequence[int]) -> npt.NDArray[np.float64]:
    """Weights that the metric does not miss set to 0, the weakest member first."""
    for place in order:
        trial = weights.copy()
        trial[place] = 0.0
        if trial[: pool.members].any():
            with_, without = (float(np.nanmean(pool.each(w))) for w in (weights, trial))
            weights = trial if with_ <= without * (1.0 + LEAST_GAIN) else weights
    return weights


def _climb(
    pool: Pool, weights: npt.NDArray[np.float64], order: Sequence[int]
) -> tuple[npt.NDArray[np.float64], float]:
    """One weight after the other to its best step, while that helps; the weights and their value."""
    best, improved = float(np.nanmean(pool.each(weights))), True
    while improved:
        improved = False
        for place in order:
            for step in STEPS:
                trial = weights.copy()
                trial[place] = step
                if not trial[: pool.members].any():
                    continue
                value = float(np.nanmean(pool.each(trial)))
                if value > best * (1.0 + LEAST_GAIN):
                    weights, best, improved = trial, value, True
    return weights, best


def cross_fitted(pool: Pool, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(b,): each shopper's metric with weights learned on the other half: what fusing is worth to strangers."""
    half: npt.NDArray[np.bool_] = rng.permutation(len(pool.products)) % 2 == 0
    values: npt.NDArray[np.float64] = np.empty(len(pool.products), np.float64)
    for side in (half, ~half):
        weights = learn(pool.rows(np.flatnonzero(~side)))
        values[side] = pool.rows(np.flatnonzero(side)).each(weights)
    return values


def _pooled(
    told: list[npt.NDArray[np.float32]], histories: Histories, task: Task, start: int
) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
    """(products (c,), parts (c, m), whose best they are (c, m)) of each shopper, without seen products."""
    pools, every = [], np.arange(histories.n_products, dtype=np.int32)
    for row in range(len(histories)):
        had = histories.products[histories.indptr[row] : histories.indptr[row + 1]]
        best = [raised(every, part[row] - np.float32(FLOOR), had) for part in told]
        products = np.unique(np.concatenate(best))
        if task.seen is not None:
            seen = task.seen.indices[task.seen.indptr[start + row] : task.seen.indptr[start + row + 1]]
            products = products[~np.isin(products, seen)]
        mine = np.stack([np.isin(products, one) for one in best], axis=1)
        pools.append((products, np.stack([part[row, products] for part in told], axis=1), mine))
    return pools
