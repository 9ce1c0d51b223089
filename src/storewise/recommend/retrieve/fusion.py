"""Several retrievers as one: each one's scores on a common scale, added with weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.metrics.ranking import kth_largest
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.retrieve.base import Retriever, top_n

FLOOR = -3.0
"""What a member says, in standard deviations, of a product that it does not know or rates lower still."""
EACH = 60
"""A member's best products, of all and of those the shopper has not had, that ``rarity`` speaks of."""


_Lift = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


class Member(Config):
    """One retriever by its registered name, with its own config, and its weight in the sum."""

    use: str
    config: dict[str, Any] = Field(default_factory=dict)
    weight: float = Field(default=1.0, ge=0.0)


class FusionConfig(Config):
    """``depth``: a member's scale is the mean and standard deviation of its so many best scores. ``rarity``: the
    sum falls by so many (weighted) standard deviations for each unit of ln(1 + customers of the product); for a
    product that is among no member's best, as if it were the commonest: being rare alone lifts nothing."""

    members: tuple[Member, ...] = (
        Member(use="retrieve.item_knn.v1", weight=0.9),
        Member(use="retrieve.popular.v1", weight=0.1),
    )
    depth: int = Field(default=200, ge=2)
    rarity: float = Field(default=0.0, ge=0.0)


class Fusion(Retriever[FusionConfig]):
    """Weighted sum of standardised scores (after Fox & Shaw 1994, CombSUM, with z-scores and weights).

    Most members lean to popular products, each in its own measure, and what they agree on leans more: ``rarity``
    takes that back, as dividing by a power of popularity does within one model (Steck 2011). A product that no member knows gets -inf. The reason is that of the member that lifts the product most.

    >>> shop = Dataset.of([0, 0, 1, 1, 2], [0, 1, 0, 2, 2], n_customers=3, n_products=3)
    >>> model = Fusion()
    >>> model.train(shop, rng=np.random.default_rng(0))
    >>> [reason.kind for reason in model(Request(shop.histories([1])), 3).reasons]
    ['bought_with', 'bought_with', 'bought_with']
    """

    Config = FusionConfig

    def __init__(self, config: FusionConfig | None = None) -> None:
        super().__init__(config)
        self.members: list[Retriever[Any]] = []
        self._popularity: npt.NDArray[np.int64] | None = None
        self._common = np.zeros(0, np.float32)

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        seed = int(rng.integers(2**31))
        members = self._create()
        for place, (part, member) in enumerate(zip(self.config.members, members, strict=True)):
            member.train(dataset, rng=spawn(seed, part.use, place), progress=progress)
        self.take(members, dataset)

    def take(self, members: Sequence[Retriever[Any]], dataset: Dataset) -> None:
        """Use members that are trained already, on this data set, in the order of the config."""
        self.members = list(members)
        self._count(dataset.interactions.popularity if self.config.rarity else None)

    def _count(self, popularity: npt.NDArray[np.int64] | None) -> None:
        self._popularity = popularity
        if popularity is not None:
            self._common = commonness(popularity) * np.float32(self.config.rarity)

    def state(self) -> Arrays:
        """The members' arrays, named ``<place>.<name>``, and ``popularity`` where ``rarity`` needs it."""
        self.require(bool(self.members))
        parts = [member.state() for member in self.members]
        made = {f"{place}.{name}": array for place, part in enumerate(parts) for name, array in part.items()}
        return made if self._popularity is None else {**made, "popularity": self._popularity}

    def restore(self, state: Arrays) -> None:
        self._count(state.get("popularity"))
        self.members = self._create()
        for place, member in enumerate(self.members):
            start = f"{place}."
            member.restore({n.removeprefix(start): a for n, a in state.items() if n.startswith(start)})

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        self.require(bool(self.members))
        total = np.zeros((len(histories), histories.n_products), np.float32)
        known, best = np.zeros(total.shape, np.bool_), np.zeros(total.shape, np.bool_)
        for part, member in zip(self.config.members, self.members, strict=True):
            found = member.scores(histories)
            known |= found > -np.inf
            scaled = standardise(found, self.config.depth)
            total += np.float32(part.weight) * scaled
            if self.rarity and part.weight:
                every = np.arange(histories.n_products, dtype=np.int32)
                for row, one in enumerate(scaled):
                    had = histories.products[histories.indptr[row] : histories.indptr[row + 1]]
                    best[row, raised(every, one - np.float32(FLOOR), had)] = True
        total -= self.loss(best)
        total[~known] = -np.inf
        return total

    def __call__(self, request: Request, n: int) -> ItemList:
        """As ``scores``, but adding only what each member knows."""
        products, total, lifts = self._lifts(request.history)
        allowed = None if request.eligible is None else request.eligible[products]
        best = top_n(total, n, eligible=allowed)
        chosen = products[best.products]
        return ItemList(chosen, best.scores, tuple(self._told(request, chosen, lifts)))

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """Each product's reason by the member with the greatest share in its score."""
        return self._told(request, products, self._lifts(request.history)[2])

    def _lifts(self, one: Histories) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], list[_Lift]]:
        """Known products, rising, their scores, and what each member adds above the floor."""
        self.require(bool(self.members))
        total = np.zeros(one.n_products, np.float32)
        known, best = np.zeros(one.n_products, np.bool_), np.zeros(one.n_products, np.bool_)
        lifts = []
        for part, member in zip(self.config.members, self.members, strict=True):
            products, scores = member.finite(one)
            mean, spread = scale_of(scores, self.config.depth)
            above = np.maximum((scores - mean) / spread - np.float32(FLOOR), 0)
            if self.rarity and part.weight:
                best[raised(products, above, one.products)] = True
            lift = np.float32(part.weight) * above
            total[products] += lift
            known[products] = True
            lifts.append((products, lift))
        found = np.flatnonzero(known).astype(np.int32)
        base = np.float32(FLOOR * sum(part.weight for part in self.config.members))
        return found, (total + base - self.loss(best))[found], lifts

    @property
    def rarity(self) -> bool:
        """Whether products lose anything for being common."""
        return self._popularity is not None

    def loss(self, best: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32] | np.float32:
        """(…, n_products): what products lose for being common; ``best`` (…, n_products): those that are among a
        member's best. One 0 without ``rarity``."""
        if self._popularity is None:
            return np.float32(0.0)
        return np.where(best, self._common, self._common.max(initial=0.0))

    def _told(
        self, request: Request, products: npt.NDArray[np.int32], lifts: Sequence[_Lift]
    ) -> list[Reason]:
        told = [Reason("popular")] * len(products)
        best = np.argmax(np.stack([_at(products, *lift) for lift in lifts]), axis=0)
        for place, member in enumerate(self.members):
            mine = np.flatnonzero(best == place)
            if len(mine):
                for index, reason in zip(mine, member.reasons(request, products[mine]), strict=True):
                    told[index] = reason
        return told

    def _create(self) -> list[Retriever[Any]]:
        from storewise.recommend.retrieve import COMPONENTS

        registry = Registry(COMPONENTS, plugins=True)
        members = []
        for part in self.config.members:
            member = registry.create(part.use, part.config)
            assert isinstance(member, Retriever)
            members.append(member)
        return members


