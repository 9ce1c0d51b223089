"""The examples of docs/data.md, run as a reader would."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from storewise.cli import main
from storewise.data.schema import EVENTS, TABLES
from storewise.data.validate import Rules, validate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL))
BLOCKS = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
CELLS = re.findall(r"^\| `(\w+)` \| (`.*?`|\(empty\)) \| (.*?) \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS)
def test_commands_print_what_the_page_says(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    for name, content in FILES.items():
        Path(name).write_text(content, encoding="utf-8")
    for part in block.split("$ ")[1:]:
        command, *wanted = part.strip().splitlines()
        with pytest.raises(SystemExit):
            main(shlex.split(command)[1:])
        shown = capsys.readouterr()
        for line in wanted:
            assert line in shown.out + shown.err


@pytest.mark.parametrize(("column", "cell", "reason"), CELLS)
def test_bad_cells_give_the_reasons_of_the_page(column: str, cell: str, reason: str) -> None:
    row = {
        "at": "2011-05-01", "product_id": "cup", "kind": "view", "quantity": "1", "unit_price": "2.50",
        "currency": "GBP", "propensity": "0.5",
    }  # fmt: skip
    row[column] = "" if cell == "(empty)" else cell.strip("`")
    rules = Rules(datetime(2026, 1, 1, tzinfo=UTC), products=pl.Series(["cup"]), currency="GBP")
    [found] = validate(pl.DataFrame([row]), EVENTS, rules).rejects["reason"].to_list()
    assert found.startswith(reason)


def test_the_page_lists_every_column_of_the_contract() -> None:
    for table in TABLES.values():
        [line] = re.findall(rf"^\| `{table.name}` \| (.*) \|$", TEXT, re.MULTILINE)
        for column in table.columns:
            name = f"**{column.name}**" if column.required else column.name
            assert re.search(rf"(^|\s){re.escape(name)}(,|$|\s)", line), name


def test_the_page_has_examples_at_all() -> None:
    assert len(FILES) == 5
    assert len(BLOCKS) == 3
    assert len(CELLS) == 12
