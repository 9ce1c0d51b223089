from __future__ import annotations

import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core import artifact
from storewise.core.clock import seconds
from storewise.core.errors import StateError, UnknownName
from storewise.core.progress import Silent
from storewise.data.privacy import Pseudonyms
from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.shop import dataset
from storewise.data.stores import Store
from storewise.engine.history import History
from storewise.engine.pipeline import Pipeline, Policy, Selection, Use
from storewise.engine.publish import check, publish, rollback
from storewise.engine.published import ARTIFACTS, point_to, read_pointer, read_snapshot, snapshots
from storewise.engine.registry import registry
from storewise.engine.serving.service import Service, load_manifest
from storewise.engine.validation import validation_of
from storewise.testing import small_shop
from storewise.testing.small_shop import END, PIPELINE, START, open_service, open_store, tables, train_on


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "shop")


def loader(store: Store):  # type: ignore[no-untyped-def]
    return lambda manifest: load_manifest(store, manifest, registry())


def test_a_run_leaves_hashed_artifacts_and_the_facts(store: Store) -> None:
    manifest = train_on(store)
    facts = manifest.facts
    assert facts["watermark"] == seconds(END)
    assert (facts["seed"], facts["code_version"], facts["products"], facts["customers"]) == (
        1,
        "test",
        40,
        60,
    )
    assert len(facts["schema_hash"]) == len(facts["pipeline_hash"]) == 12
    assert set(manifest.artifacts) == small_shop.ROLES
    for name in manifest.artifacts.values():
        assert artifact.read(store.folder / ARTIFACTS / name).facts["watermark"] == facts["watermark"]
    rows = {row["role"]: row for row in facts["evaluation"]["rows"]}
    assert set(rows) == {"candidate", "popularity"}
    figure = rows["candidate"]["metrics"]["ndcg@12"]
    assert figure["low"] < figure["value"] < figure["high"]
    assert figure["value"] > rows["popularity"]["metrics"]["ndcg@12"]["high"]  # tastes are easy to learn


def test_training_twice_gives_the_same_snapshot(store: Store) -> None:
    one = train_on(store)
    before = set((store.folder / ARTIFACTS).iterdir())
    two = train_on(store)
    assert one.artifacts == two.artifacts
    assert set((store.folder / ARTIFACTS).iterdir()) == before


def test_nothing_after_the_watermark_is_learnt(store: Store) -> None:
    border = START + timedelta(days=100)
    manifest = train_on(store, until=border)
    alone = Store.open(store.folder.parent / "alone")
    early = tables()
    early = ShopTables(
        early.products, early.events.filter(pl.col("at") < border), early.customers, early.stock
    )
    alone.ingest(Pseudonyms.of(store.folder).tables(early), "the first half")
    assert train_on(alone, until=border).artifacts["retriever"] == manifest.artifacts["retriever"]


def test_the_last_event_is_history_and_not_live(store: Store) -> None:
    manifest = train_on(store, until=None)
    snapshot = load_manifest(store, manifest, registry())
    assert snapshot.histories.end == dataset(store).interactions.end < snapshot.watermark
    assert len(snapshot.histories) == len(dataset(store).interactions)


def test_the_validation_question_lies_after_its_fit_part(store: Store) -> None:
    shop = dataset(store)
    found = validation_of(History.of_tables(store.products(), store.events(), name="s"), PIPELINE)
    assert found is not None
    border = shop.interactions.end - 28 * 86_400
    assert found.fit.interactions.at.max() < border == found.task.histories.now[0]
    late = shop.interactions.at >= border
    expected = {
        (c, p)
        for c, p in zip(
            shop.interactions.customers[late].tolist(), shop.interactions.products[late].tolist(), strict=True
        )
        if (found.fit.interactions.customers == c).any()
    }
    rows, columns = found.task.relevant.nonzero()
    assert {
        (int(found.task.histories.customers[r]), int(p)) for r, p in zip(rows, columns, strict=True)
    } == expected
    assert found.task.seen is None


def test_hiding_repeats_is_validated_as_it_is_served(store: Store) -> None:
    hiding = PIPELINE.model_copy(update={"policy": Policy(repeats="hide")})
    found = validation_of(History.of(dataset(store)), hiding)
    assert found is not None
    assert found.task.seen is not None
    assert found.task.relevant.multiply(found.task.seen).nnz == 0


def test_a_shop_with_no_past_serves_what_it_has(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "new")
    store.ingest(ShopTables(PRODUCTS.conform(tables().products), EVENTS.empty()), "products only")
    manifest = train_on(store)
    assert manifest.evaluation["selected"] == "retrieve.popular.v1"
    assert manifest.evaluation["split"] is None
    assert "no customer came back" in manifest.evaluation["reason"]
    done = publish(store.folder, manifest.id, load=loader(store))
    assert all(gate.passed for gate in done.gates)


def test_the_serving_model_is_measured_on_the_same_question(store: Store) -> None:
    serving = train_on(store)
    other = PIPELINE.model_copy(update={"retriever": Use(use="retrieve.popular.v1")})
    rows = train_on(store, other, serving=serving).evaluation["rows"]
    assert [row["role"] for row in rows] == ["candidate", "popularity", "serving"]
    again = serving.evaluation["rows"][0]["metrics"]
    assert rows[2]["metrics"] == again


