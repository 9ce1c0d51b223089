"""The whole run on small data: the report's shape, its claim, and that it is honest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from storewise.core.errors import ConfigError, UnknownName
from storewise.engine import benchmark
from storewise.engine.benchmark import run, write
from storewise.engine.registry import component_names
from storewise.testing.walks import write_walks

KEYS = {"protocol", "data", "command", "version", "machine", "seconds", "rows"}


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    return write_walks(tmp_path / "walks.txt", 300)


@pytest.fixture
def report(sequences: Path) -> dict[str, Any]:
    return run(
        "leave-last-out",
        sequences,
        models=["popular", "item_knn"],
        minutes=0.2,
        seed=1,
        command="the command",
    )


def test_the_report_has_the_promised_shape(report: dict[str, Any], tmp_path: Path) -> None:
    assert report.keys() >= KEYS
    assert report["protocol"] == "leave-last-out"
    assert report["command"] == "the command"
    assert report["version"].startswith("0.")
    assert {"cpu", "cores", "python", "numpy"} <= report["machine"].keys()
    for row in report["rows"]:
        assert row.keys() >= {"model", "selected", "seconds", "metrics", "groups", "config"}
        for name in ("ndcg@10", "recall@10", "mrr@10", "hit@10", "coverage@10", "novelty@10", "diversity@10"):
            figure = row["metrics"][name]
            assert figure["low"] <= figure["value"] <= figure["high"], name
        assert set(row["groups"]) >= {"unmasked", "cold"}
    write(report, tmp_path / "deep" / "report.json")
    assert orjson.loads((tmp_path / "deep" / "report.json").read_bytes())["rows"] == report["rows"]


def test_one_row_is_the_claim_and_popularity_stands_beside_it(report: dict[str, Any]) -> None:
    assert [row["selected"] for row in report["rows"]] == [True] + [False] * (len(report["rows"]) - 1)
    rows = {row["model"]: row for row in report["rows"]}
    assert set(rows) == {"retrieve.popular.v1", "retrieve.item_knn.v1"}
    assert report["rows"][0]["model"] == "retrieve.item_knn.v1"
    knn, popular = (rows[f"retrieve.{name}.v1"]["metrics"]["ndcg@10"] for name in ("item_knn", "popular"))
    assert knn["low"] > popular["high"]
    gain = rows["retrieve.item_knn.v1"]["above_popular"]["ndcg@10"]
    assert gain["value"] == pytest.approx(knn["value"] - popular["value"])
    assert 0 < gain["low"] < gain["high"]
    assert rows["retrieve.popular.v1"]["above_popular"]["ndcg@10"]["value"] == 0


def test_popularity_is_there_even_when_not_asked_for(sequences: Path) -> None:
    found = run("leave-last-out", sequences, models=["item_knn"], minutes=0.1, seed=1)
    assert "retrieve.popular.v1" in [row["model"] for row in found["rows"]]
    assert sum(row["selected"] for row in found["rows"]) == 1


def test_choosing_never_sees_the_test(sequences: Path, tmp_path: Path) -> None:
    """Other last products change the figures, not the choice nor its validation value."""
    rng = np.random.default_rng(5)
    spoilt = tmp_path / "spoilt.txt"
    lines = [line.split() for line in sequences.read_text().splitlines()]
    names = sorted({name for line in lines for name in line[1:]})
    spoilt.write_text("\n".join(" ".join([*line[:-1], str(rng.choice(names))]) for line in lines))

    def row(file: Path) -> dict[str, Any]:
        found = run("leave-last-out", file, models=["popular"], minutes=5, seed=1)
        return dict(found["rows"][0])

    before, after = row(sequences), row(spoilt)
    assert (before["config"], before["trials"]) == (after["config"], after["trials"])
    assert before["validation"] == pytest.approx(after["validation"], abs=1e-12)
    assert before["metrics"]["ndcg@10"] != after["metrics"]["ndcg@10"]


def test_models_by_full_or_short_name() -> None:
    both = component_names(["ease", "retrieve.ease.v1", "popular"], "retrieve")
    assert both == ["retrieve.ease.v1", "retrieve.popular.v1"]
    with pytest.raises(UnknownName, match="oracle"):
        component_names(["oracle"], "retrieve")


def test_a_budget_has_to_be_positive(sequences: Path) -> None:
    with pytest.raises(ConfigError, match="0 minutes"):
        run("leave-last-out", sequences, minutes=0)


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    write({"a": 1}, file)
    with pytest.raises(TypeError):
        benchmark.write({"a": object()}, file)
    assert orjson.loads(file.read_bytes()) == {"a": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lists", "--data", "{}"], "holds no train.txt"),
        (["lists", "--data", "{}/nowhere"], "nothing at"),
        (["lists"], "--data PATH"),
        (["list"], "Did you mean lists"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, arguments: list[str], message: str) -> None:
    given = [argument.format(tmp_path) for argument in arguments]
    command = [sys.executable, "-m", "storewise", "benchmark", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_writes_the_report(sequences: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    command = [sys.executable, "-m", "storewise", "benchmark", "leave-last-out", "--data", str(sequences)]
    command += ["--models", "popular,item_knn", "--minutes", "0.1", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = orjson.loads(file.read_bytes())
    assert found["command"].startswith("storewise benchmark leave-last-out")
    assert "retrieve.item_knn.v1" in done.stdout


def test_the_same_rows_asked_otherwise_are_sections(report: dict[str, Any]) -> None:
    """Unmasked beside the claim; no section of differences where the selected row is the best single one."""
    sections = {part["question"]: part for part in report["others"]}
    assert list(sections) == ["next product, unmasked"]
    rows = {row["model"]: row for row in sections["next product, unmasked"]["rows"]}
    for row in report["rows"]:
        assert rows[row["model"]]["metrics"] == row["groups"]["unmasked"]["metrics"]
        assert rows[row["model"]]["selected"] == row["selected"]
    told = next(row for row in report["rows"] if row["selected"])["above_best_single"]
    assert told["model"] == "retrieve.item_knn.v1"
    assert told["metrics"]["ndcg@10"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_best_single_retriever_is_validations_choice() -> None:
    """The difference is the mean of the pairs, and the retriever to beat is not chosen by the test."""
    from storewise.engine import beside
    from storewise.engine.measure import Answers
    from storewise.recommend.choose.select import Selection
    from storewise.recommend.choose.tune import Choice
    from storewise.recommend.retrieve.popular import PopularConfig

    def answers(*values: float) -> list[Answers]:
        column = np.array(values)[:, None]
        return [Answers(("ndcg",), np.zeros((3, 10), np.int32), column, np.arange(3, dtype=np.int32), 20)]

    names = {"retrieve.fusion.v1": 0.9, "retrieve.a.v1": 0.8, "retrieve.b.v1": 0.7}
    choices = tuple(Choice(name, PopularConfig(), value, 1, 0.0) for name, value in names.items())
    found = dict(zip(names, (answers(1, 1, 0), answers(0, 1, 0), answers(1, 1, 1)), strict=True))
    rows = [{"model": name, "selected": name == "retrieve.fusion.v1", "seconds": 1.0} for name in names]
    selection = Selection(choices, "retrieve.fusion.v1", "")
    beside.above_best_single(rows, found, selection, lambda a, b, place: benchmark._gain(a, b, 0, place))
    told = rows[0]["above_best_single"]
    assert told["model"] == "retrieve.a.v1"
    assert told["metrics"]["ndcg@10"]["value"] == pytest.approx(1 / 3)
    section = beside.sections({"question": "q", "rows": rows}, [])[0]
    assert section["question"] == "q, above the best single retriever"
    assert section["rows"][0]["metrics"] == told["metrics"]
    assert [row["selected"] for row in section["rows"]] == [True]
