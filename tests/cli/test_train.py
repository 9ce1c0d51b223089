"""storewise train: its options for long runs."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from storewise.cli.app import app
from storewise.core.errors import ConfigError
from storewise.testing.small_shop import END

run = CliRunner().invoke
PIPELINE = """
name = "home"
[selection]
candidates = ["retrieve.item_knn.v1"]
trials = 2
[rank]
use = "never"
[predict]
targets = ["product"]
candidates = ["predict.rate.v1", "predict.logistic.v1"]
"""


@pytest.fixture
def given(shop: Path, tmp_path: Path) -> list[str]:
    file = tmp_path / "home.toml"
    file.write_text(PIPELINE)
    until = f"{END:%Y-%m-%d}"
    return ["train", str(file), "--shop", str(shop), "--until", until, "--checkpoint", str(tmp_path / "kept")]


def test_a_run_is_kept_and_tracked(given: list[str], shop: Path, tmp_path: Path) -> None:
    found = run(app, [*given, "--minutes", "5", "--predict-minutes", "0.05", "--track", "json"])
    assert found.exit_code == 0, found.exception
    (folder,) = (shop / "runs").iterdir()
    config = orjson.loads((folder / "config.json").read_bytes())
    assert config["pipeline"]["predict"]["minutes"] == 0.05
    assert config["pipeline"]["selection"]["minutes"] == 5.0
    assert (folder / "curves.svg").is_file()
    assert (tmp_path / "kept" / "retrieve.item_knn.v1" / "search.log").is_file()
    assert (tmp_path / "kept" / "product" / "search.log").is_file()  # the logistic model was tuned
    other = run(app, [*given, "--minutes", "6", "--predict-minutes", "0.05"])
    assert isinstance(other.exception, ConfigError)
    assert "belongs to another run: its pipeline is" in str(other.exception)


def test_trackers_are_named_in_the_error(given: list[str]) -> None:
    found = run(app, [*given, "--track", "tensorboard,comet"])
    assert "no tracker 'comet'" in str(found.exception)
