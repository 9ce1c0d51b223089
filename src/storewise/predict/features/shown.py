"""Features of a product in a list: where it stands, at what price, when, and how often the shopper has seen it before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.predict.base import MISSING
from storewise.predict.features import segments
from storewise.predict.features.events import DAY_S, EventLog, Floats, Ints, Mask, Trails
from storewise.predict.features.facts import ShopFacts
from storewise.predict.features.lists import CLICK, IMPRESSION, PRIOR, REFERENCE_POSITION

Columns = dict[str, Floats]
LATELY_DAYS = 28.0
CATEGORIES = ("shown_slot", "shown_source")


@dataclass(frozen=True)
class Shown:
    """n products in lists: ``slots`` and ``sources`` (what made the list) as codes, -1 unknown; ``positions`` from 0 and
    ``price_minor``, NaN unknown; ``signed_in``: the shopper is a customer and no anonymous session."""

    slots: Ints
    positions: Floats
    sources: Ints
    price_minor: Floats
    signed_in: Mask

    @classmethod
    def of(cls, given: EventLog, actors: Ints) -> Shown:
        """As events of products in lists say."""
        n = len(given)
        unknown = np.full(n, -1, np.int64)
        return cls(
            unknown if given.slots is None else given.slots.astype(np.int64),
            np.full(n, np.nan) if given.positions is None else given.positions.astype(np.float64),
            unknown if given.sources is None else given.sources.astype(np.int64),
            segments.ratio(given.spend_minor, given.quantity),
            actors < given.n_customers,
        )  # fmt: skip

    @classmethod
    def reference(
        cls, facts: ShopFacts, n: int, *, signed_in: bool, price_minor: float = float("nan"),
        slot: str | None = None, position: float | None = None,
    ) -> Shown:  # fmt: skip
        """The place that is assumed where nobody says how a product will be shown: the first of the commonest slot, by
        what makes most lists; the price only where the shop's impressions say prices."""
        names, code = facts.slot_names, facts.lists.slot
        if slot is not None:
            code = names.index(slot) if slot in names else len(names)
        price = price_minor if facts.lists.priced else float("nan")
        return cls(
            np.full(n, code, np.int64), np.full(n, REFERENCE_POSITION if position is None else position),
            np.full(n, facts.lists.source, np.int64), np.full(n, price), np.full(n, signed_in),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.slots)

    def part(self, rows: npt.NDArray[np.bool_] | Ints) -> Shown:
        """Those of a mask or of indices."""
        return Shown(
            self.slots[rows], self.positions[rows], self.sources[rows], self.price_minor[rows],
            self.signed_in[rows],
        )  # fmt: skip

    def categories(self, facts: ShopFacts) -> tuple[npt.NDArray[np.int32], tuple[str, ...], tuple[int, ...]]:
        """Codes as predictors read them, (n, k), with names and sizes: slot and source, each where the shop has some."""
        found = [
            (name, _codes(values, len(names)), len(names) + 1)
            for name, values, names in zip(
                CATEGORIES, (self.slots, self.sources), (facts.slot_names, facts.source_names), strict=True
            )
            if names
        ]
        codes = (
            np.stack([part for _, part, _ in found], axis=1) if found else np.zeros((len(self), 0), np.int32)
        )
        return codes, tuple(name for name, _, _ in found), tuple(size for _, _, size in found)


def _codes(values: Ints, known: int) -> npt.NDArray[np.int32]:
    return np.where(values < 0, MISSING, np.where(values < known, values + 1, 0)).astype(np.int32)


def shown_columns(trails: Trails, facts: ShopFacts, who: Ints, what: Ints, shown: Shown) -> Columns:
    """Name → (m,): of the place and the moment, of this product before this shopper, of the shopper in lists."""
    return {
        **_place(facts, what, shown),
        **_moment(trails.now[who]),
        **_seen(trails, facts, who, what),
        **_eager(trails, facts, who),
        "product_shown_log": np.log1p(facts.lists.shown[what]),
        "product_click_gain": facts.lists.gain[what],
    }


def _place(facts: ShopFacts, what: Ints, shown: Shown) -> Columns:
    price = np.log(np.maximum(shown.price_minor, 1e-9))
    return {
        "shown_position_log": np.log1p(shown.positions),
        "shown_price": price - np.log(max(facts.unit_price_minor, 1e-9)),
        "shown_discount": price - np.log(np.maximum(facts.price_minor[what], 1e-9)),
        "signed_in": shown.signed_in.astype(np.float64),
    }


def _moment(now: Floats) -> Columns:
    """The hour of the day and the day of the week as directions on a clock, in UTC."""
    found: Columns = {}
    for name, period in (("now_hour", DAY_S), ("now_weekday", 7 * DAY_S)):
        angle = 2 * np.pi * (now % period) / period
        found[f"{name}_cos"], found[f"{name}_sin"] = np.cos(angle), np.sin(angle)
    return found


def _seen(trails: Trails, facts: ShopFacts, who: Ints, what: Ints) -> Columns:
    """How often this product was shown to this shopper before, and since they last clicked on it."""
    unique, pair = np.unique(who * facts.n_products + what, return_inverse=True)
    pair = pair.ravel()
    seen, clicks = (_of_pairs(trails.of_kind(kind), facts, unique) for kind in (IMPRESSION, CLICK))
    m = len(unique)
    last, clicked = np.full(m, -np.inf), np.full(m, -np.inf)
    np.maximum.at(last, *seen[:2])
    np.maximum.at(clicked, *clicks[:2])
    place, at, age = seen
    now = np.zeros(m)
    now[pair] = trails.now[who]
    found = {
        "shown_before_log": np.log1p(np.bincount(place, minlength=m)),
        "shown_since_click_log": np.log1p(np.bincount(place[at > clicked[place]], minlength=m)),
        "shown_1d_log": np.log1p(np.bincount(place[age <= 1], minlength=m)),
        "shown_recency_days": np.where(np.isfinite(last), (now - last) / DAY_S, np.nan),
    }
    return {name: values[pair] for name, values in found.items()}


def _of_pairs(part: Trails, facts: ShopFacts, unique: Ints) -> tuple[Ints, Floats, Floats]:
    """(place among the wanted pairs, time, age in days) of their events."""
    keys = part.rows * facts.n_products + part.products
    place = np.minimum(np.searchsorted(unique, keys), max(len(unique) - 1, 0))
    hit = unique[place] == keys if len(unique) else np.zeros(len(keys), bool)
    return place[hit], part.at[hit], part.age_days[hit]


def _eager(trails: Trails, facts: ShopFacts, who: Ints) -> Columns:
    """How many products were shown to the shopper in 28 days, and their clicks against the shop's rate."""
    n = len(trails)
    shown, clicks = (
        segments.total(part.rows, part.age_days <= LATELY_DAYS, n)
        for part in (trails.of_kind(IMPRESSION), trails.of_kind(CLICK))
    )
    rate = facts.lists.rate if facts.lists.rate > 0 else float("nan")
    gain = np.log((clicks + PRIOR * rate) / (rate * (shown + PRIOR)))
    return {"shopper_shown_log": np.log1p(shown)[who], "shopper_click_gain": gain[who]}
