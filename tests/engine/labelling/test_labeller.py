"""A shop's labeller: what is missing is filled, what the shop gave stays, a person's answers are kept."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.cli import main
from storewise.core.errors import ArtifactError, ConfigError, DataError
from storewise.core.progress import Silent
from storewise.engine import attributes
from storewise.engine.labelling import kept, labeller
from storewise.engine.labelling.columns import read_column
from storewise.engine.labelling.kept import ANSWERS
from storewise.engine.registry import registry
from storewise.understand.labels.fill import FillConfig

KINDS = {
    "Lighting": ("lamp", "lantern", "torch"),
    "Seating": ("chair", "stool", "bench"),
    "杯子": ("马克杯", "茶杯"),
}
CONFIG = FillConfig(precision=0.8)


def shop_table(n: int = 120, known: float = 0.7) -> tuple[pl.DataFrame, list[str]]:
    """Titles of three categories, English and Chinese; the category is missing on some."""
    rng = np.random.default_rng(2)
    names = list(KINDS)
    truth = [names[i % 3] for i in range(n)]
    titles = [
        f"{rng.choice(['red', 'big', 'old', '新款'])} {rng.choice(KINDS[name])} {i}"
        for i, name in enumerate(truth)
    ]
    given = [name if rng.random() < known else None for name in truth]
    ids = [f"p{i}" for i in range(n)]
    return pl.DataFrame({"product_id": ids, "title": titles, "category": given}), truth


def run(root: Path, table: pl.DataFrame, column: str = "category", **options: object) -> labeller.Labelled:
    found = labeller.label(
        root,
        table,
        column,
        registry=registry(),
        progress=Silent(),
        **{"config": CONFIG, "encoder": "none", **options},  # type: ignore[arg-type]
    )
    if found.artifact is not None:
        kept.save(root, found.artifact)
    return found


def test_missing_categories_are_filled_and_become_attributes(tmp_path: Path) -> None:
    table, truth = shop_table()
    found = run(tmp_path, table)
    assert found.artifact is not None
    answers = found.artifact.tables["answers"]
    assert answers.schema == pl.Schema(ANSWERS)
    missing = set(table.filter(pl.col("category").is_null())["product_id"])
    assert found.labelled + found.missing == table.height
    assert set(answers["product_id"]) <= missing
    assert found.filled == answers.height > 0.6 * len(missing)
    right = [truth[int(one[1:])] == value for one, value in answers.select("product_id", "value").iter_rows()]
    assert np.mean(right) > 0.9
    told = attributes.extract(tmp_path, table, progress=Silent()).values.filter(method="predicted")
    assert dict(told.select("product_id", "value").iter_rows()) == dict(
        answers.select("product_id", "value").iter_rows()
    )
    assert set(told["name"]) == {"category"}
    assert set(told["start"]) == {-1}
    assert told["confidence"].is_between(0, 1).all()


def test_what_the_shop_gives_later_wins_and_another_text_makes_it_void(tmp_path: Path) -> None:
    table, _ = shop_table()
    found = run(tmp_path, table)
    assert found.artifact is not None
    one, other = found.artifact.tables["answers"]["product_id"].to_list()[:2]
    attributes.save(tmp_path, attributes.extract(tmp_path, table, progress=Silent()))
    changed = table.with_columns(
        category=pl.when(product_id=one).then(pl.lit("Gifts")).otherwise("category"),
        title=pl.when(product_id=other).then(pl.lit("something else")).otherwise("title"),
    )
    again = attributes.extract(tmp_path, changed, progress=Silent())
    predicted = again.values.filter(method="predicted")
    assert set(predicted["product_id"]).isdisjoint({one, other})
    assert predicted.height == found.filled - 2
    assert again.read == 2


def test_a_persons_answers_are_kept_and_count_as_given(tmp_path: Path) -> None:
    table, _ = shop_table()
    table = table.with_columns(attributes=pl.lit('{"internal": 1}'))
    missing = table.filter(pl.col("category").is_null())["product_id"].to_list()
    told = {missing[0]: "Seating", missing[1]: "Lighting"}
    run(tmp_path, table, answers=told)
    again = run(tmp_path, table)  # without them: they are remembered
    assert again.artifact is not None
    answers = again.artifact.tables["answers"]
    assert dict(answers.filter(method="given").select("product_id", "value").iter_rows()) == told
    assert set(answers.filter(method="predicted")["product_id"]).isdisjoint(told)
    colours = dict.fromkeys(table["product_id"].to_list()[:3], "Red")
    assert run(tmp_path, table, "Color", answers=colours).filled == 0  # one value: nothing to learn
    values = attributes.extract(tmp_path, table, progress=Silent()).values.filter(
        name="colour", method="given"
    )
    assert dict(values.select("product_id", "value").iter_rows()) == dict.fromkeys(colours, "red")


def test_without_labels_typical_products_are_proposed(tmp_path: Path) -> None:
    table, _ = shop_table(known=0.0)
    found = run(tmp_path, table, ask=6)
    assert found.artifact is None
    assert (found.filled, found.missing) == (0, 120)
    assert found.next["product_id"].n_unique() == 6
    assert any("label more" in note for note in found.notes)
    assert run(tmp_path, table, ask=0).next.height == 0


def test_the_next_products_have_no_label_yet(tmp_path: Path) -> None:
    table, _ = shop_table()
    found = run(tmp_path, table, ask=10)
    missing = set(table.filter(pl.col("category").is_null())["product_id"])
    assert found.next.height == found.next["product_id"].n_unique() == 10
    assert set(found.next["product_id"]) <= missing
    assert found.next["guess"].null_count() == 0


def test_the_column_itself_is_not_read(tmp_path: Path) -> None:
    """Random categories cannot be learned: were they part of the text, they would be foretold at once."""
    table, truth = shop_table(150, known=1.0)
    rng = np.random.default_rng(0)
    table = table.with_columns(category=pl.Series(rng.permutation(truth)))
    found = run(tmp_path, table, config=FillConfig())
    assert found.coverage is not None
    assert found.coverage.value < 0.3


def test_photos_teach_where_titles_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storewise.engine.labelling.blocks.NETWORKS", ())  # colours suffice, and are quick
    Image = pytest.importorskip("PIL.Image", reason="needs the extra vision")
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = []
    for i in range(90):
        colour = ("red", "blue", "green")[i % 3]
        shade = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 180, 30)}[colour]
        noise = rng.integers(-20, 20, (32, 32, 3))
        file = io.BytesIO()
        Image.fromarray(np.clip(np.array(shade) + noise, 0, 255).astype(np.uint8)).save(file, "PNG")
        (folder / f"p{i}.png").write_bytes(file.getvalue() if i != 3 else b"no photo")
        told = f'{{"Color": "{colour}"}}' if i < 60 else None
        rows.append({"product_id": f"p{i}", "title": f"thing {i}", "attributes": told})
    found = run(tmp_path, pl.DataFrame(rows), "colour", photos=folder)
    assert found.artifact is not None
    answers = dict(found.artifact.tables["answers"].select("product_id", "value").iter_rows())
    assert len(answers) > 25
    right = [("red", "blue", "green")[int(one[1:]) % 3] == value for one, value in answers.items()]
    assert np.mean(right) > 0.9


def test_columns_are_read_wherever_they_stand() -> None:
    cells = ['{"Color": "Dark Blue"}', '{"baseColour": ["Red", "Blue"]}', "no json", None, '{"颜色": "红色"}']
    table = pl.DataFrame(
        {"product_id": list("abcde"), "brand": ["Acme", " ", None, "ACME", "Acme"], "attributes": cells}
    )
    colour = read_column(table, "colour")
    assert list(colour.given) == [True, True, False, False, True]
    assert colour.keys[1] is None
    assert colour.keys[4] == "red"
    brand = read_column(table, "brand")
    assert list(brand.keys) == ["acme", None, None, "acme", "acme"]
    assert brand.name_of("acme") == "Acme"
    assert read_column(table, "category").n_given == 0


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    table, _ = shop_table(60)
    with pytest.raises(DataError, match="'nobody' is no product"):
        run(tmp_path, table, answers={"nobody": "Lighting"})
    with pytest.raises(ConfigError, match="There is no folder"):
        run(tmp_path, table, photos=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="is no text encoder"):
        run(tmp_path, table, encoder="tag.chain.v1")
    with pytest.raises(DataError, match="no text to learn from"):
        run(tmp_path, pl.DataFrame({"product_id": ["a"], "category": ["x"]}))
    (tmp_path / kept.POINTER).write_text("{")
    with pytest.raises(ArtifactError, match=r"labels\.json is not readable"):
        attributes.extract(tmp_path, table, progress=Silent())


def test_the_command(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: object) -> tuple[int, str, str]:
        arguments = (*arguments, "--encoder", "none")
        with pytest.raises(SystemExit) as stopped:
            main(["label", *map(str, arguments), "--shop", str(shop)])
        told = capsys.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    file = tmp_path / "out" / "next.csv"
    code, out, err = command("season", "--export", file, "--ask", 4)
    assert (code, out, "label more" in err) == (0, "", True)
    table = pl.read_csv(file, infer_schema=False).with_columns(label=pl.lit("summer"))
    assert table.height == 4
    table.write_csv(file)
    code, out, err = command("season", "--answers", file)
    assert code == 0
    assert out.startswith("labels-")
    assert len(kept.given_before(shop, "season")) == 4
    code, out, err = command("category")
    assert code == 0
    assert "40 products have it, 0 of 0" in err
    code, _, err = command("category", "--answers", tmp_path / "nowhere.csv")
    assert (code, "cannot be read" in err) == (2, True)
