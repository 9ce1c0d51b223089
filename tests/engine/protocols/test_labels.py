"""``labels``: on a small catalogue whose names tell one half of the classes and whose photos tell the other."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError
from storewise.core.progress import Silent
from storewise.data.sources.labelled import read_labelled
from storewise.engine.benchmark import run
from storewise.engine.protocols import label_features, label_sections
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.label_sections import precisions

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200), "green": (30, 150, 30)}
KINDS = {"shirt": "cotton shirt", "lamp": "desk lamp"}
N = 360


def photo(colour, rng):
    Image = pytest.importorskip("PIL.Image", reason="needs pillow (extra vision)")
    image = Image.new("RGB", (24, 32), (255, 255, 255))
    noisy = tuple(int(np.clip(c + rng.integers(-20, 20), 0, 255)) for c in COLOURS[colour])
    image.paste(noisy, (4, 4, 20, 28))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def catalogue(folder, *, photos=True, seed=0):
    """A class is kind and colour; the name tells the kind, the photo the colour."""
    rng = np.random.default_rng(seed)
    kinds, colours = rng.choice(list(KINDS), N), rng.choice(list(COLOURS), N)
    adjectives = ["fine", "new", "classic", "small", "large"]
    table = pl.DataFrame(
        {
            "sku": [f"p{i}" for i in range(N)],
            "title": [f"{rng.choice(adjectives)} {KINDS[k]} no {i}" for i, k in enumerate(kinds)],
            "kind": kinds,
            "class": [f"{k} {c}" for k, c in zip(kinds, colours, strict=True)],
            "fold": rng.choice(["train", "test"], N, p=[0.7, 0.3]),
        }
    )
    table.write_csv(folder / "shop.csv")
    if photos:
        pl.DataFrame({"sku": table["sku"], "photo": [photo(c, rng) for c in colours]}).write_parquet(
            folder / "photos.parquet"
        )
    return table


@pytest.fixture(scope="module", autouse=True)
def few_seeds():
    """Two draws show that the sections work; eight make the intervals narrow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_sections, "SEEDS", 2)
        patch.setattr(label_sections, "VALIDATION_SEEDS", 1)
        patch.setattr(label_sections, "ROUNDS", 6)
        yield


@pytest.fixture(scope="module")
def report(few_seeds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    catalogue(folder)
    inputs = Inputs(catalogue=folder / "shop.csv", images=folder / "photos.parquet", label="class")
    return run("labels", inputs, models=["tfidf_svd", "colour_histogram"], minutes=1)


def test_both_views_tell_what_one_cannot(report):
    figures = {row["model"]: row["metrics"] for row in report["rows"]}
    assert set(figures) == {"both", "text", "image", "majority class"}
    assert figures["both"]["accuracy"]["value"] > 0.95
    assert figures["text"]["accuracy"]["value"] < 0.6
    assert figures["image"]["accuracy"]["value"] < 0.75
    assert figures["both"]["above_text"]["low"] > 0
    assert figures["both"]["above_image"]["low"] > 0
    assert figures["majority class"]["accuracy"]["value"] < 0.3
    assert figures["both"]["macro_f1"]["low"] <= figures["both"]["macro_f1"]["value"] <= 1


def test_every_section_has_one_claim_and_one_simple_rule(report):
    sections = [report, *report["others"]]
    assert [s["question"] for s in sections] == [
        "class",
        "similar products",
        "5 labels a class",
        "active labelling",
    ]
    for section in sections:
        assert sum(row["selected"] for row in section["rows"]) == 1
        assert sum(row["simple"] for row in section["rows"]) == 1
        assert section["reason"]
    similar = {row["model"]: row["metrics"] for row in report["others"][0]["rows"]}
    assert similar["both"]["precision@10"]["value"] > similar["text"]["precision@10"]["value"]
    assert "text from title" in report["data"]


def test_text_alone_and_a_given_split(tmp_path):
    table = catalogue(tmp_path, photos=False)
    inputs = Inputs(catalogue=tmp_path / "shop.csv", label="kind", split="fold")
    found = run("labels", inputs, minutes=1)
    assert [row["model"] for row in found["rows"]] == ["text", "majority class"]
    assert found["rows"][0]["metrics"]["accuracy"]["value"] > 0.95
    assert f"{(table['fold'] == 'test').sum()} to test" in found["data"]


def test_active_labelling_is_asked_where_there_are_enough_products(tmp_path):
    catalogue(tmp_path, photos=False)
    found = read_labelled(tmp_path / "shop.csv", "kind")
    task = label_features.make_task(found, "kind", seed=1)
    features = label_features.make_features(task, None, budget_s=60, seed=1, progress=Silent())
    section = label_sections.actively(task, features, seed=1, progress=Silent())
    assert section["question"] == "active labelling"
    ours, random = section["rows"]
    assert (ours["selected"], random["simple"]) == (True, True)
    assert 0 < ours["metrics"]["label_share"]["value"] <= 1
    assert section["curves"]["labels"][:2] == [10, 30]


def test_the_split_keeps_every_class_everywhere():
    y = np.repeat(np.arange(5), [20, 30, 40, 200, 1000])
    parts = label_features.random_parts(y, seed=3)
    assert np.array_equal(
        np.sort(np.concatenate([parts.train, parts.validation, parts.test])), np.arange(len(y))
    )
    np.testing.assert_allclose(np.bincount(y[parts.test]) / np.bincount(y), 0.2, atol=0.01)
    np.testing.assert_allclose(np.bincount(y[parts.validation]) / np.bincount(y), 0.1, atol=0.01)
    other = label_features.random_parts(y, seed=4)
    assert not np.array_equal(other.test, parts.test)


def test_rare_classes_and_empty_labels_are_left_out_and_said(tmp_path):
    labels = ["a"] * 30 + ["b"] * 25 + ["rare"] * 19 + [None] * 6
    table = pl.DataFrame({"id": range(80), "name": [f"thing number {i}" for i in range(80)], "kind": labels})
    table.write_csv(tmp_path / "c.csv")
    task = label_features.make_task(read_labelled(tmp_path / "c.csv", "kind"), "kind", seed=0)
    assert (len(task.y), list(task.names)) == (55, ["a", "b"])
    assert any("6 products without a kind" in note for note in task.notes)
    assert any("19 products of 1 classes" in note for note in task.notes)


def test_precision_against_a_loop():
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(40, 5)).astype(np.float32)]
    y = rng.integers(0, 3, 40)
    found = precisions(rows, [(1, 3)], np.arange(40), y)[0]
    likeness = rows[0] @ rows[0].T + 3 * rows[1] @ rows[1].T
    for query in range(40):
        others = [i for i in np.argsort(-likeness[query]) if i != query][:10]
        assert found[query] == pytest.approx(np.mean(y[others] == y[query]))


