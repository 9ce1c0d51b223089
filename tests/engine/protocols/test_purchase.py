"""The protocol on the small shop: rows, baselines and their differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from storewise.core.errors import DataError
from storewise.engine.benchmark import run
from storewise.testing import small_shop


def test_rows_and_baselines(trained_shop: Path) -> None:
    report = run("purchase", trained_shop, models=["logistic"], minutes=0.01, seed=0)
    assert [section["question"] for section in (report, *report["others"])] == [
        "the customer buys anything within 28 days",
        "the customer buys this product within 28 days",
    ]
    for section in (report, *report["others"]):
        rows = {row["model"]: row for row in section["rows"]}
        assert sum(row["selected"] for row in section["rows"]) == 1
        assert section["rows"][0]["selected"]
        assert {"recency-frequency logistic", "plain LightGBM without text", "BG/NBD"} < set(rows)
        for name in ("recency-frequency logistic", "BG/NBD"):
            ours, theirs = section["rows"][0]["metrics"]["auc"], rows[name]["metrics"]["auc"]
            gap = rows[name]["metrics"]["auc gained"]
            assert gap["value"] == pytest.approx(ours["value"] - theirs["value"])
            assert gap["low"] <= gap["value"] <= gap["high"]
        assert set(section["curves"]) == {section["rows"][0]["model"]}


def test_a_short_history(tmp_path: Path) -> None:
    from storewise.data.privacy import Pseudonyms
    from storewise.data.stores import Store

    tables = small_shop.tables()
    late = tables.events.filter(tables.events["at"] > small_shop.END.replace(month=6, day=1))
    with Store.open(tmp_path) as store:
        small = small_shop.ShopTables(tables.products, late)
        store.ingest(Pseudonyms.of(tmp_path, create=True).tables(small), "short")
    with pytest.raises(DataError, match="windows of 28 days"):
        run("purchase", tmp_path, models=["logistic"], minutes=0.01, seed=0)
