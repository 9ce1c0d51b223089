"""The use case on a small shop: what is learned from, scores, and the folder that comes out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError
from storewise.core.progress import Silent
from storewise.data.schema import EVENTS, PRODUCTS
from storewise.engine.finetuning.finetune import check_name, finetune
from storewise.engine.finetuning.lessons import FinetuneConfig, behaviour_pairs, lesson_of
from storewise.engine.finetuning.query_score import query_border
from storewise.engine.history import History, read_history
from storewise.engine.queries.clicks import query_clicks
from storewise.testing import small_shop, tiny_bert
from storewise.understand.finetune.contrastive import Contrastive, ContrastiveConfig
from storewise.understand.finetune.folder import read_facts
from storewise.understand.finetune.methods import MethodConfig
from storewise.understand.finetune.self_supervised import MaskedLanguage, SimCse
from storewise.understand.text.onnx_text import OnnxText, OnnxTextConfig

SMALL = FinetuneConfig(
    method=MethodConfig(method="lora", rank=2), objective="contrastive", steps=4, validate_every=2,
    contrastive=ContrastiveConfig(batch_size=8, hard_negatives=1), min_baskets=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for library in ("torch", "transformers", "peft", "onnxruntime"):
        pytest.importorskip(library, reason="needs the extra finetune")
    return tiny_bert.write(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("shops") / "shop"
    small_shop.open_store(found).close()
    return found


def history(**columns: list[str]) -> History:
    shop = small_shop.tables()
    products = shop.products.with_columns(pl.Series(name, values) for name, values in columns.items())
    return History.of_tables(products, shop.events, name="small")


def test_a_model_that_onnxruntime_serves(bert: Path, folder: Path, tmp_path: Path) -> None:
    made = finetune(folder, tmp_path / "models" / "text", SMALL, model=bert, seed=1, progress=Silent())
    facts = read_facts(made.folder)
    assert facts["objective"] == "contrastive"
    assert facts["best_step"] in (2, 4)
    assert [step for step, _ in made.outcome.scores] == [0, 2, 4]
    served = OnnxText(OnnxTextConfig(folder=made.folder / "onnx"))(["Red lamp 1", ""])
    assert np.linalg.norm(served, axis=1) == pytest.approx([1.0, 0.0], abs=1e-5)
    assert (tmp_path / "models" / "text-run" / "curve.jsonl").is_file()


def test_the_same_seed_gives_the_same_model(bert: Path, folder: Path, tmp_path: Path) -> None:
    outcomes = [
        finetune(folder, tmp_path / name, SMALL, model=bert, seed=1, progress=Silent()).outcome.scores
        for name in ("a", "b")
    ]
    assert outcomes[0] == outcomes[1]


def test_auto_says_what_it_learns_from_and_why(bert: Path) -> None:
    auto = FinetuneConfig(min_baskets=1)
    plain = lesson_of(history(), None, auto, seed=0)
    assert isinstance(plain.objective, SimCse)
    assert plain.reason.startswith("no click, cart or purchase names a query; ")
    assert "pairs, 1,000 are needed; learning from 40 texts alone" in plain.reason
    assert plain.measures == "minus the loss of held-out texts"
    masked = lesson_of(history(), None, FinetuneConfig(objective="masked_language"), seed=0)
    assert isinstance(masked.objective, MaskedLanguage)
    told = [f"blue garden cup {i}" for i in range(40)]
    both = lesson_of(history(description=told), None, FinetuneConfig(objective="descriptions"), seed=0)
    assert both.reason == "learning which of 40 descriptions belongs to which title"
    behaviour = lesson_of(history(), None, FinetuneConfig(objective="contrastive"), seed=0)
    assert isinstance(behaviour.objective, Contrastive)
    assert behaviour.measures == "mean reciprocal rank of held-out pairs"


def test_held_out_products_are_in_no_pair(bert: Path) -> None:
    """The score is asked on products that training does not see: fewer pairs than the behaviour gives."""
    objective = lesson_of(history(), None, FinetuneConfig(objective="contrastive"), seed=0).objective
    assert isinstance(objective, Contrastive)
    _, every = behaviour_pairs(history().whole.interactions, list(objective.texts), None, FinetuneConfig())
    seen = np.union1d(objective.pairs.left, objective.pairs.right)
    assert 0 < len(objective.pairs) < len(every)
    assert len(seen) < len(np.union1d(every.left, every.right))


def test_no_description_and_no_behaviour_are_said(bert: Path) -> None:
    with pytest.raises(DataError, match="title and description"):
        lesson_of(history(), None, FinetuneConfig(objective="descriptions"), seed=0)
    with pytest.raises(DataError, match="gives no pair"):
        lesson_of(history(), None, FinetuneConfig(objective="contrastive", min_baskets=10_000), seed=0)


def test_clicks_for_a_query_are_pairs(folder: Path, tmp_path: Path) -> None:
    events = [
        {"event_id": f"q{i}", "at": small_shop.END, "customer_id": "c1", "product_id": "p07", "kind": kind, "query": query}
        for i, (kind, query) in enumerate([("click", " Red Lamp"), ("view", "seat"), ("click", None), ("purchase", "red lamp")])
    ]  # fmt: skip
    from storewise.data.schema import ShopTables
    from storewise.data.stores import Store

    with Store.open(tmp_path / "shop") as store:
        store.ingest(ShopTables(small_shop.tables().products, EVENTS.conform(pl.DataFrame(events))), "clicks")
    found = query_clicks(tmp_path / "shop")
    assert found is not None
    assert found.words == ["red lamp"]
    assert (found.queries.tolist(), found.products.tolist()) == ([0, 0], [7, 7])
    assert found.before(small_shop.END.timestamp()).queries.tolist() == []
    texts = PRODUCTS.conform(small_shop.tables().products)["title"].to_list()
    every, pairs = behaviour_pairs(
        history().whole.interactions, texts, found, FinetuneConfig(sources=("clicked",))
    )
    assert every[pairs.left[0]] == "red lamp"
    assert pairs.right.tolist() == [7]
    assert query_clicks(folder) is None


def asked_shop(where: Path, n: int = 60, days: int = 100) -> Path:
    """Shoppers ask for "garden lamp N" / "blue chair N" and click product N, in each half of the time."""
    from storewise.data.schema import ShopTables
    from storewise.data.stores import Store

    tables = small_shop.tables()
    names = tables.products["product_id"].to_list()
    events = [
        {"event_id": f"q{i}-{again}", "at": small_shop.START + timedelta(days=days * again + i, minutes=i),
         "customer_id": f"s{i}", "product_id": names[i % 40], "kind": "click", "query": f"Garden  LAMP {i % 40}"}
        for i in range(n) for again in (0, 1)
    ]  # fmt: skip
    every = pl.concat([tables.events, EVENTS.conform(pl.DataFrame(events))])
    with Store.open(where) as store:
        store.ingest(ShopTables(tables.products, every), "asked")
    return where


def test_later_queries_validate_and_are_not_learned(bert: Path, tmp_path: Path) -> None:
    shop = asked_shop(tmp_path / "shop")
    clicks = query_clicks(shop)
    assert clicks is not None
    lesson = lesson_of(read_history(shop), clicks, SMALL.model_copy(update={"validation_days": 84.0}), seed=0)
    assert lesson.measures == "recall@20 of clicked products for later queries (validation)"
    assert "clicked: 40 queries" in lesson.reason
    assert lesson.queries is not None
    objective = lesson.objective
    assert isinstance(objective, Contrastive)
    asked = objective.pairs.left >= 40
    # One shopper asked twice for each of 20 products, two for the others; only one click lies before the border.
    border = query_border(clicks, small_shop.END.timestamp() - 84 * 86400)
    wanted = clicks.before(border)
    assert int(asked.sum()) == len(np.unique(wanted.products)) > 0
    told = len({(q, w) for q, w in zip(wanted.queries.tolist(), wanted.who.tolist(), strict=True)})
    assert lesson.objective.pairs.observed[40:, :40].sum() == told  # type: ignore[attr-defined]
    assert set(lesson.queries.queries) == {clicks.words[q] for q in clicks.since(border).queries}


def test_the_report_says_how_queries_are_answered_before_and_after(bert: Path, tmp_path: Path) -> None:
    shop = asked_shop(tmp_path / "shop")
    made = finetune(shop, tmp_path / "text", SMALL, model=bert, seed=1, progress=Silent())
    asked = read_facts(made.folder)["queries"]
    assert asked["queries"] >= 30
    for name in ("recall@20", "mrr@20"):
        one = asked[name]
        assert one["gained"]["value"] == pytest.approx(one["after"]["value"] - one["before"]["value"])
        assert one["gained"]["low"] <= one["gained"]["value"] <= one["gained"]["high"]
    served = OnnxText(OnnxTextConfig(folder=made.folder / "onnx"))
    # Trained without prefixes, and served so: a query is read as it was learned.
    assert np.allclose(served.queries(["garden lamp"]), served(["garden lamp"]))


def test_few_queries_do_not_validate(bert: Path, tmp_path: Path) -> None:
    shop = asked_shop(tmp_path / "shop", n=10)
    lesson = lesson_of(read_history(shop), query_clicks(shop), SMALL, seed=0)
    assert lesson.queries is None
    assert "clicked: 10 queries" in lesson.reason


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_a_name_that_leaves_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a model"):
        check_name(name)
