"""The same question with and without text, in a shop where only the titles tell what a shopper likes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.stores import Store
from storewise.engine.benchmark import run

COLOURS = ("red", "blue", "green", "black", "white", "yellow", "pink", "grey")


def shop(folder: Path) -> Path:
    """Shoppers who buy things of one colour, each product hardly twice, so that behaviour says little; there are
    enough of them that a gain is more than chance."""
    rng = np.random.default_rng(0)
    titles = [f"{COLOURS[i % 8]} thing {i}" for i in range(1600)]
    products = pl.DataFrame({"product_id": [f"p{i:03d}" for i in range(1600)], "title": titles})
    start, rows = datetime(2024, 1, 1, tzinfo=UTC), []
    for customer in range(200):
        for day in np.sort(rng.uniform(0, 150, 8)):
            product = int(rng.integers(0, 200)) * 8 + customer % 8
            rows.append({"event_id": f"e{len(rows)}", "at": start + timedelta(days=float(day)),
                         "customer_id": f"c{customer}", "product_id": f"p{product:03d}", "kind": "purchase"})  # fmt: skip
    with Store.open(folder) as store:
        store.ingest(
            ShopTables(PRODUCTS.conform(products), EVENTS.conform(pl.DataFrame(rows).sort("at"))), "t"
        )
    return folder


def test_both_sides_choose_on_validation_and_the_gain_is_in_pairs(tmp_path: Path) -> None:
    report = run("warm-text", shop(tmp_path / "shop"), models=["popular", "item_knn"], minutes=0.1, seed=1)
    assert [part["question"] for part in (report, *report["others"])] == ["with repeats", "without repeats"]
    for part in (report, *report["others"]):
        rows = {row["model"]: row for row in part["rows"]}
        assert set(rows) == {"behaviour", "behaviour and text"}
        assert sum(row["selected"] for row in part["rows"]) == 1
        assert rows["behaviour"]["component"] != "retrieve.content.v1"
        both = rows["behaviour and text"]["metrics"]
        gain = both["ndcg gained"]
        assert gain["low"] <= gain["value"] <= gain["high"]
        told = both["ndcg@10"]["value"] - rows["behaviour"]["metrics"]["ndcg@10"]["value"]
        assert abs(gain["value"] - told) < 1e-9
    chosen = report["others"][0]["rows"][0]
    assert (chosen["model"], chosen["component"]) == ("behaviour and text", "retrieve.content.v1")
