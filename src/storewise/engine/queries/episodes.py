"""Searches as the events tell them: who asked what on which day, what was listed where, what was clicked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from storewise.engine.queries.clicks import KINDS, normal_query, shoppers

FEW_BELOW = 1  # products below a click that count as passed over: the next one was probably seen too


@dataclass(frozen=True)
class Episode:
    """One shopper's search of one day. ``at``: its last event, seconds. ``clicked``: product indices. ``passed``: pairs
    (clicked, passed over) that positions give; None where nothing was listed with its position."""

    query: str
    who: int
    at: float
    clicked: frozenset[int]
    passed: tuple[tuple[int, int], ...] | None


def episodes_of(product_ids: Sequence[str], events: pl.DataFrame) -> list[Episode]:
    """Searches with a click, cart or purchase, oldest first, in the indices of ``product_ids``."""
    index = {name: i for i, name in enumerate(product_ids)}
    told = events.filter(
        pl.col("query").is_not_null(), pl.col("kind").cast(pl.String).is_in([*KINDS, "impression"])
    ).with_row_index("row")
    if not told.height:
        return []
    columns = (
        shoppers(told).tolist(), [normal_query(text) for text in told["query"].to_list()],
        (told["at"].dt.epoch("us") / 1e6).to_list(), told["product_id"].to_list(),
        told["kind"].cast(pl.String).to_list(), told["position"].to_list(),
    )  # fmt: skip
    rows: dict[tuple[int, str, int], list[tuple[float, int, str, int | None]]] = defaultdict(list)
    for who, query, at, product, kind, position in zip(*columns, strict=True):
        if query and product in index:
            rows[who, query, int(at // 86_400)].append((at, index[product], kind, position))
    found = [_episode(who, query, part) for (who, query, _), part in rows.items()]
    return sorted((one for one in found if one.clicked), key=lambda one: (one.at, one.who, one.query))


def _episode(who: int, query: str, rows: list[tuple[float, int, str, int | None]]) -> Episode:
    clicked = frozenset(product for _, product, kind, _ in rows if kind in KINDS)
    place: dict[int, int] = {}
    for _, product, _, position in rows:
        if position is not None:
            place[product] = min(position, place.get(product, position))
    listed = any(kind == "impression" and position is not None for _, _, kind, position in rows)
    passed = tuple(_passed(clicked, place)) if listed else None
    return Episode(query, who, max(at for at, *_ in rows), clicked, passed)


def _passed(clicked: frozenset[int], place: dict[int, int]) -> list[tuple[int, int]]:
    """Clicked over all that were listed above it and not clicked, and over the next one below (Joachims 2002)."""
    order = sorted(place, key=lambda product: (place[product], product))
    found = []
    for i, product in enumerate(order):
        if product in clicked:
            near = order[: i + 1 + FEW_BELOW]
            found += [(product, other) for other in near if other not in clicked]
    return found
