"""Windows of new products: who is asked, what may be known, and the protocol around them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import DataError, UnknownName
from storewise.core.progress import Silent
from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.split import DAY
from storewise.data.stores import Store
from storewise.engine import cold
from storewise.engine.benchmark import run
from storewise.engine.history import History
from storewise.engine.protocols.inputs import Inputs
from storewise.testing import small_shop

START = small_shop.START


def history(rows: list[tuple[str, str, float]], products: int = 4) -> History:
    """Purchases as (customer, product, day)."""
    catalogue = pl.DataFrame(
        {"product_id": [f"p{i}" for i in range(products)], "title": [f"T{i}" for i in range(products)]}
    )
    events = pl.DataFrame(
        [
            {"event_id": f"e{i}", "at": START + timedelta(days=day), "customer_id": who, "product_id": what, "kind": "purchase"}
            for i, (who, what, day) in enumerate(rows)
        ]
    )  # fmt: skip
    return History.of_tables(PRODUCTS.conform(catalogue), EVENTS.conform(events).sort("at"), name="t")


ROWS = [
    ("a", "p0", 0), ("b", "p1", 1),
    ("a", "p2", 12), ("b", "p2", 13), ("c", "p2", 14),  # c was not known before
    ("a", "p1", 15),  # p1 was sold before: no candidate
    ("b", "p3", 25),  # p3 is first sold after the window
]  # fmt: skip


def test_only_new_products_and_known_customers_are_asked() -> None:
    found = history(ROWS)
    start = START.timestamp() + 10 * DAY
    asked = cold.window(found, start, start + 10 * DAY)
    assert asked.candidates.tolist() == [2]
    assert [found.whole.customer_ids[c] for c in asked.histories.customers] == ["a", "b"]
    assert asked.relevant.toarray().tolist() == [[1], [1]]
    assert asked.histories.products.tolist() == [0, 1]
    assert asked.known.interactions.at.max() < start
    assert asked.needed.tolist() == [0, 1, 2]


def test_any_event_before_makes_a_product_known() -> None:
    """A view is behaviour too: the product is not new any more."""
    tables = history(ROWS)
    seen = cold.first_seen(tables.whole)
    assert (seen - START.timestamp()).tolist() == [0, DAY, 12 * DAY, 25 * DAY]


def test_a_perfect_score_finds_everything_and_ties_find_nothing() -> None:
    rows = [("a", f"p{i}", 0) for i in range(2)]
    rows += [("a" if i < 5 else "b", f"p{i}", 12) for i in range(2, 60)]
    asked = cold.window(history(rows, 60), START.timestamp() + 10 * DAY, START.timestamp() + 20 * DAY)
    truth = asked.relevant.toarray().astype(float)
    assert asked.values(truth)[:, 0].tolist() == [1.0]
    assert asked.values(np.zeros_like(truth))[:, 0].tolist() == [0.0]


def test_an_empty_window_says_so() -> None:
    start = START.timestamp() + 60 * DAY
    with pytest.raises(DataError, match="0 products are new in the window"):
        cold.window(history(ROWS), start, start + DAY)
    with pytest.raises(DataError, match="does not reach back 168 days"):
        cold.windows(history(ROWS), days=84.0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Customers stay with one of two kinds of thing, which titles name; new ones of both appear all the time."""
    rng = np.random.default_rng(0)
    kinds = ("oak chair", "red cup")
    catalogue = pl.DataFrame(
        {
            "product_id": [f"p{i:03d}" for i in range(160)],
            "title": [f"{kinds[i % 2]} number {i}" for i in range(160)],
        }
    )
    rows = []
    for customer in range(60):
        for day in range(0, 400, 10):
            listed = (day * 160) // 400 + 1  # products appear one after the other
            mine = [p for p in range(listed) if p % 2 == customer % 2]
            for product in rng.choice(mine[-8:], min(2, len(mine[-8:])), replace=False) if mine else []:
                rows.append(
                    {"event_id": f"e{len(rows)}", "at": START + timedelta(days=day), "customer_id": f"c{customer}",
                     "product_id": f"p{product:03d}", "kind": "purchase", "quantity": 1}
                )  # fmt: skip
    folder = tmp_path_factory.mktemp("cold") / "shop"
    with Store.open(folder) as store:
        store.ingest(
            ShopTables(PRODUCTS.conform(catalogue), EVENTS.conform(pl.DataFrame(rows)).sort("at")), "made"
        )
    return folder


def test_text_tells_who_will_buy_what_is_new(shop: Path) -> None:
    found = run("cold-items", Inputs(data=shop), models=["tfidf", "tfidf_svd"], seed=1, progress=Silent())
    rows = {row["model"]: row for row in found["rows"]}
    assert sum(row["selected"] for row in found["rows"]) == 1
    assert rows["random"]["simple"]
    assert rows["tfidf"]["metrics"]["recall@20"]["low"] > rows["random"]["metrics"]["recall@20"]["high"]
    assert rows["tfidf_svd"]["config"]["pooling"] in ("mean", "distinct", "recent", "rare", "top", "soft")
    assert found["others"] == []


def test_fine_tuned_rows_come_with_their_differences(shop: Path, tmp_path_factory, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    for library in ("torch", "transformers", "peft", "onnxruntime"):
        pytest.importorskip(library, reason="needs the extra finetune")
    from storewise.engine.protocols import cold_items, cold_methods
    from storewise.testing import tiny_bert
    from storewise.understand.finetune import tower

    words = ("oak", "chair", "red", "cup", "number", *"0123456789")
    folder = tiny_bert.write(tmp_path_factory.mktemp("bert"), words=words)
    monkeypatch.setattr(tower, "default_model", lambda: folder)
    monkeypatch.setattr(cold_methods, "STEPS", 6)
    plain = cold_items._text_vectors
    monkeypatch.setattr(
        cold_items, "_text_vectors",
        lambda name, texts, *rest: tower.Tower.load().encode(texts) if name == "frozen" else plain(name, texts, *rest),
    )  # fmt: skip
    found = run(
        "cold-items", Inputs(data=shop), models=["tfidf", "frozen", "full", "lora"], seed=1, progress=Silent()
    )
    sections = {section["question"]: section["rows"] for section in found["others"]}
    assert [row["model"] for row in sections["differences"]] == [
        "fine-tuned over frozen",
        "frozen over tfidf",
    ]
    rows = {row["model"]: row["metrics"] for row in found["rows"]}
    for row in sections["differences"]:
        ours, theirs = (rows[name]["recall@20"]["value"] for name in row["of"])
        assert row["metrics"]["recall@20 difference"]["value"] == pytest.approx(ours - theirs)
        assert row["metrics"]["recall@20 ratio"]["value"] == pytest.approx(ours / theirs)
    methods = {row["model"]: row["metrics"] for row in sections["methods"]}
    assert methods["full"]["share"]["value"] == 1.0
    assert methods["lora"]["trained parameters"]["value"] < methods["full"]["trained parameters"]["value"]


def test_an_unknown_row_is_refused(shop: Path) -> None:
    with pytest.raises(UnknownName, match="no row 'bert'"):
        run("cold-items", Inputs(data=shop), models=["bert"], progress=Silent())