def test_what_can_be_wrong(tmp_path):
    catalogue(tmp_path, photos=False)
    path = tmp_path / "shop.csv"
    with pytest.raises(ConfigError, match="needs --label"):
        run("labels", Inputs(catalogue=path))
    with pytest.raises(ConfigError, match="no column 'colour'.*sku, title"):
        run("labels", Inputs(catalogue=path, label="colour"))
    with pytest.raises(DataError, match="0 classes with at least 20"):
        run("labels", Inputs(catalogue=path, label="sku"))
    with pytest.raises(DataError, match="Column 'class' holds"):
        run("labels", Inputs(catalogue=path, label="kind", split="class"))
    with pytest.raises(ConfigError, match="does not read --data"):
        run("labels", Inputs(catalogue=path, label="kind", data=path))


def test_a_tiny_catalogue_with_broken_photos_still_answers(tmp_path):
    table = pl.DataFrame(
        {
            "id": [str(i) for i in range(48)],
            "name": [f"{('wool scarf', 'steel pan')[i % 2]} no {i}" for i in range(48)],
            "kind": ["scarf", "pan"] * 24,
        }
    )
    table.write_csv(tmp_path / "c.csv")
    photos = pl.DataFrame({"id": table["id"], "photo": [b"%PDF-1.4 no photo"] * 48})
    photos.write_parquet(tmp_path / "p.parquet")
    inputs = Inputs(catalogue=tmp_path / "c.csv", images=tmp_path / "p.parquet", label="kind")
    found = run("labels", inputs, models=["tfidf_svd", "colour_histogram"], minutes=1)
    figures = {row["model"]: row["metrics"]["accuracy"]["value"] for row in found["rows"]}
    assert figures["text"] == figures["both"] == 1.0
    assert figures["image"] <= 0.6


def test_a_network_reads_at_the_size_that_labels_best(tmp_path, monkeypatch):
    from storewise.understand.image import efficientnet

    pytest.importorskip("onnxruntime", reason="needs onnxruntime (extra vision)")
    if efficientnet.WEIGHTS.installed() is None:
        pytest.skip("the package of the weights is not installed")
    catalogue(tmp_path)
    monkeypatch.setattr(label_features, "SIZES", (32, 64))
    monkeypatch.setattr(label_features, "TRIAL_PHOTOS", 80)
    found = read_labelled(tmp_path / "shop.csv", "class", images=tmp_path / "photos.parquet")
    task = label_features.make_task(found, "class", seed=0)
    features = label_features.make_features(task, None, budget_s=600, seed=0, progress=Silent())
    assert [block.name for block in features.image] == ["efficientnet_lite0", "colour_histogram"]
    assert all(block.present.all() for block in features.image)
    assert any("efficientnet_lite0 at" in note and "32: " in note for note in features.notes)
    # Without time to spare, the smallest size is taken unasked.
    size, why = label_features.choose_size("encode.efficientnet_lite0.v1", {}, task, budget_s=0.01, seed=0)
    assert size == 32
    assert "64: " not in why
