"""The union of what several retrievers find for one shopper or many, with each one's score and rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.data.interactions import Histories
from storewise.metrics.ranking import kth_largest
from storewise.recommend.request import ItemList
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.fusion import FLOOR, Fusion, raised, scale_of

Index = npt.NDArray[np.int64]
FUSED = "fused"


@dataclass(frozen=True)
class Candidates:
    """m candidates of b shoppers: ``row`` (m,) rising says whose, ``products`` (m,) int32. ``parts`` (m, s)
    float32: each source's score, NaN where it does not know the product; ``ranks`` (m, s) float32: its place in the
    source's order (0 is best), NaN where it is not among those the source gave."""

    row: Index
    products: npt.NDArray[np.int32]
    parts: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.float32]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    def over(self, sources: tuple[str, ...]) -> Candidates:
        """The same candidates with the columns of ``sources``; NaN where one of them gave nothing.

        >>> of_items(ItemList(np.array([3], np.int32), np.ones(1, np.float32))).over(("popular", "fused")).parts
        array([[nan,  1.]], dtype=float32)
        """
        if sources == self.sources:
            return self
        parts, ranks = (np.full((len(self), len(sources)), np.nan, np.float32) for _ in range(2))
        for place, name in enumerate(sources):
            if name in self.sources:
                at = self.sources.index(name)
                parts[:, place], ranks[:, place] = self.parts[:, at], self.ranks[:, at]
        return Candidates(self.row, self.products, parts, ranks, sources)

    def part(self, chosen: Index) -> Candidates:
        """Some of the candidates, in the order of the index."""
        return Candidates(
            self.row[chosen], self.products[chosen], self.parts[chosen], self.ranks[chosen], self.sources
        )


@dataclass(frozen=True)
class Source:
    """A trained retriever; ``weight``: its part in the fused order."""

    name: str
    retriever: Retriever[Any]
    weight: float


@dataclass(frozen=True)
class Sources:
    """The retrievers that candidates come from. ``fused``, a source of its own, is the order that would be shown
    without a ranker: the weighted sum of standardised scores, as :class:`Fusion` has it.

    ``depth``: candidates that each source gives; ``scale``: :class:`Fusion`'s ``depth`` of standardising; ``fusion``:
    what serves, where it takes from products for being common.
    """

    members: tuple[Source, ...]
    depth: int = 150
    scale: int = 200
    fusion: Fusion | None = None

    @classmethod
    def of(
        cls, served: Retriever[Any], name: str, more: Mapping[str, Retriever[Any]], *, depth: int = 150
    ) -> Sources:
        """``served``: what is retrieved now, a fusion or one retriever; ``more``: others by registered name, left
        out where they are there already."""
        if isinstance(served, Fusion):
            parts = zip(served.config.members, served.members, strict=True)
            members = [Source(part.use, member, part.weight) for part, member in parts]
            scale, fusion = served.config.depth, served if served.rarity else None
        else:
            members, scale, fusion = [Source(name, served, 1.0)], 200, None
        there = {one.name for one in members}
        members += [Source(other, found, 0.0) for other, found in more.items() if other not in there]
        return cls(tuple(members), depth, scale, fusion)

    @property
    def names(self) -> tuple[str, ...]:
        """``fused``, then each retriever's short name."""
        return (FUSED, *(one.name.split(".")[1] for one in self.members))

    def one(self, history: Histories, eligible: npt.NDArray[np.bool_] | None = None) -> Candidates:
        """The candidates of one shopper, among eligible products."""
        found = [member.retriever.finite(history) for member in self.members]
        return _together([self._union(found, history, eligible)], self.names)

    def many(
        self,
        histories: Histories,
        seen: npt.NDArray[np.bool_] | None = None,
    ) -> Candidates:
        """The candidates of b shoppers; ``seen`` (b, n_products): true where a product is taken out."""
        scores = [member.retriever.scores(histories) for member in self.members]
        made = []
        for row in range(len(histories)):
            found = []
            for told in scores:
                products = np.flatnonzero(told[row] > -np.inf).astype(np.int32)
                found.append((products, told[row, products]))
            one = histories.part(row, row + 1)
            made.append(self._union(found, one, None if seen is None else ~seen[row]))
        return _together(made, self.names)

    def _union(
        self, found: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]], history: Histories,
        eligible: npt.NDArray[np.bool_] | None,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:  # fmt: skip
        """Products rising, scores and ranks of each source, the fused one first."""
        n = history.n_products
        table = np.full((len(found) + 1, n), np.nan, np.float32)
        fused, known, high = np.zeros(n, np.float32), np.zeros(n, bool), np.zeros(n, bool)
        for place, (member, (products, scores)) in enumerate(zip(self.members, found, strict=True), start=1):
            table[place, products] = scores
            if member.weight:
                mean, spread = scale_of(scores, self.scale)
                above = np.maximum((scores - mean) / spread - np.float32(FLOOR), 0)
                fused[products] += np.float32(member.weight) * above
                known[products] = True
                if self.fusion is not None:
                    high[raised(products, above, history.products)] = True
        lost = np.float32(0.0) if self.fusion is None else self.fusion.loss(high)
        table[0, known] = (fused - lost)[known]
        if eligible is not None:
            table[:, ~eligible] = np.nan
        ranks = np.full(table.shape, np.nan, np.float32)
        chosen = np.zeros(n, bool)
        for place, scores in enumerate(table):
            best = _best(scores, self.depth)
            ranks[place, best] = np.arange(len(best))
            chosen[best] = True
        products = np.flatnonzero(chosen).astype(np.int32)
        return products, table[:, products].T, ranks[:, products].T


