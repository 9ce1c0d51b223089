from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from storewise.core.errors import ConfigError, DataError, StateError
from storewise.engine.evaluate import FOLDER, evaluate
from storewise.testing.small_shop import open_store

MODELS = ["popular", "item_knn"]


@pytest.fixture
def bare_shop(tmp_path: Path) -> Path:
    """The small shop, ingested but not trained."""
    folder = tmp_path / "shop"
    open_store(folder).close()
    return folder


def test_one_report_for_each_question_is_left_in_the_shop(bare_shop: Path) -> None:
    reports = evaluate(bare_shop, models=MODELS, minutes=0.2, seed=1, command="the command")
    assert [report["question"] for report in reports] == ["with repeats", "without repeats"]
    files = sorted((bare_shop / FOLDER).iterdir())
    assert [file.name for file in files] == ["with-repeats.json", "without-repeats.json"]
    for file, report in zip(files, reports, strict=True):
        assert orjson.loads(file.read_bytes())["rows"] == report["rows"]
        assert report["command"] == "the command"
        assert sum(row["selected"] for row in report["rows"]) == 1
        rows = {row["model"]: row["metrics"]["ndcg@10"] for row in report["rows"]}
        # Every customer keeps to one half of the catalogue and to its first products: easy to learn.
        assert rows.keys() == {"retrieve.item_knn.v1", "retrieve.popular.v1"}
        assert all(0.4 < figure["low"] < figure["value"] < figure["high"] <= 1 for figure in rows.values())


def test_later_reports_replace_earlier_ones(bare_shop: Path) -> None:
    evaluate(bare_shop, models=["popular"], minutes=0.1, k=10)
    evaluate(bare_shop, models=["popular"], minutes=0.1, k=5)
    files = list((bare_shop / FOLDER).iterdir())
    assert len(files) == 2
    assert all("ndcg@5" in orjson.loads(file.read_bytes())["rows"][0]["metrics"] for file in files)


def test_what_cannot_be_evaluated_is_said(bare_shop: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StateError, match="no shop"):
        evaluate(tmp_path / "empty", minutes=0.1)
    with pytest.raises(DataError, match="leaves nothing to train on"):
        evaluate(bare_shop, test_days=150, validation_days=150, minutes=0.1)
    with pytest.raises(ConfigError, match="lists 50 products, the data hold 40"):
        evaluate(bare_shop, k=50, minutes=0.1)
    assert not (bare_shop / FOLDER).exists()


def test_the_command_prints_both_tables(bare_shop: Path) -> None:
    command = [sys.executable, "-m", "storewise", "evaluate", "--shop", str(bare_shop)]
    command += ["--models", "popular,item_knn", "--minutes", "0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "with repeats" in done.stdout
    assert "without repeats" in done.stdout
    assert "retrieve.popular.v1" in done.stdout
    report = orjson.loads((bare_shop / FOLDER / "with-repeats.json").read_bytes())
    assert report["command"].startswith("storewise evaluate --shop")
