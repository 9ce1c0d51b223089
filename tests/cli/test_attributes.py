"""``storewise attributes`` as it is typed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from storewise.cli import main
from storewise.understand.attributes import SCHEMA


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = 0
    try:
        main([str(a) for a in arguments])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_a_table_comes_out(
    shop: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out" / f"attributes.{ending}"
    code, out, err = run(capsys, "attributes", "--shop", shop, "--export", file)
    assert code == 0
    assert out.startswith("attributes-")
    assert "colour" in err
    assert "40 taken over" in err  # training has read them already
    table = {"csv": pl.read_csv, "parquet": pl.read_parquet, "json": pl.read_json}[ending](file)
    assert table.columns == list(SCHEMA)
    assert set(table.filter(pl.col("name") == "colour")["value"]) == {"red", "blue"}


def test_what_is_wrong_is_said(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "attributes", "--shop", shop, "--export", tmp_path / "a.xls")
    assert (code, "does not end in" in err) == (2, True)
    code, _, err = run(capsys, "attributes", "--shop", shop, "--llm", tmp_path / "none.gguf")
    assert (code, "cannot be read" in err) == (2, True)
    code, _, err = run(capsys, "attributes", "--shop", tmp_path / "nowhere")
    assert (code, "There is no shop" in err) == (1, True)
