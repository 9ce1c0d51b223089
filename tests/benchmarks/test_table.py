"""The generated pages are what the results say, and they say it right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import run, table  # noqa: E402
from benchmarks.targets import QUALITY, Goal  # noqa: E402
from storewise.engine import protocols  # noqa: E402


def test_the_pages_are_up_to_date() -> None:
    for file, text in table.pages().items():
        assert file.is_file(), f"{file.name} is missing: python -m benchmarks table"
        assert file.read_text(encoding="utf-8") == text, f"{file.name} is old: python -m benchmarks table"


@pytest.mark.parametrize("file", sorted(table.RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_every_result_says_where_it_comes_from(file: Path) -> None:
    report = orjson.loads(file.read_bytes())
    assert report["command"]
    assert report["version"]
    assert report["machine"]["cpu"]
    if "protocol" in report:
        assert sum(row["selected"] for row in report["rows"]) == 1
        assert any(table.is_simple(row) for row in report["rows"])


def row(model: str, value: float, selected: bool) -> dict[str, Any]:
    figure = {"value": value, "low": value - 0.01, "high": value + 0.01}
    return {
        "model": model,
        "selected": selected,
        "seconds": 2.0,
        "metrics": {"ndcg@10": figure, "map@10": figure},
    }


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    report = {
        "protocol": "ml100k-ms",
        "about": "the split",
        "data": "9 customers",
        "question": "next products",
        "reason": "It was best.",
        "command": "storewise benchmark ml100k-ms",
        "version": "0.1.0+abc",
        "machine": {"cpu": "c", "cores": 2, "python": "3", "numpy": "2"},
        "seconds": 5.0,
        "rows": [row("retrieve.ease.v1", 0.49, True), row("retrieve.popular.v1", 0.25, False)],
        "others": [],
    }
    (tmp_path / "ml100k-ms.json").write_bytes(orjson.dumps(report))
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    return tmp_path


def test_the_claim_is_the_chosen_row_beside_goal_and_popularity(results: Path) -> None:
    lines = table.summary("en").splitlines()
    first = "| MovieLens 100K, per-item 75/25 | ndcg@10 | **.4900 [.4800, .5000]** | ≥ 0.484 ✓ | BiVAE .4751 | .2500 |"
    assert lines[2] == first
    assert len(lines) == 4
    page = table.page()
    assert "| **retrieve.ease.v1** | **.4900 [.4800, .5000]**" in page
    assert "Version 0.1.0+abc; c, 2 cores" in page


def test_a_speed_report_of_any_columns_becomes_tables(results: Path) -> None:
    report = {
        "about": "side by side",
        "rows": [{"model": "EASE", "seconds": 1.25}, {"model": "iALS", "rows_per_s": 250_000}],
        "http": {"p50_ms": 2.5, "lists": {"n": 5_000}},
        "command": "python -m benchmarks.training_speed",
        "version": "0.1.0",
        "machine": {"cpu": "c", "cores": 2, "python": "3", "numpy": "2"},
    }
    (results / "training-speed.json").write_bytes(orjson.dumps(report))
    page = table.page()
    assert "## Training speed" in page
    assert "| model | seconds | rows_per_s |" in page
    assert "| EASE | 1.25 |  |" in page
    assert "| iALS |  | 250,000 |" in page
    assert "| http | p50_ms 2.5, lists: (n 5,000) |" in page


def test_a_missed_goal_is_shown_as_missed() -> None:
    assert not Goal("ndcg@10", 0.5).met_by(0.49)
    assert Goal("rmse", 0.92).met_by(0.91)
    assert not Goal("rmse", 0.92).met_by(0.93)
    assert table._goal(Goal("rmse", 0.92), 0.93) == "≤ 0.92 ✗"


def test_figures_without_interval_or_value() -> None:
    assert table.figure({"value": None, "low": None, "high": None}) == "–"
    assert table.figure({"value": 1.25, "low": 0.5, "high": 2.0}) == "1.2500 [.5000, 2.0000]"


def test_a_page_without_markers_is_refused() -> None:
    assert table.with_block(f"a\n{table.BEGIN}\nold\n{table.END}\nb", "new\n") == (
        f"a\n{table.BEGIN}\nnew\n{table.END}\nb"
    )
    with pytest.raises(ValueError, match="has no"):
        table.with_block("nothing", "new")


def test_every_quality_run_is_a_command_that_exists() -> None:
    for one in QUALITY:
        assert one.protocol in protocols.NAMES
        command = run.quality_command(one, Path("data"), minutes=None, seed=1)
        assert command[:3] == ["storewise", "benchmark", one.protocol]
        assert any("data/" in part for part in command) == (one.data is not None)


def test_an_unknown_benchmark_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.run(["ml100k"], tmp_path, minutes=1, seed=1) == 1
    assert "There is no benchmark 'ml100k'" in capsys.readouterr().err
    assert run.run(["ml100k-ms"], tmp_path, minutes=1, seed=1) == 0
    assert "skipped" in capsys.readouterr().err
