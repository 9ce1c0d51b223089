"""What each shopper of an experiment saw and did: the decision log joined with the events that followed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.data.stores import Store
from storewise.engine.experiment.config import Experiment

CLICKS = ("view", "click", "cart", "purchase")
COLUMNS = ("lists", "clicked", "bought", "revenue", "before")
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Log:
    """``lists``: one row a list shown (unit, variant, at, clicked_at: when one of its products was opened, if it
    was). ``spent``: unit, at, amount (minor units, returns negative), kind. ``shoppers``: unit, variant, first_at.
    ``mixed``: shoppers with more than one variant, who are left out. ``names``: the variants in order."""

    lists: pl.DataFrame
    spent: pl.DataFrame
    shoppers: pl.DataFrame
    mixed: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Shoppers:
    """One value a shopper, for one variant at one moment."""

    lists: Values
    clicked: Values
    bought: Values
    revenue: Values
    before: Values


def read_log(store: Store, experiment: Experiment, *, until: datetime | None = None) -> Log:
    """Everything that the store knows of an experiment. The shopper is the customer, or the session where no
    customer was known."""
    decisions = store.decisions(until=until).filter(
        (pl.col("experiment") == experiment.name) & pl.col("variant").is_in(list(experiment.order))
    )
    lists = decisions.select("decision_id", _unit(), "variant", "at", "items")
    shoppers = lists.group_by("unit").agg(
        pl.col("variant").first(),
        pl.col("variant").n_unique().alias("variants"),
        pl.col("at").min().alias("first_at"),
    )
    mixed = int((shoppers["variants"] > 1).sum())
    shoppers = shoppers.filter(pl.col("variants") == 1).drop("variants").sort("first_at", "unit")
    lists = lists.join(shoppers.select("unit"), on="unit", how="semi")
    since = shoppers["first_at"].min()
    start = since - timedelta(days=experiment.before_days) if isinstance(since, datetime) else None
    events = store.events(since=start, until=until) if start is not None else store.events().head(0)
    events = events.with_columns(_unit()).join(shoppers.select("unit"), on="unit", how="semi")
    return Log(
        _clicked(lists, events, experiment.click_hours),
        _spent(store, events),
        shoppers,
        mixed,
        experiment.order,
    )


def _unit() -> pl.Expr:
    session = pl.lit("s:") + pl.col("session_id")
    return (
        pl.when(pl.col("customer_id").is_not_null())
        .then(pl.lit("c:") + pl.col("customer_id"))
        .otherwise(session)
        .alias("unit")
    )


def _clicked(lists: pl.DataFrame, events: pl.DataFrame, hours: float) -> pl.DataFrame:
    """Each event belongs to the latest list before it that showed its product to that shopper."""
    shown = lists.select(
        "decision_id", "unit", "at",
        pl.col("items").str.json_decode(pl.List(pl.Struct({"product_id": pl.String})))
        .list.eval(pl.element().struct.field("product_id")).alias("product_id"),
    ).explode("product_id").drop_nulls("product_id").with_columns(pl.col("at").alias("shown_at"))  # fmt: skip
    opened = events.filter(pl.col("kind").cast(pl.String).is_in(list(CLICKS))).select(
        "unit", "product_id", "at"
    )
    joined = opened.sort("at").join_asof(
        shown.sort("at"), on="at", by=["unit", "product_id"], strategy="backward",
        tolerance=timedelta(hours=hours), check_sortedness=False,
    )  # fmt: skip
    first = (
        joined.drop_nulls("decision_id").group_by("decision_id").agg(pl.col("at").min().alias("clicked_at"))
    )
    return lists.drop("items").join(first, on="decision_id", how="left")


def _spent(store: Store, events: pl.DataFrame) -> pl.DataFrame:
    """Purchases and returns in money; a price that an event lacks is the product's present one."""
    prices = store.products().select("product_id", "price_minor")
    price = pl.coalesce("unit_price_minor", "price_minor").fill_null(0)
    sign = pl.when(pl.col("kind").cast(pl.String) == "return").then(-1).otherwise(1)
    return (
        events.with_columns(pl.col("kind").cast(pl.String))
        .filter(pl.col("kind").is_in(["purchase", "return"]))
        .join(prices, on="product_id", how="left")
        .select(
            "unit",
            "at",
            "kind",
            (sign * price * pl.col("quantity").fill_null(1)).cast(pl.Float64).alias("amount"),
        )
    )


def outcomes(log: Log, experiment: Experiment) -> pl.DataFrame:
    """One row a shopper: unit, variant, ``complete_at``, lists, clicked, bought, revenue, before.

    What counts is what happened within ``outcome_days`` of the shopper's first list, the same for everybody, and a
    shopper counts once that time is over: only then are shoppers independent draws that come one after the other,
    which is what an always-valid test needs.
    """
    window = timedelta(days=experiment.outcome_days)
    begun = log.shoppers.with_columns((pl.col("first_at") + window).alias("complete_at"))
    border = begun.select("unit", "first_at", "complete_at")
    inside = pl.col("at") < pl.col("complete_at")
    lists = (
        log.lists.join(border, on="unit")
        .group_by("unit")
        .agg(
            inside.sum().alias("lists"),
            (inside & (pl.col("clicked_at") < pl.col("complete_at")).fill_null(False)).sum().alias("clicked"),
        )
    )
    after = inside & (pl.col("at") >= pl.col("first_at"))
    recent = (pl.col("at") < pl.col("first_at")) & (
        pl.col("at") >= pl.col("first_at") - timedelta(days=experiment.before_days)
    )
    spent = (
        log.spent.join(border, on="unit")
        .group_by("unit")
        .agg(
            (after & (pl.col("kind") == "purchase")).any().alias("bought"),
            pl.col("amount").filter(after).sum().alias("revenue"),
            pl.col("amount").filter(recent).sum().alias("before"),
        )
    )
    table = begun.join(lists, on="unit", how="left").join(spent, on="unit", how="left")
    return table.with_columns(pl.col(COLUMNS).cast(pl.Float64).fill_null(0.0)).sort("complete_at", "unit")


def by_variant(table: pl.DataFrame, names: tuple[str, ...], until: datetime) -> dict[str, Shoppers]:
    """The shoppers of each variant whose time was over by ``until``."""
    counted = table.filter(pl.col("complete_at") <= until)
    return {
        name: Shoppers(*(part[column].to_numpy() for column in COLUMNS))
        for name in names
        for part in [counted.filter(pl.col("variant") == name)]
    }
