"""The attributes study on a small catalogue whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError, UnknownName
from storewise.engine.benchmark import run
from storewise.engine.protocols.attribute_truth import read_catalogue, truths
from storewise.engine.protocols.inputs import Inputs

COLOURS = ("Red", "Navy Blue", "Grey")


def catalogue(n: int = 1200) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    colour = [COLOURS[i] for i in rng.integers(0, 3, n)]
    inches = rng.integers(10, 40, n)
    spelled = {"Red": "red", "Navy Blue": "navy", "Grey": "gray"}
    return pl.DataFrame(
        {
            "name": [f"X{i}" for i in range(n)],
            "title": [
                f'{("Acme", "Zenith")[i % 2]} {spelled[c]} panel {d}" no {i}'
                for i, (c, d) in enumerate(zip(colour, inches, strict=True))
            ],
            "baseColour": colour,
            "supplier": [("Acme", "Zenith")[i % 2] for i in range(n)],
            "display_diagonal": inches.astype(float),
            "year": [2011] * n,
        }
    )


def figures(report: dict[str, Any], section: str) -> dict[str, Any]:
    found = next(s for s in (report, *report["others"]) if section in s["question"])
    return {row["model"]: row["metrics"] for row in found["rows"]}


def test_columns_are_found_and_measured(tmp_path: Path) -> None:
    catalogue().write_parquet(tmp_path / "c.parquet")
    report = run("attributes", Inputs(catalogue=tmp_path / "c.parquet"), minutes=1.0, seed=3)
    assert [s["question"] for s in report["others"]] == [
        "baseColour as colour", "supplier as brand", "display_diagonal as length",
    ]  # fmt: skip
    assert [row["model"] for row in report["rows"] if row["selected"]] == ["rules"]
    assert [row["simple"] for row in report["rows"]] == [False, True]
    for section in ("colour", "brand", "length"):
        assert figures(report, section)["rules"]["f1"]["value"] > 0.97
    colour = figures(report, "colour")["exact"]
    assert colour["precision"]["value"] == 1.0
    assert (
        0.2 < colour["recall"]["low"] < colour["recall"]["value"] < colour["recall"]["high"] < 0.5
    )  # red alone
    assert "in cm" in report["others"][2]["reason"]


def test_the_hidden_columns_are_not_read(tmp_path: Path) -> None:
    """Where titles say nothing there is nothing to find, however full the columns are."""
    mute = catalogue().with_columns(title=pl.lit("thing"))
    mute.write_csv(tmp_path / "c.csv")
    report = run("attributes", Inputs(catalogue=tmp_path / "c.csv"), minutes=1.0, seed=3)
    assert all(m["recall"]["value"] == 0 for m in figures(report, "all columns").values())


def test_the_unit_of_bare_numbers_is_learned(tmp_path: Path) -> None:
    catalogue().write_csv(tmp_path / "c.csv")
    read = read_catalogue(tmp_path / "c.csv")
    told = {t.name: t for t in truths(read, range(600))}
    ((value, unit),) = told["length"].values[0]
    assert float(value) == pytest.approx(2.54 * float(told["length"].raw[0] or "nan"))
    assert unit == "cm"


def test_json_lines_are_read_and_bad_input_is_said(tmp_path: Path) -> None:
    lines = [orjson.dumps({**row, "tags": ["a"], "flag": True}) for row in catalogue(300).to_dicts()]
    (tmp_path / "c.jsonl").write_bytes(b"\n".join(lines))
    assert len(read_catalogue(tmp_path / "c.jsonl").columns) == 3
    (tmp_path / "bad.jsonl").write_bytes(b'{"title": "a"}\nnot json')
    with pytest.raises(DataError, match="line 2 is not JSON"):
        read_catalogue(tmp_path / "bad.jsonl")
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column with titles"):
        read_catalogue(tmp_path / "no.csv")
    catalogue(50).write_csv(tmp_path / "few.csv")
    with pytest.raises(DataError, match="no column that names an attribute"):
        read_catalogue(tmp_path / "few.csv")
    with pytest.raises(ConfigError, match="needs --catalogue"):
        run("attributes", Inputs(), minutes=1.0)
    catalogue(300).write_csv(tmp_path / "c.csv")
    with pytest.raises(UnknownName, match="no extraction 'magic'"):
        run("attributes", Inputs(catalogue=tmp_path / "c.csv"), models=["magic"], minutes=1.0)