def _best(scores: npt.NDArray[np.float32], depth: int) -> Index:
    """The ``depth`` best that are not NaN, best first, ties broken by the smaller index."""
    told = np.flatnonzero(~np.isnan(scores))
    if len(told) > depth:
        told = told[scores[told] >= kth_largest(scores[told], depth)]
    return told[np.argsort(-scores[told], kind="stable")[:depth]]


def _together(
    made: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]]],
    sources: tuple[str, ...],
) -> Candidates:
    row = np.repeat(np.arange(len(made)), [len(products) for products, _, _ in made])
    if not made:
        empty = np.empty((0, len(sources)), np.float32)
        return Candidates(row, np.empty(0, np.int32), empty, empty, sources)
    products, parts, ranks = (np.concatenate(column) for column in zip(*made, strict=True))
    return Candidates(row, products, parts, ranks, sources)


@dataclass(frozen=True)
class Shortlist(ItemList):
    """One shopper's candidates as a list: ``candidates`` in the order of ``products``."""

    candidates: Candidates = field(kw_only=True)

    @cached_property
    def places(self) -> Mapping[int, int]:
        """Product → where it stands."""
        return dict(zip(self.products.tolist(), range(len(self)), strict=True))

    @classmethod
    def of(cls, found: Candidates) -> Shortlist:
        """In the order of the fused score; what only other sources know comes after, in their best rank's order."""
        fused = found.parts[:, 0]
        best = np.nan_to_num(found.ranks, nan=np.inf).min(axis=1) if len(found) else np.empty(0)
        order = np.lexsort((best, np.where(np.isnan(fused), np.inf, -fused)))
        chosen = found.part(order)
        return cls(chosen.products, chosen.parts[:, 0], candidates=chosen)

    def reordered(self, order: Index, scores: npt.NDArray[np.float32]) -> Shortlist:
        """Another order with other scores."""
        reasons = tuple(self.reasons[place] for place in order) if self.reasons else ()
        return Shortlist(self.products[order], scores, reasons, candidates=self.candidates.part(order))


def of_items(items: ItemList) -> Candidates:
    """A plain list as candidates of one source, ``fused``: its scores in its order."""
    m = len(items)
    scores = items.scores.astype(np.float32)[:, None]
    return Candidates(
        np.zeros(m, np.int64), items.products, scores, np.arange(m, dtype=np.float32)[:, None], (FUSED,)
    )