@pytest.mark.parametrize("candidates", ["auto", ("retrieve.item_knn.v1",)])
def test_validation_chooses_and_popularity_stands_beside(store: Store, candidates: object) -> None:
    chosen = Selection.model_validate({"candidates": candidates, "minutes": 0.02})
    manifest = train_on(store, Pipeline(name="home", selection=chosen))
    report = manifest.evaluation
    rows = {row["model"]: row for row in report["rows"]}
    assert rows["retrieve.popular.v1"]["role"] == "popularity"
    assert "low" in rows["retrieve.popular.v1"]["metrics"]["ndcg@12"]
    assert [row["model"] for row in report["rows"] if row["selected"]] == [report["selected"]]
    assert report["reason"]
    values = {name: row["metrics"]["ndcg@12"]["value"] for name, row in rows.items()}
    assert values[report["selected"]] == max(values.values())
    if candidates != "auto":
        assert set(rows) == {*candidates, "retrieve.popular.v1"}  # type: ignore[misc]
    assert all(gate.passed for gate in check(store.folder, manifest, loader(store)))


def test_gates_let_a_sound_snapshot_pass_and_name_what_they_saw(store: Store) -> None:
    manifest = train_on(store)
    done = publish(store.folder, None, load=loader(store))
    assert done.pointer.serving == manifest.id == read_pointer(store.folder).serving
    assert [gate.name for gate in done.gates] == ["artifacts", "lists", "quality"]
    assert "51 sample lists" in done.gates[1].detail


@pytest.mark.parametrize("role", ["retriever", "popular", "catalogue", "related"])
def test_a_damaged_artifact_is_refused_by_name(store: Store, role: str) -> None:
    manifest = train_on(store)
    folder = store.folder / ARTIFACTS / manifest.artifacts[role]
    file = next(file for file in sorted(folder.iterdir()) if file.name != "manifest.json")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(StateError, match=manifest.artifacts[role]):
        publish(store.folder, manifest.id, load=loader(store), force=True)
    assert not (store.folder / "current").exists()


def test_a_model_below_popularity_needs_force(store: Store) -> None:
    # Neighbours that count in the wrong direction: the rarer a product, the higher it stands.
    bad = Use(use="retrieve.item_knn.v1", config={"target_power": 1.5, "source_power": 0.0, "shrinkage": 0.0})
    opposed = PIPELINE.model_copy(update={"retriever": bad})
    manifest = train_on(store, opposed)
    gates = {gate.name: gate for gate in check(store.folder, manifest, loader(store))}
    assert not gates["quality"].passed
    with pytest.raises(StateError, match="--force"):
        publish(store.folder, manifest.id, load=loader(store))
    assert publish(store.folder, manifest.id, load=loader(store), force=True).pointer.serving == manifest.id


def test_rollback_is_publishing_the_one_before(store: Store) -> None:
    one = train_on(store).id
    publish(store.folder, one, load=loader(store))
    with pytest.raises(StateError, match="the first snapshot"):
        rollback(store.folder, load=loader(store))
    two = train_on(store, seed=2).id
    publish(store.folder, two, load=loader(store))
    assert rollback(store.folder, load=loader(store)).pointer.serving == one
    assert rollback(store.folder, two, load=loader(store)).pointer.history == (one, two, one)
    with pytest.raises(UnknownName):
        rollback(store.folder, "home-none", load=loader(store))


def test_a_restored_snapshot_lists_the_same(store: Store) -> None:
    """What comes back from the disk answers as what was trained, score for score."""
    manifest = train_on(store)
    snapshot = load_manifest(store, read_snapshot(store.folder, manifest.id), registry())
    shop = dataset(store, until=END)
    trained = registry().create("retrieve.item_knn.v1", {"shrinkage": 1.0})
    trained.train(shop, rng=np.random.default_rng(0), progress=Silent())  # type: ignore[attr-defined]
    everyone = shop.histories(np.arange(60))
    assert np.array_equal(snapshot.retriever.scores(everyone), trained.scores(everyone))  # type: ignore[attr-defined]
    assert np.array_equal(snapshot.histories.products, shop.interactions.products)
    assert snapshots(store.folder) == [manifest.id]


def test_a_running_service_takes_the_new_snapshot_and_keeps_the_old_when_it_is_damaged(shop: Path) -> None:
    service = open_service(shop)
    service.start()
    old = service.current().id
    new = train_on(service.store, seed=2)
    publish(shop, new.id, load=loader(service.store))
    deadline = time.monotonic() + 10
    while service.current().id == old and time.monotonic() < deadline:
        time.sleep(0.02)
    assert service.current().id == new.id
    broken = train_on(service.store, seed=3, until=END - timedelta(days=3))
    shutil.rmtree(shop / ARTIFACTS / broken.artifacts["retriever"])
    point_to(shop, broken.id)
    while not service.current.failures and time.monotonic() < deadline:
        time.sleep(0.02)
    assert service.current.failures
    assert service.current().id == new.id
    service.close()


def test_services_are_closed_in_order(shop: Path) -> None:
    service = Service.open(shop)
    service.start()
    service.close()
    assert not any(thread.name == "snapshot-watch" for thread in threading.enumerate())
