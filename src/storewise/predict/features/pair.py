"""Features of a shopper and a product: their own history with it, where it stands in the shop, how it fits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.predict.base import Rows
from storewise.predict.features import segments
from storewise.predict.features.customer import Columns, Text, as_rows, customer_columns, taste
from storewise.predict.features.events import CODE, DAY_S, RETURN, Trails
from storewise.predict.features.facts import ShopFacts
from storewise.predict.features.shown import Shown, shown_columns

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HALF_LIFE_DAYS = 28.0  # of what was bought, in what goes with it
TASTES = 20  # how many of the latest purchases a product is compared with one by one
CHUNK = 20_000
SHOPPER = (
    "recency_days", "orders_log", "tenure_days", "orders_28", "orders_91", "order_rate", "gap_mean_days",
    "cycle_position", "spend_log", "order_value_log", "lines_mean", "price_level", "products_log",
    "repeat_share", "return_share", "p_alive", "bg_p_purchase", "orders_year_ago",
)  # fmt: skip
"""The shopper's features that stand beside a product's."""


def pair_rows(
    trails: Trails, facts: ShopFacts, rows: npt.ArrayLike, products: npt.ArrayLike, *, text: Text = "fit",
    shown: Shown | None = None,
) -> Rows:  # fmt: skip
    """(m,) rows: pair i is shopper ``rows[i]`` (index into ``trails``) and product ``products[i]``.

    ``text``: see :data:`storewise.predict.features.customer.Text`. ``shown`` (m,): how the product is shown, for pairs
    in lists: their rows have the columns of :mod:`storewise.predict.features.shown` too.
    """
    who, what = np.asarray(rows, np.int64), np.asarray(products, np.int64)
    everything = customer_columns(trails, facts)
    columns: Columns = {name: everything[name][who] for name in SHOPPER}
    columns |= _own(trails, facts, who, what)
    columns |= _product(trails, facts, who, what, everything["price_level"])
    columns |= _fit(trails, facts, who, what, text=text != "none")
    columns |= _looks(trails, who, what)
    vectors = {"text": facts.text[what]} if text == "full" and facts.text.shape[1] else {}
    if shown is None:
        return as_rows(columns, vectors)
    return as_rows(columns | shown_columns(trails, facts, who, what, shown), vectors, shown.categories(facts))


def _keys(trails: Trails, facts: ShopFacts, who: Ints, what: Ints) -> tuple[Ints, Ints]:
    """Keys of (shopper, product), of the events and of the pairs."""
    return trails.rows * facts.n_products + trails.products, who * facts.n_products + what


def _by_key(keys: Ints, wanted: Ints) -> tuple[Ints, npt.NDArray[np.bool_], Ints]:
    """Different wanted keys: for each event the place among them and whether it is wanted; for each pair its place."""
    unique, place = np.unique(wanted, return_inverse=True)
    if not len(unique):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), bool), place
    found = np.minimum(np.searchsorted(unique, keys), len(unique) - 1)
    return found, unique[found] == keys, place


def _own(trails: Trails, facts: ShopFacts, who: Ints, what: Ints) -> Columns:
    """How often, how lately and how regularly this shopper bought this product."""
    orders = trails.orders
    bought = orders.lines_of
    keys, wanted = _keys(bought, facts, who, what)
    place, hit, pair = _by_key(keys, wanted)
    m = int(pair.max()) + 1 if len(pair) else 0
    slot, at, order = place[hit], bought.at[hit], orders.line_order[hit]
    # One row an order: a product twice in an order counts once. Events stand in time order within a slot.
    by_slot = np.lexsort((at, slot))
    slot, at, order = slot[by_slot], at[by_slot], order[by_slot]
    fresh = np.ones(len(slot), bool)
    fresh[1:] = (slot[1:] != slot[:-1]) | (order[1:] != order[:-1])
    units = segments.total(slot, bought.quantity[hit][by_slot], m)
    slot, at, order = slot[fresh], at[fresh], order[fresh]
    counts = np.bincount(slot, minlength=m).astype(np.float64)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    first, last = segments.first(at, indptr), segments.last(at, indptr)
    owner = np.zeros(m, np.int64)
    owner[pair] = who
    now = trails.now[owner]
    recency = (now - last) / DAY_S
    gap = np.where(counts > 1, (last - first) / DAY_S / np.maximum(counts - 1, 1), np.nan)
    product = np.zeros(m, np.int64)
    product[pair] = what
    cycle = np.where(np.isnan(gap) | (gap <= 0), facts.again_days[product], gap)
    age = (now[slot] - at) / DAY_S
    since = orders.count[owner] - 1 - (segments.last(order.astype(np.float64), indptr) - orders.indptr[owner])
    back = trails.of_kind(RETURN)
    back_keys = _keys(back, facts, who, what)[0]
    back_place, back_hit, _ = _by_key(back_keys, wanted)
    found = {
        "own_orders": counts,
        "own_recency_days": recency,
        "own_gap_mean_days": gap,
        "own_cycle_position": recency / np.maximum(cycle, 1.0),
        "own_share": segments.ratio(counts, orders.count[owner]),
        "own_orders_91": np.bincount(slot[age <= 91], minlength=m).astype(np.float64),
        "own_orders_since": since,
        "own_units_mean": segments.ratio(units, counts),
        "own_returned": np.bincount(back_place[back_hit], minlength=m).astype(np.float64),
    }
    return {name: values[pair] for name, values in found.items()}


def _product(trails: Trails, facts: ShopFacts, who: Ints, what: Ints, level: Floats) -> Columns:
    later = (trails.now[who] - facts.now) / DAY_S
    price = facts.price_minor[what]
    cheapness = np.log(np.maximum(price, 1e-9) / max(facts.unit_price_minor, 1e-9))
    return {
        "product_buyers_28_log": np.log1p(facts.buyers_28[what]),
        "product_buyers_91_log": np.log1p(facts.buyers_91[what]),
        "product_trend": segments.log_ratio(facts.buyers_28[what] * (91 / 28), facts.buyers_91[what]),
        "product_age_days": facts.age_days[what] + later,
        "product_quiet_days": facts.quiet_days[what] + later,
        "product_again_share": facts.again_share[what],
        "product_again_days": facts.again_days[what],
        "product_price": cheapness,
        "price_fit": cheapness - level[who],
    }


def _fit(trails: Trails, facts: ShopFacts, who: Ints, what: Ints, *, text: bool) -> Columns:
    """How the product goes with what was bought: together in orders, by category, by text."""
    bought = trails.orders.lines_of
    n = len(trails)
    shape = (n, facts.n_products)
    fresh = sparse.csr_matrix(
        (0.5 ** (bought.age_days / HALF_LIFE_DAYS), (bought.rows, bought.products)), shape=shape
    )
    category = facts.categories
    coded = category[bought.products] >= 0
    width = max(int(category.max()) + 1, 1) if len(category) else 1
    shelf = (bought.rows[coded], category[bought.products[coded]])
    habit = sparse.csr_matrix((np.ones(int(coded.sum())), shelf), shape=(n, width)).toarray()
    lately = sparse.csr_matrix(
        ((bought.age_days[coded] <= 91).astype(np.float64), shelf), shape=(n, width)
    ).toarray()
    lines = np.maximum(np.diff(bought.indptr), 1)
    own_category = np.where(category[what] >= 0, category[what], 0)
    known = category[what] >= 0
    columns: Columns = {
        "bought_together": _together(fresh.tocsr(), facts, who, what),
        "category_share": np.where(known, habit[who, own_category] / lines[who], np.nan),
        "category_lines_91": np.where(known, lately[who, own_category], np.nan),
    }
    if text and facts.text.shape[1]:
        centre = taste(trails, facts)
        unit = facts.text_unit
        columns["text_fit"] = np.einsum("ij,ij->i", centre[who], unit[what]).astype(np.float64)
        columns["text_nearest"] = _nearest(bought, unit, who, what)
    return columns


def _together(fresh: sparse.csr_matrix, facts: ShopFacts, who: Ints, what: Ints) -> Floats:
    """Σ over what was bought of its weight × its cosine with the product, itself left out."""
    found = np.zeros(len(who))
    near = facts.near_to
    for start in range(0, len(who), CHUNK):
        part = slice(start, start + CHUNK)
        product = fresh[who[part]].multiply(near[what[part]])
        found[part] = np.asarray(product.sum(axis=1)).ravel()
    return found


def _nearest(bought: Trails, unit: npt.NDArray[np.float32], who: Ints, what: Ints) -> Floats:
    """(m,) the best cosine with one of the latest purchases of another product; NaN without one."""
    places = bought.indptr[1:][who][:, None] - 1 - np.arange(TASTES)[None, :]
    found = np.full(len(who), np.nan)
    for start in range(0, len(who), CHUNK):
        part = slice(start, start + CHUNK)
        place, inside = places[part], places[part] >= bought.indptr[who[part]][:, None]
        other = bought.products[np.where(inside, place, 0)] if len(bought.products) else np.zeros_like(place)
        inside = inside & (other != what[part][:, None])
        cosine = np.einsum("ijk,ik->ij", unit[other], unit[what[part]])
        best = np.where(inside, cosine, -np.inf).max(axis=1)
        found[part] = np.where(inside.any(axis=1), best, np.nan)
    return found


def _looks(trails: Trails, who: Ints, what: Ints) -> Columns:
    """Views, clicks and carts of this product by this shopper."""
    width = int(max(what.max(initial=0), trails.products.max(initial=0))) + 1
    wanted = who * width + what
    found: Columns = {}
    for kind in ("view", "click", "cart"):
        part = trails.of_kind(CODE[kind])
        place, hit, pair = _by_key(part.rows * width + part.products, wanted)
        lately = hit & (part.age_days <= 28)
        m = int(pair.max()) + 1 if len(pair) else 0
        found[f"own_{kind}s_28"] = np.bincount(place[lately], minlength=m).astype(np.float64)[pair]
    return found


def bought_pairs(trails: Trails, *, most: int) -> tuple[Ints, Ints]:
    """(rows, products): what each shopper bought before, the latest ``most`` different products of each."""
    bought = trails.orders.lines_of
    width = int(bought.products.max(initial=0)) + 1
    reverse = np.arange(len(bought.products))[::-1]
    _, first = np.unique((bought.rows * width + bought.products)[reverse], return_index=True)
    latest = np.sort(reverse[first])
    rows = bought.rows[latest]
    counts = np.bincount(rows, minlength=len(trails))
    from_end = np.cumsum(counts)[rows] - 1 - np.arange(len(rows))
    kept = from_end < most
    return rows[kept], bought.products[latest][kept]