def raised(
    products: npt.NDArray[np.int32], above: npt.NDArray[np.float32], had: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Those of a member's ``products`` (k,) that are among its best, by what it adds ``above`` the floor (k,);
    ``had``: the shopper's history."""
    told = np.flatnonzero(above > 0)
    mine = np.zeros(int(max(products.max(initial=-1), had.max(initial=-1))) + 1, np.bool_)
    mine[had] = True
    return products[told[among_best(above[told], mine[products[told]])]]


def among_best(scores: npt.NDArray[np.float32], had: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(k,): which scores (k,) are among the ``EACH`` best of all, or of those not ``had`` (k,).

    >>> among_best(np.arange(200, dtype=np.float32), np.arange(200) >= 150).nonzero()[0][[0, -1]].tolist()
    [90, 199]
    """
    found = _highest(scores)
    found[~had] |= _highest(scores[~had])
    return found


def _highest(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Of ties at the border all, or none where that would be twice as many: a value that half the catalogue has is not
    among the best."""
    if len(scores) <= EACH:
        return np.ones(len(scores), np.bool_)
    border = kth_largest(scores, EACH)
    found: npt.NDArray[np.bool_] = scores >= border
    return found if np.count_nonzero(found) <= 2 * EACH else scores > border


def commonness(popularity: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """ln(1 + customers) of each product.

    >>> commonness(np.array([0, 1])).round(2).tolist()
    [0.0, 0.6899999976158142]
    """
    found: npt.NDArray[np.float32] = np.log1p(popularity).astype(np.float32)
    return found


def standardise(scores: npt.NDArray[np.float32], depth: int) -> npt.NDArray[np.float32]:
    """(b, n) scores in standard deviations from the mean of each row's ``depth`` best, at least ``FLOOR``.

    -inf becomes ``FLOOR``; a row whose best scores are all alike (or that has none) becomes 0 at those.

    >>> standardise(np.array([[1.0, 3.0, -np.inf]], np.float32), 2).tolist()
    [[-1.0, 1.0, -3.0]]
    """
    scales = np.array([scale_of(told[told > -np.inf], depth) for told in scores], np.float32).reshape(-1, 2)
    mean, spread = scales[:, :1], scales[:, 1:]
    unknown = scores == -np.inf
    found: npt.NDArray[np.float32] = (np.where(unknown, np.float32(0.0), scores) - mean) / spread
    np.maximum(found, np.float32(FLOOR), out=found)
    found[unknown] = FLOOR
    return found


def scale_of(scores: npt.NDArray[np.float32], depth: int) -> tuple[np.float32, np.float32]:
    """Mean and standard deviation of the ``depth`` best; (0, inf) of none, spread inf where all are alike."""
    if not len(scores):
        return np.float32(0.0), np.float32(np.inf)
    best = scores
    if len(scores) > depth:
        border = kth_largest(scores, depth)
        best = scores[scores > border]
        best = np.concatenate([best, np.full(depth - len(best), border, scores.dtype)])
    mean, spread = float(best.mean(dtype=np.float64)), float(best.std(dtype=np.float64))
    return np.float32(mean), np.float32(spread if spread > 1e-9 * (1.0 + abs(mean)) else np.inf)


def _at(
    products: npt.NDArray[np.int32], known: npt.NDArray[np.int32], lifts: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """The lift of each product, 0 for those that are not in ``known`` (rising)."""
    if not len(known):
        return np.zeros(len(products), np.float32)
    place = np.minimum(np.searchsorted(known, products), len(known) - 1)
    return np.where(known[place] == products, lifts[place], np.float32(0.0))
