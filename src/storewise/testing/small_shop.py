"""A small shop with known tastes, for tests of whatever serves: made in memory, the same on every run.

Even customers buy from the first half of the catalogue (lamps), odd ones from the second (chairs), in baskets
of up to four. One product is sold out, one inactive, and one customer wants no personal list.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from storewise.core.clock import fixed_clock
from storewise.core.progress import Silent
from storewise.data.privacy import Pseudonyms
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, STOCK, ShopTables
from storewise.data.stores import Store
from storewise.engine.pipeline import Fallback, Pipeline, Use
from storewise.engine.published import Manifest, point_to
from storewise.engine.registry import registry
from storewise.engine.serving.service import Service
from storewise.engine.train import train

START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(days=200)
PRODUCTS_SOLD = 40
SOLD_OUT, INACTIVE, PRIVATE = "p03", "p04", "c007"
ROLES = {
    "retriever",
    "popular",
    "catalogue",
    "related",
    "content",
    "search",
    "graph",
    "attributes",
    "predict",
}
"""The parts of its snapshot."""
PIPELINE = Pipeline(
    name="home",
    retriever=Use(use="retrieve.item_knn.v1", config={"shrinkage": 1.0}),
    fallback=Fallback(deadline_ms=60_000.0),  # a busy machine must not change what tests see
)


def tables(seed: int = 0, *, customers: int = 60) -> ShopTables:
    """The shop's tables, with the shop's own ids."""
    personal = pl.DataFrame({"customer_id": [PRIVATE], "attributes": ['{"personal": false}']})
    stock = pl.DataFrame({"product_id": [SOLD_OUT, "p05"], "at": [END, END], "on_hand": [0, 7]})
    return ShopTables(
        PRODUCTS.conform(_catalogue()),
        EVENTS.conform(_events(seed, customers)),
        CUSTOMERS.conform(personal),
        STOCK.conform(stock),
    )


def _catalogue() -> pl.DataFrame:
    rows = []
    for i in range(PRODUCTS_SOLD):
        half, colour = 2 * i // PRODUCTS_SOLD, ("red", "blue")[i % 2]
        rows.append(
            {
                "product_id": f"p{i:02d}",
                "title": f"{colour.title()} {('lamp', 'chair')[half]} {i}",
                "category": ("light", "seat")[half],
                "price_minor": 100 * (i + 1),
                "currency": "GBP",
                "attributes": f'{{"colour": "{colour}"}}',
                "active": f"p{i:02d}" != INACTIVE,
            }
        )
    return pl.DataFrame(rows)


def _events(seed: int, customers: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for customer in range(customers):
        first = (customer % 2) * PRODUCTS_SOLD // 2
        for basket in range(int(rng.integers(3, 8))):
            at = START + timedelta(days=float(rng.uniform(0, 199)))
            bought = sorted({first + int(rng.zipf(1.5)) % (PRODUCTS_SOLD // 2) for _ in range(4)})
            for product in bought:
                rows.append(
                    {
                        "event_id": f"e{len(rows)}",
                        "at": at,
                        "customer_id": f"c{customer:03d}",
                        "session_id": f"v{customer}-{basket}",
                        "product_id": f"p{product:02d}",
                        "kind": "purchase",
                        "quantity": 1,
                    }
                )
    return pl.DataFrame(rows).sort("at")


def open_store(folder: Path, *, seed: int = 0) -> Store:
    """A store that holds the shop, with pseudonyms."""
    store = Store.open(folder)
    store.ingest(Pseudonyms.of(folder, create=True).tables(tables(seed)), "small shop")
    return store


def train_on(store: Store, pipeline: Pipeline = PIPELINE, **options: Any) -> Manifest:
    """Train up to the shop's end."""
    given = {"seed": 1, "code_version": "test", "until": END} | options
    return train(store, pipeline, registry=registry(), progress=Silent(), **given)


def open_service(folder: Path, *, now: datetime = END, **options: Any) -> Service:
    """A service on the shop that stands at one moment; not started."""
    return Service.open(folder, clock=fixed_clock(now), poll_s=0.05, **options)


def make_shop(folder: Path) -> Manifest:
    """Fill, train and publish."""
    with open_store(folder) as store:
        manifest = train_on(store)
        point_to(folder, manifest.id)
    return manifest
