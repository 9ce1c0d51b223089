"""The protocol on the small shop: rows, baselines and their differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.engine.benchmark import run
from storewise.engine.history import read_history
from storewise.engine.predictions.windows import Past
from storewise.engine.protocols.purchase import _ask
from storewise.predict.features import EventLog, FactsConfig, Shelf
from storewise.predict.features.events import DAY_S
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
        assert ("plain LightGBM, all features without text" in rows) == (section is report)
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
    with pytest.raises(DataError, match=r"spans \d+ days, 112 are needed"):
        run("purchase", tmp_path, models=["logistic"], minutes=0.01, seed=0)


def past_of(customers: np.ndarray, days: np.ndarray) -> Past:
    log = EventLog.build(
        customers, customers % 5, days * DAY_S, n_customers=int(customers.max()) + 1, n_products=5
    )
    return Past(log, Shelf(np.full(5, -1)), FactsConfig(text_size=0))


def test_nobody_comes_back() -> None:
    """400 customers, one order each."""
    past = past_of(np.arange(400), np.linspace(0, 300, 400))
    with pytest.raises(DataError, match="0 of .* cases in what is there to test are a yes"):
        _ask(past, "purchase", 1.0, 0)


def test_everybody_always_comes_back() -> None:
    past = past_of(np.repeat(np.arange(30), 100), np.tile(np.arange(100) * 3.0, 30))
    with pytest.raises(DataError, match="30 of 30 cases"):
        _ask(past, "purchase", 1.0, 0)


def test_the_plain_baseline_reads_what_it_always_read(trained_shop: Path) -> None:
    """Features that came later are not taken from it nor given to it; every row is moved by the same season."""
    shop = read_history(trained_shop).whole
    past = Past(EventLog.of(shop), Shelf.of(shop), FactsConfig(text_size=0))
    asked = _ask(past, "purchase", 1.0, 0)
    names = asked.windows["none"][0].data.rows.number_names
    assert asked.plain is not None
    assert asked.plain == names[: len(asked.plain)]
    assert {"recency_days", "bg_p_purchase", "carts_28"} <= set(asked.plain)
    assert not {"gaps_due_share", "season_fit"} & set(asked.plain)
    assert asked.season is not None
    assert asked.season.code == "short"  # less than two years
