"""What a ranker reads of a shopper and a candidate: one code path for training and serving.

All columns are worked out from the shopper's history before ``now``, from the product's facts at the moment of
training and from the retrievers' own scores, so that nothing later can change them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.data.interactions import Histories
from storewise.recommend.rank.candidates import Candidates
from storewise.recommend.rank.product_facts import DAY_S, ProductFacts
from storewise.recommend.rank.product_facts import NAMES as PRODUCT_NAMES

CUSTOMER_NAMES = (
    "customer_events",
    "customer_products",
    "customer_baskets",
    "customer_idle_days",
    "customer_gap_days",
    "customer_due",
    "customer_tenure_days",
    "customer_repeat_share",
    "customer_price",
    "customer_events_28d",
)
PAIR_NAMES = (
    "own_times",
    "own_idle_days",
    "own_first_days",
    "own_gap_days",
    "own_cycle",
    "own_rate",
    "own_baskets_since",
    "own_recent",
    "price_level",
    "category_share",
    "category_recent",
    "brand_share",
    "content_history",
    "content_basket",
    "content_nearest",
)
BASKET_S = 0.5 * DAY_S  # purchases closer than this are one basket
RECENT_DAYS = 91.0
HALF_LIFE_DAYS = 28.0
Columns = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]


def names_of(sources: tuple[str, ...]) -> tuple[str, ...]:
    """The columns for these retrievers.

    >>> names_of(("popular",))[:2]
    ('popular.score', 'popular.rank')
    """
    told = (f"{source}.{what}" for source in sources for what in ("score", "rank"))
    return (*told, *PRODUCT_NAMES, *CUSTOMER_NAMES, *PAIR_NAMES)


def features(histories: Histories, candidates: Candidates, facts: ProductFacts) -> Columns:
    """(m, len(names_of(candidates.sources))) float32 of all candidates, NaN where nothing is known.

    ``histories`` (b shoppers); ``candidates.row`` says whose candidate each is.
    """
    shopper, own = _known(histories, facts)
    row, product = candidates.row, candidates.products
    told = candidates.parts.shape[1]
    out = np.empty(
        (len(row), 2 * told + len(PRODUCT_NAMES) + len(CUSTOMER_NAMES) + len(PAIR_NAMES)), np.float32
    )
    out[:, 0 : 2 * told : 2] = candidates.parts
    out[:, 1 : 2 * told : 2] = np.log1p(candidates.ranks)
    start = 2 * told
    out[:, start : start + len(PRODUCT_NAMES)] = facts.table[product]
    start += len(PRODUCT_NAMES)
    out[:, start : start + len(CUSTOMER_NAMES)] = shopper.table[row]
    start += len(CUSTOMER_NAMES)
    _pairs(out[:, start:], histories, shopper, own, row, product, facts)
    return out


def _known(histories: Histories, facts: ProductFacts) -> tuple[_Shopper, _Own]:
    """What is true of the shoppers whatever the candidates are: a list and its reasons ask for it both."""
    kept = histories.kept.get("rank")
    if kept is None or kept[0] is not facts:
        shopper = _Shopper.of(histories, facts)
        kept = histories.kept["rank"] = facts, shopper, _Own.of(histories, shopper.basket)
    return kept[1], kept[2]


@dataclass(frozen=True)
class _Shopper:
    """``table`` (b, len(CUSTOMER_NAMES)); ``basket`` (nnz,): which of the shopper's baskets each event is in, the
    latest 0; ``baskets`` (b,)."""

    table: Columns
    basket: Index
    baskets: Index
    price: npt.NDArray[np.float64]

    @classmethod
    def of(cls, histories: Histories, facts: ProductFacts) -> _Shopper:
        b, row, at = len(histories), histories.rows, histories.at
        length = np.diff(histories.indptr)
        told = length > 0
        first_of = histories.indptr[:-1][told]
        opens = np.diff(at, prepend=-np.inf) >= BASKET_S
        opens[first_of] = True
        baskets = np.bincount(row[opens], minlength=b)
        number = np.cumsum(opens)
        last = np.zeros(b, np.int64)
        last[told] = number[histories.indptr[1:][told] - 1]
        basket = last[row] - number
        first_at, last_at = np.full(b, np.nan), np.full(b, np.nan)
        first_at[told], last_at[told] = at[first_of], at[histories.indptr[1:][told] - 1]
        keys = np.unique(row * histories.n_products + histories.products)
        distinct = np.bincount(keys // histories.n_products, minlength=b)
        idle, tenure = (histories.now - last_at) / DAY_S, (histories.now - first_at) / DAY_S
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = np.where(baskets > 1, (tenure - idle) / (baskets - 1), np.nan)
            due = idle / gap
            repeated = 1.0 - distinct / length
        worth = facts.log_price[histories.products].astype(np.float64)
        priced = ~np.isnan(worth)
        count = np.bincount(row[priced], minlength=b)
        total = np.bincount(row[priced], worth[priced], minlength=b)
        price = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        late = np.bincount(row[at >= histories.now[row] - 28 * DAY_S], minlength=b)
        columns = (
            np.log1p(length), np.log1p(distinct), np.log1p(baskets), idle, gap, due, tenure, repeated, price,
            np.log1p(late),
        )  # fmt: skip
        return cls(np.stack(columns, axis=1).astype(np.float32), basket, baskets, price)


@dataclass(frozen=True)
class _Own:
    """What each shopper did with each product of the history, by rising key row * n_products + product."""

    key: Index
    times: Index
    last: npt.NDArray[np.float64]
    first: npt.NDArray[np.float64]
    basket: Index
    recent: npt.NDArray[np.float64]

    @classmethod
    def of(cls, histories: Histories, basket: Index) -> _Own:
        key = histories.rows * histories.n_products + histories.products
        order = np.argsort(key, kind="stable")  # histories are in time order already
        key, at, which = key[order], histories.at[order], basket[order]
        opens = np.diff(key, prepend=-1) != 0
        start = np.flatnonzero(opens)
        line = np.cumsum(opens) - 1
        # One purchase a basket: the same product twice in a basket counts once.
        new = opens | (np.diff(which, prepend=-1) != 0)
        stop = np.append(start[1:], len(key)) - 1 if len(key) else start
        age_days = (histories.now[histories.rows[order]] - at) / DAY_S
        weight = np.exp2(-age_days / HALF_LIFE_DAYS) * new
        return cls(
            key[start], np.bincount(line[new], minlength=len(start)), at[stop], at[start], which[stop],
            np.bincount(line, weight, minlength=len(start)),
        )  # fmt: skip


def _pairs(
    out: Columns, histories: Histories, shopper: _Shopper, own: _Own, row: Index,
    product: npt.NDArray[np.int32], facts: ProductFacts,
) -> None:  # fmt: skip
    out[:] = np.nan
    column = {name: place for place, name in enumerate(PAIR_NAMES)}
    times = np.zeros(len(row))
    if len(own.key):
        key = row * histories.n_products + product
        place = np.minimum(np.searchsorted(own.key, key), len(own.key) - 1)
        mine = np.flatnonzero(own.key[place] == key)
        at = place[mine]
        now = histories.now[row[mine]]
        times[mine] = own.times[at]
        idle, first = (now - own.last[at]) / DAY_S, (now - own.first[at]) / DAY_S
        again = own.times[at] - 1
        # The shopper's own gap, drawn to the product's by one gap of it.
        gap = ((first - idle) + np.exp(facts.log_gap[product[mine]])) / (again + 1)
        out[mine, column["own_idle_days"]] = idle
        out[mine, column["own_first_days"]] = first
        out[mine, column["own_gap_days"]] = np.where(again > 0, (first - idle) / np.maximum(again, 1), np.nan)
        out[mine, column["own_cycle"]] = idle / np.maximum(gap, 0.5)
        out[mine, column["own_rate"]] = own.times[at] / np.maximum(shopper.baskets[row[mine]], 1)
        out[mine, column["own_baskets_since"]] = own.basket[at]
        out[mine, column["own_recent"]] = own.recent[at]
    out[:, column["own_times"]] = times
    out[:, column["price_level"]] = facts.log_price[product] - shopper.price[row]
    category = _shares(histories, facts.category, row, product)
    out[:, column["category_share"]], out[:, column["category_recent"]] = category
    out[:, column["brand_share"]] = _shares(histories, facts.brand, row, product)[0]
    if facts.content is not None:
        start = column["content_history"]
        _affinity(out[:, start : start + 3], histories, shopper, row, product, facts.content)


def _shares(
    histories: Histories, codes: npt.NDArray[np.int32], row: Index, product: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The part of the shopper's events that is of the candidate's code: of all, and of late ones by half-life."""
    wanted = codes[product]
    size = int(codes.max(initial=-1)) + 1
    nothing = np.full(len(row), np.nan)
    if not size or not len(histories.products):
        return nothing, nothing
    mine = codes[histories.products]
    told = mine >= 0
    key = histories.rows[told] * size + mine[told]
    age_days = (histories.now[histories.rows[told]] - histories.at[told]) / DAY_S
    found = []
    for weight in (np.ones(len(key)), np.exp2(-age_days / HALF_LIFE_DAYS)):
        sums = np.bincount(key, weight, minlength=len(histories) * size).reshape(-1, size)
        total = sums.sum(axis=1)[row]
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.where((wanted >= 0) & (total > 0), sums[row, wanted] / total, np.nan))
    return found[0], found[1]


