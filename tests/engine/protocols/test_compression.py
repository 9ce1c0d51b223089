"""The protocol on a tiny model and catalogue: every row is there, and float is the measure of all."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from storewise.core.errors import UnknownName
from storewise.engine.benchmark import run
from storewise.engine.protocols.inputs import Inputs
from storewise.understand.text import packaged

pytest.importorskip("onnxruntime", reason="needs the extra language")
COLOURS, THINGS = ("red", "a", "6"), ("cup", "mug", "chair", "garden")


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    rows = [{"id": f"{c}-{t}", "title": f"{c} {t}"} for c in COLOURS for t in THINGS]
    (tmp_path / "c.jsonl").write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    judged = ["query,docid,rating"] + [f"{t},{c}-{t},3" for t in THINGS for c in COLOURS]
    (tmp_path / "j.csv").write_text("\n".join(judged))
    return Inputs(catalogue=tmp_path / "c.jsonl", judgements=tmp_path / "j.csv")


def test_every_way_is_measured_beside_float(
    inputs: Inputs, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = packaged.Packaged("minilm", "tiny", "nothing", "", packaged._read_folder)
    monkeypatch.setattr(packaged.Packaged, "installed", lambda self: tiny_bert)
    monkeypatch.setitem(packaged.PACKAGED, "minilm", tiny)
    report = run("compression", inputs, minutes=1, seed=1)
    rows = {row["model"]: row for row in report["rows"]}
    assert [row["model"] for row in report["rows"] if row["selected"]] == ["int8"]
    assert {
        "float32",
        "int8",
        "int8, words of the shop",
        "static student",
        "distilled, 1 layer, int8",
    } <= set(rows)
    exact = rows["float32"]["metrics"]
    assert exact["kept"] == exact["speed"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    int8 = rows["int8"]["metrics"]
    assert int8["kept"]["value"] == pytest.approx(int8["ndcg@10"]["value"] / exact["ndcg@10"]["value"])
    assert int8["model_mb"]["value"] < exact["model_mb"]["value"]
    assert rows["static student"]["metrics"]["speed"]["value"] > 0


def test_a_model_that_is_not_here_is_named(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="no pretrained encoder 'bert'"):
        run("compression", inputs, models=["bert"], minutes=1)
    monkeypatch.setattr(packaged.Packaged, "installed", lambda self: None)
    with pytest.raises(UnknownName, match="are not installed"):
        run("compression", inputs, minutes=1)
