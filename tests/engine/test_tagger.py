"""A tagger that a shop trains reads its products, beside rules and lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.cli import main
from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.errors import ArtifactError, ConfigError, DataError
from storewise.core.progress import Silent
from storewise.data.stores import Store
from storewise.engine import attributes
from storewise.engine.pipeline import Pipeline, read_pipeline
from storewise.engine.published import ARTIFACTS
from storewise.engine.registry import registry
from storewise.engine.tagger import AttributeTagger, train_tagger
from storewise.engine.train import train
from storewise.understand.attributes.product import Product

pytest.importorskip("pycrfsuite", reason="needs the extra tagging")
MADE_UP = ("Vexil", "Dorano", "Quibra", "Lumaro", "Tessno", "Brinto")  # in no list
THINGS = ("frobnitz", "gorlock", "wumpet", "zindle")


def english(file: Path, n: int = 160) -> Path:
    """Words in three orders, tagged MAKER and THING, with SIZE as a label that is left out."""
    rng = np.random.default_rng(3)
    lines = []
    for _ in range(n):
        brand, thing = str(rng.choice(MADE_UP)), str(rng.choice(THINGS))
        pairs = [(brand, "B-MAKER"), (str(rng.choice(["new", "fine", "big"])), "O"), (thing, "B-THING")]
        if rng.random() < 0.3:
            pairs.append((str(rng.integers(10, 99)), "B-SIZE"))
        lines.append("\n".join(f"{token}\t{tag}" for token, tag in pairs))
    file.write_text("\n\n".join(lines), encoding="utf-8")
    return file


def chinese(file: Path, n: int = 160) -> Path:
    """Characters, tagged brand and 颜色, which is an attribute's name."""
    rng = np.random.default_rng(4)
    lines = []
    for _ in range(n):
        brand, colour = str(rng.choice(["晨霄", "渺岚", "云堑"])), str(rng.choice(["红色", "黑色"]))
        parts = [(brand, "brand"), (str(rng.choice(["新款", "特价"])), ""), (colour, "颜色"), ("杯", "")]
        parts = [parts[i] for i in rng.permutation(4)]
        tags = [
            (c, f"{'B' if i == 0 else 'I'}-{label}" if label else "O")
            for text, label in parts
            for i, c in enumerate(text)
        ]
        lines.append("\n".join(f"{c} {tag}" for c, tag in tags))
    file.write_text("\n\n".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("tagger")
    names = {"MAKER": "Brand", "THING": "type", "SIZE": ""}
    name, facts = train_tagger(root, english(root / "t.txt"), names=names, models=["crf"], progress=Silent())
    assert facts["attributes"] == {"MAKER": "brand", "THING": "type", "SIZE": ""}
    assert facts["f1"] > 0.9
    return root, name


def test_spans_are_places_in_the_text_and_confidences_are_measured(trained: tuple[Path, str]) -> None:
    root, name = trained
    read = AttributeTagger.load(root, name)
    product = Product("  Vexil fine   wumpet 44", "From Dorano")
    found = read([product, Product("")])
    assert found[1] == []
    assert {(v.name, v.value, v.field) for v in found[0]} >= {
        ("brand", "Vexil", "title"),
        ("type", "wumpet", "title"),
        ("brand", "Dorano", "description"),
    }
    texts = {"title": product.title, "description": product.description}
    for value in found[0]:
        assert texts[value.field][value.start : value.end] == value.raw
        assert value.method == "tagger"
        assert 0 < value.confidence <= (0.99 if value.field == "title" else 0.8)
    assert not any(v.name == "" for v in found[0])


def test_confidence_is_the_share_of_right_spans_at_that_probability(trained: tuple[Path, str]) -> None:
    """Where held-out spans of probability 1 were right half of the time, such a span is told at about a half."""
    root, name = trained
    found = artifact.read(root / ARTIFACTS / name)
    reliability = [["MAKER", chance / 10, 50, 100] for chance in range(11)]
    doubtful = Artifact(found.name, {**found.facts, "reliability": reliability}, found.arrays)
    value = next(v for v in AttributeTagger(doubtful, name)([Product("Vexil fine wumpet")])[0])
    sure = next(v for v in AttributeTagger(found, name)([Product("Vexil fine wumpet")])[0])
    assert value.name == sure.name == "brand"
    plain = AttributeTagger(Artifact(found.name, {**found.facts, "reliability": []}, found.arrays), name)
    chance = plain([Product("Vexil fine wumpet")])[0][0].confidence
    assert value.confidence == pytest.approx((50 + 10 * chance) / 110)
    assert sure.confidence > value.confidence


def test_chinese_titles_are_read_by_character(tmp_path: Path) -> None:
    name, facts = train_tagger(tmp_path, chinese(tmp_path / "t.txt"), models=["crf"])
    assert facts["attributes"] == {"brand": "brand", "颜色": "colour"}
    title = "特价 渺岚红色杯"
    found = AttributeTagger.load(tmp_path, name)([Product(title)])[0]
    assert {(v.name, v.value, v.raw) for v in found} == {
        ("brand", "渺岚", "渺岚"),
        ("colour", "red", "红色"),
    }
    assert all(title[v.start : v.end] == v.raw for v in found)


def shop_table(n: int = 12) -> pl.DataFrame:
    titles = [f"{MADE_UP[i % 6]} fine {THINGS[i % 4]} {i}" for i in range(n)]
    return pl.DataFrame({"product_id": [f"p{i}" for i in range(n)], "title": titles})


def test_extraction_with_a_tagger_keeps_and_drops_it(trained: tuple[Path, str], tmp_path: Path) -> None:
    root, name = trained

    def run(**options: str | None) -> attributes.Extracted:
        found = attributes.extract(root, table, progress=Silent(), **options)  # type: ignore[arg-type]
        attributes.save(root, found)
        return found

    table = shop_table()
    plain = run()
    assert "tagger" not in set(plain.values["method"])
    tagged = run(tagger=name)
    assert (tagged.read, tagged.kept) == (12, 0)
    brands = dict(tagged.values.filter(name="brand").select("product_id", "value").iter_rows())
    assert brands == {f"p{i}": MADE_UP[i % 6] for i in range(12)}
    again = run()  # as a training run does: what the last run used stays
    assert (again.read, again.kept, again.values.equals(tagged.values)) == (0, 12, True)
    table = shop_table(13)
    assert run().read == 1
    off = run(tagger="none")
    assert (off.read, "tagger" in set(off.values["method"])) == (13, False)


def test_what_the_shop_gives_stays(trained: tuple[Path, str]) -> None:
    root, name = trained
    table = shop_table(1).with_columns(brand=pl.lit("Zenith"))
    found = attributes.extract(root, table, progress=Silent(), tagger=name)
    assert [(v, m) for v, m in found.values.filter(name="brand").select("value", "method").iter_rows()] == [
        ("zenith", "given")
    ]


def test_training_takes_the_tagger_of_the_pipeline(shop: Path, tmp_path: Path) -> None:
    name, _ = train_tagger(
        shop, english(tmp_path / "t.txt"), names={"MAKER": "brand", "THING": "type"}, models=["crf"]
    )
    file = tmp_path / "home.toml"
    file.write_text(
        f'name = "home"\n[selection]\ncandidates = ["retrieve.popular.v1"]\n[attributes]\ntagger = "{name}"\n'
    )
    pipeline = read_pipeline(file, registry())
    with Store.open(shop, create=False) as store:
        manifest = train(store, pipeline, registry=registry(), seed=0, progress=Silent(), code_version="test")
    facts = artifact.read_manifest(shop / ARTIFACTS / manifest.artifacts["attributes"])["facts"]
    assert facts["tagger"] == name
    assert Pipeline(name="home").attributes.tagger is None


def test_what_is_wrong_is_said(trained: tuple[Path, str], tmp_path: Path) -> None:
    root, name = trained
    with pytest.raises(ConfigError, match="has no label 'PROD'"):
        train_tagger(tmp_path, english(tmp_path / "t.txt"), names={"PROD": "type"})
    (tmp_path / "o.txt").write_text("a O\n\nb O\n")
    with pytest.raises(ConfigError, match="holds no span"):
        train_tagger(tmp_path, tmp_path / "o.txt")
    with pytest.raises(DataError):
        train_tagger(tmp_path, tmp_path / "nowhere.txt")
    with pytest.raises(ConfigError, match="dictionary alone"):
        train_tagger(tmp_path, tmp_path / "t.txt", models=["dictionary"])
    with pytest.raises(ArtifactError):
        attributes.extract(tmp_path, shop_table(), progress=Silent(), tagger="tagger-0")
    found = attributes.extract(root, shop_table(), progress=Silent())
    with pytest.raises(ArtifactError, match="not a tagger"):
        AttributeTagger.load(root, attributes.save(root, found))
    (root / ARTIFACTS / name / "labels.npy").write_bytes(b"0")
    with pytest.raises(ArtifactError, match="damaged"):
        AttributeTagger.load(root, name)


def test_the_command(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = english(tmp_path / "t.txt")
    wanted = (
        "tagger",
        file,
        "--shop",
        shop,
        "--models",
        "crf",
        "--label",
        "MAKER=brand",
        "--label",
        "THING=type",
    )
    with pytest.raises(SystemExit) as stopped:
        main([str(part) for part in wanted])
    assert not stopped.value.code
    name = capsys.readouterr().out.strip()
    assert (shop / ARTIFACTS / name).is_dir()
    with pytest.raises(SystemExit) as stopped:
        main(["attributes", "--shop", str(shop), "--tagger", name])
    assert not stopped.value.code
    assert attributes.latest(shop).facts["tagger"] == name  # type: ignore[union-attr]
    with pytest.raises(SystemExit) as stopped:
        main(["tagger", str(file), "--shop", str(shop), "--label", "MAKER"])
    assert stopped.value.code == 2
    assert "is not LABEL=attribute" in capsys.readouterr().err
