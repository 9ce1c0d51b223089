"""A small shop whose training serves a ranker, and what the tests here ask of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from storewise.core.clock import fixed_clock
from storewise.core.progress import Silent
from storewise.data.privacy import Pseudonyms
from storewise.data.schema import CUSTOMERS
from storewise.data.stores import Store
from storewise.engine.published import point_to
from storewise.engine.recommend import Answer, Recommender
from storewise.engine.registry import registry
from storewise.engine.serving.service import Service
from storewise.engine.stages import RankConfig
from storewise.engine.train import train
from storewise.testing import small_shop
from storewise.testing.small_shop import END, PIPELINE

RANK = RankConfig(
    use="always",
    moments=2,
    shoppers=140,
    depth=20,
    config={"trees": 20, "least_rows_in_leaf": 10, "negatives": 20},
)
SHOP = PIPELINE.model_copy(
    update={"rank": RANK, "selection": PIPELINE.selection.model_copy(update={"validation_days": 40.0})}
)
COUNTRIES = {"p00": ["GB"], "p01": ["FR", "DE"], "p20": ["GB"], "p21": ["DE"]}
AGES = {"p02": 18, "p22": "true", "p05": 12}


def build(folder: Path) -> None:
    """Ingest, train and publish it."""
    tables = small_shop.tables(0, customers=300)
    products = tables.products.with_columns(
        attributes=pl.Series([
            f'{{"colour": "{("red", "blue")[i % 2]}"'
            + (f', "market": {COUNTRIES[p]}'.replace("'", '"') if p in COUNTRIES else "")
            + (f', "age": "{AGES[p]}"' if p in AGES else "")
            + "}"
            for i, p in enumerate(tables.products["product_id"])
        ])
    )  # fmt: skip
    people = pl.DataFrame({
        "customer_id": ["c000", "c001", "c002", "c007"],
        "country": ["GB", "DE", None, None],
        "attributes": ['{"age": 30}', '{"birth_year": 2010}', None, '{"personal": false}'],
    })  # fmt: skip
    tables = replace(tables, products=products, customers=CUSTOMERS.conform(people))
    with Store.open(folder) as store:
        store.ingest(Pseudonyms.of(folder, create=True).tables(tables), "ranked shop")
        manifest = train(
            store, SHOP, registry=registry(), progress=Silent(), seed=1, code_version="test", until=END
        )
        point_to(folder, manifest.id)


def changed(service: Service, **sections: Any) -> Any:
    snapshot = service.current()
    pipeline = snapshot.pipeline.model_copy(update=sections)
    return replace(snapshot, pipeline=pipeline).stocked(service.store.stock())


def recommender(service: Service, snapshot: Any, **options: Any) -> Recommender:
    return Recommender(lambda: snapshot, live=service.live, clock=fixed_clock(END), **options)


def customer(service: Service, name: str) -> str:
    return service.shoppers.customer(name)


def ids(answer: Answer) -> list[str]:
    return [answer.snapshot.catalogue.ids[item.product] for item in answer.items]


def as_shadow(service: Service) -> Any:
    snapshot = service.current()
    assert snapshot.second is not None
    return replace(snapshot, second=replace(snapshot.second, serves=False, why="no more than chance"))
