"""Attributes of a shop: only what changed is read again, and a snapshot serves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from storewise.core import artifact
from storewise.core.errors import DataError
from storewise.core.progress import Silent
from storewise.data.stores import Store
from storewise.engine import attributes
from storewise.engine.published import ARTIFACTS, write_snapshot
from storewise.engine.registry import registry
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.service import load_manifest, load_published, serving_manifest
from storewise.recommend.eligibility import Eligibility, Filters
from storewise.understand.attributes import Extractor, of_frame
from storewise.understand.attributes.llm import LlmConfig, LlmExtractor


def products(n: int = 60, **changes: str) -> pl.DataFrame:
    kinds = ("mug", "lantern", "armchair")
    rows = [
        {
            "product_id": f"p{i}",
            "title": changes.get(f"p{i}", f"{('Acme', 'Zenith')[i % 2]} red {kinds[i % 3]} {i} cm"),
            "description": "Made of steel",
            "category": kinds[i % 3].title(),
            "brand": ("Acme", "Zenith")[i % 2],
            "attributes": '{"Color": "Red", "internal_code": "7"}',
        }
        for i in range(n)
    ]
    return pl.DataFrame(rows)


def extract(root: Path, table: pl.DataFrame, **options: Any) -> attributes.Extracted:
    found = attributes.extract(root, table, progress=Silent(), **options)
    attributes.save(root, found)
    return found


def values(found: attributes.Extracted, product: str) -> dict[str, str]:
    return dict(found.values.filter(product_id=product).select("name", "value").iter_rows())


def test_only_changed_products_are_read_again(tmp_path: Path) -> None:
    first = extract(tmp_path, products())
    assert (first.read, first.kept) == (60, 0)
    again = extract(tmp_path, products())
    assert (again.read, again.kept) == (0, 60)
    assert again.values.equals(first.values)
    changed = extract(tmp_path, products(p3="Acme blue bag"))
    assert (changed.read, changed.kept) == (1, 59)
    assert values(changed, "p4") == values(first, "p4")
    assert "length" not in values(changed, "p3")
    fewer = extract(tmp_path, products(59))
    assert (fewer.kept, set(fewer.values["product_id"])) == (58, {f"p{i}" for i in range(59)})


def test_kept_values_are_those_of_a_run_from_nothing(tmp_path: Path) -> None:
    """With the lists of the first run, a second run gives what reading everything with them would give."""
    first = extract(tmp_path, products())
    second = extract(tmp_path, products(p5="Zenith green mug 5 kg"))
    extractor = Extractor()
    extractor.restore(first.artifact.arrays)
    table = products(p5="Zenith green mug 5 kg")
    expected = extractor(of_frame(table))
    assert attributes.to_frame(table["product_id"].to_list(), expected).equals(second.values)


def test_many_changes_make_the_shop_learn_anew(tmp_path: Path) -> None:
    first = extract(tmp_path, products())
    changed = {f"p{i}": f"Nova new thing {i}" for i in range(10)}
    second = extract(tmp_path, products(**changed))
    assert second.artifact.facts["extractor"] != first.artifact.facts["extractor"]
    assert (second.read, second.artifact.facts["changed"]) == (60, 0)


@pytest.mark.parametrize("damage", ["pointer", "artifact", "missing"])
def test_a_damaged_last_run_is_read_anew(tmp_path: Path, damage: str) -> None:
    first = extract(tmp_path, products())
    if damage == "pointer":
        (tmp_path / attributes.POINTER).write_text("{")
    elif damage == "artifact":
        next((tmp_path / ARTIFACTS).glob("attributes-*/values.parquet")).write_bytes(b"x")
    else:
        (tmp_path / attributes.POINTER).write_text('{"artifact": "../../elsewhere"}')
    found = attributes.extract(tmp_path, products(), progress=Silent())
    assert (found.read, found.values.equals(first.values)) == (60, True)


class Says:
    """A language model that always gives one answer."""

    def __init__(self, answer: Mapping[str, str], *, fail_after: int = 10_000) -> None:
        self.answer, self.calls, self.fail_after = answer, 0, fail_after

    def __call__(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> str:
        self.calls += 1
        if self.calls > self.fail_after:
            raise DataError("The model is gone.", next_step="Start it.")
        return orjson.dumps(self.answer).decode()


def llm(chat: Says) -> LlmExtractor:
    return LlmExtractor(LlmConfig(model="m", base_url="http://localhost", trust=0.9), chat=chat)


def test_answers_of_a_model_are_asked_once_and_kept_by_training(tmp_path: Path) -> None:
    chat = Says({"material": "steel", "pattern": "checked"})
    table = products(30, p1="Acme pattern: checked mug")
    first = extract(tmp_path, table, llm=llm(chat))
    assert chat.calls == 30
    assert first.values.filter(pl.col("method") == "llm").height > 0
    extract(tmp_path, table, llm=llm(chat))
    assert chat.calls == 30
    without = extract(tmp_path, table)
    assert (without.kept, without.values.equals(first.values)) == (30, True)
    (tmp_path / attributes.POINTER).unlink()
    assert extract(tmp_path, table).values.filter(pl.col("method") == "llm").height == 0


def test_a_model_that_goes_away_is_asked_the_rest_another_time(tmp_path: Path) -> None:
    found = extract(tmp_path, products(30), llm=llm(Says({"material": "steel"}, fail_after=8)))
    assert found.problems["DataError"] == 5
    with (tmp_path / attributes.ANSWERS).open("ab") as file:
        file.write(b'\n{"model": "cut off by a cra')
    again = Says({"material": "steel"})
    extract(tmp_path, products(30), llm=llm(again))
    assert again.calls == 22


def test_filters_know_extracted_values() -> None:
    table = pl.DataFrame({"product_id": ["a", "b", "c"], "title": ["Red jug 3 L", "红色水壶 三升", "Blue jug"],
                          "attributes": [None, None, '{"colour": "Red"}']})  # fmt: skip
    found = attributes.extract(Path("/nonexistent"), table, progress=Silent())
    shelf = Catalogue.of(table, extracted=attributes.from_frame(found.values))
    rules = Eligibility(shelf)

    def passing(*asked: tuple[str, str]) -> list[int]:
        return rules.mask(Filters(attributes=asked)).nonzero()[0].tolist()

    assert passing(("colour", "red")) == passing(("Color", "红色")) == [0, 1, 2]
    assert passing(("volume", "3000ml")) == passing(("volume", "3升")) == [0, 1]
    assert passing(("colour", "red"), ("volume", "3 l")) == [0, 1]
    assert passing(("colour", "blue")) == []  # what the shop says wins
    assert passing(("nonsense", "x")) == []


def test_a_changed_text_loses_the_span_and_not_the_value() -> None:
    table = pl.DataFrame({"product_id": ["a"], "title": ["Red jug"]})
    found = attributes.extract(Path("/nonexistent"), table, progress=Silent())
    shelf = Catalogue.of(table, extracted=attributes.from_frame(found.values))
    assert shelf.details(0)["extracted"][0] == {
        "name": "colour", "value": "red", "unit": None, "raw": "Red", "field": "title", "start": 0, "end": 3,
        "confidence": 0.85, "method": "gazetteer",
    }  # fmt: skip
    later = shelf.refreshed(table.with_columns(title=pl.lit("New: red jug")))
    told = later.details(0)["extracted"][0]
    assert (told["value"], told["start"], told["end"]) == ("red", None, None)


def test_a_snapshot_serves_them_and_an_old_one_loads_without(shop: Path) -> None:
    with Store.open(shop, create=False) as store:
        snapshot = load_published(store, registry())
        index = snapshot.catalogue.index["p00"]
        told = {v["name"]: (v["value"], v["method"]) for v in snapshot.catalogue.details(index)["extracted"]}
        assert told["colour"] == ("red", "given")
        manifest = serving_manifest(store)
        assert manifest is not None
        parts = {role: name for role, name in manifest.artifacts.items() if role != "attributes"}
        old = write_snapshot(shop, manifest.pipeline, parts, {**manifest.facts, "old": True})
        assert load_manifest(store, old, registry()).catalogue.details(index)["extracted"] == []
        artifact.read(shop / ARTIFACTS / manifest.artifacts["attributes"])


def test_a_model_is_trusted_as_far_as_the_shop_can_check_it(tmp_path: Path) -> None:
    """Right about the labelled patterns, a model is believed about the others; wrong, it is not."""
    table = products(60).with_columns(
        attributes=pl.when(pl.col("product_id") != "p0").then(pl.lit('{"pattern": "checked"}')),
        title=pl.col("title") + " checked or striped",
    )
    sure = {}
    for pattern in ("checked", "striped"):
        (tmp_path / pattern).mkdir()
        found = extract(tmp_path / pattern, table, llm=llm(Says({"pattern": pattern})))
        rows = found.values.filter(product_id="p0", name="pattern", method="llm")
        sure[pattern] = rows["confidence"].max()
        assert (tmp_path / pattern / attributes.ANSWERS).is_file()
    assert sure["striped"] is None  # the lists' own candidate is likelier
    assert isinstance(sure["checked"], float)
    assert sure["checked"] > 0.9