def _affinity(
    out: Columns, histories: Histories, shopper: _Shopper, row: Index, product: npt.NDArray[np.int32],
    content: npt.NDArray[np.float32],
) -> None:  # fmt: skip
    """Cosines of the candidate with the mean of the history, with that of the latest basket, and with the nearest
    product of that basket (the candidate itself left out)."""
    known = content.any(axis=1)
    latest = shopper.basket == 0
    vectors = content[product]
    told = known[product]
    weights = (np.ones(len(latest), np.float32), latest.astype(np.float32))
    for place, weight in enumerate(weights):
        mean = np.asarray(histories.matrix(weight) @ content)
        norm = np.linalg.norm(mean, axis=1)
        mean /= np.maximum(norm, 1e-9)[:, None]
        cosine = np.einsum("md,md->m", vectors, mean[row])
        out[:, place] = np.where(told & (norm[row] > 1e-9), cosine, np.nan)
    for shopper_row in np.unique(row[told]):
        start, stop = histories.indptr[shopper_row], histories.indptr[shopper_row + 1]
        basket = np.unique(histories.products[start:stop][latest[start:stop]])
        basket = basket[known[basket]]
        mine = np.flatnonzero((row == shopper_row) & told)
        if len(basket):
            cosines = vectors[mine] @ content[basket].T
            cosines[product[mine][:, None] == basket] = -1.0
            out[mine, 2] = cosines.max(axis=1)
