"""The shop's decision log, joined with what shoppers did next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from storewise.core.errors import ConfigError, DataError
from storewise.data.stores import Store
from storewise.explore.base import EMPTY, Logged
from storewise.explore.evaluate.log import check_propensities

Floats = npt.NDArray[np.float64]

REWARDS = ("click", "cart", "purchase")


@dataclass(frozen=True)
class Shown:
    """n logged decisions, cut to the same k places: ``products`` (row lists of ids), ``propensities`` and
    ``rewards`` (n, k), ``shoppers`` (n,) codes of who saw them, ``decisions`` their facts."""

    products: list[list[str]]
    propensities: Floats
    rewards: Floats
    shoppers: npt.NDArray[np.int64]
    decisions: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.products)

    def logged(self, index: Mapping[str, int]) -> Logged:
        """What a policy learns from (``warm_start``, ``update``); ``index``: the arm of each product, products
        without one are empty places.

        >>> shown = Shown([["b"]], np.ones((1, 1)), np.ones((1, 1)), np.zeros(1, np.int64), [{}])
        >>> shown.logged({"a": 0, "b": 1}).arms.tolist()
        [[1]]
        """
        arms = [[index.get(product, EMPTY) for product in row] for row in self.products]
        return Logged.of(arms=arms, rewards=self.rewards, propensities=self.propensities)


def read_shown(
    store: Store,
    *,
    slot: str,
    reward: str = "click",
    hours: float = 24.0,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Shown:
    """The decisions of a slot with what followed: an event of kind ``reward`` on a shown product by the same
    shopper within ``hours`` counts once, for the latest decision that showed it.

    Decisions of anonymous requests are left out: nobody can be seen to act on them. Lists are cut to the
    commonest length; shorter ones are left out.

    Raises:
        ConfigError: for a kind of event that is no reward.
        DataError: when there is no decision, or a propensity is missing or not above 0.
    """
    if reward not in REWARDS:
        raise ConfigError(f"{reward!r} is no reward.", next_step=f"Choose one of {', '.join(REWARDS)}.")
    decisions = decisions_of(store, slot, since, until)
    lengths = np.array([len(one["items"]) for one in decisions])
    k = int(np.bincount(lengths).argmax()) if len(lengths) else 0
    kept = [one for one in decisions if len(one["items"]) >= k > 0]
    if not kept:
        raise DataError(
            f"The log has no decision for the slot {slot!r} that somebody known was shown.",
            next_step="Serve lists to shoppers with a customer or session id first, or name another --slot.",
        )
    products = [[item["product_id"] for item in one["items"][:k]] for one in kept]
    told = [[item.get("propensity") for item in one["items"][:k]] for one in kept]
    propensities = np.array([[np.nan if p is None else p for p in row] for row in told], np.float64)
    check_propensities(propensities.ravel())
    rewards = credit(store, kept, products, reward, timedelta(hours=hours))
    keys = [one["shopper"] for one in kept]
    shoppers = np.unique(np.array(keys), return_inverse=True)[1].astype(np.int64)
    return Shown(products, propensities, rewards, shoppers, kept)


def decisions_of(
    store: Store, slot: str | None, since: datetime | None, until: datetime | None
) -> list[dict[str, Any]]:
    """Decisions for known shoppers in time order, ``items`` by position; ``slot`` None: of all slots."""
    frame = store.decisions(since=since, until=until)
    frame = frame if slot is None else frame.filter(pl.col("slot") == slot)
    found = []
    for row in frame.iter_rows(named=True):
        shopper = row["customer_id"] or row["session_id"]
        if shopper is not None:
            items = sorted(orjson.loads(row["items"]), key=lambda item: int(item["position"]))
            found.append({**row, "items": items, "shopper": shopper})
    return found


def credit(
    store: Store,
    decisions: list[dict[str, Any]],
    products: list[list[str]],
    reward: str,
    window: timedelta,
    until: datetime | None = None,
) -> Floats:
    """(n, k) 1 where the reward followed before ``until``; the latest decision that showed the product takes it.
    k: the longest list of ``products``."""
    rewards = np.zeros((len(products), max(map(len, products), default=0)))
    if not decisions:
        return rewards
    seen: dict[tuple[str, str], list[tuple[datetime, int, int]]] = {}
    for row, (decision, shown) in enumerate(zip(decisions, products, strict=True)):
        for place, product in enumerate(shown):
            seen.setdefault((decision["shopper"], product), []).append((decision["at"], row, place))
    events = store.events(since=decisions[0]["at"], until=until).filter(
        pl.col("kind").cast(pl.String) == reward
    )
    for event in events.select("customer_id", "session_id", "product_id", "at").iter_rows(named=True):
        for shopper in (event["customer_id"], event["session_id"]):
            earlier = [one for one in seen.get((shopper, event["product_id"]), []) if one[0] <= event["at"]]
            if earlier and event["at"] - earlier[-1][0] <= window:
                rewards[earlier[-1][1:]] = 1.0
                break
    return rewards
