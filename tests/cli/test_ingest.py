"""The command line: what it prints, what it leaves, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from storewise.cli import COMMANDS, main

PRODUCTS = "product_id,title\ncup,Red cup\n"
EVENTS = "at,product_id,kind\n2011-05-01,cup,view\nnever,cup,view\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command in a folder of its own: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "p.csv").write_text(PRODUCTS)
    (tmp_path / "e.csv").write_text(EVENTS)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out = capsys.readouterr()
        return int(ended.value.code or 0), out.out, out.err

    return call


def test_ingest_prints_every_outcome_and_where_the_rejects_are(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("ingest", "--products", "p.csv", "--events", "e.csv")
    assert code == 0
    assert "at cannot be read as a time" in out
    assert "Stored 1 products, 1 events in shop" in out
    assert "storewise rejects --shop shop --ingest 1" in out
    code, out, _ = run("rejects")
    assert code == 0
    assert "at 'never' cannot be read as a time" in out
    code, out, _ = run("rejects", "--csv", "all.csv")
    assert Path("all.csv").read_text().count("\n") == 2


def test_a_dry_run_makes_no_folder(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("ingest", "--products", "p.csv", "--events", "e.csv", "--dry-run")
    assert code == 0
    assert "Dry run: would store 1 products, 1 events. Nothing was changed." in out
    assert not Path("shop").exists()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda: Path("e.csv").write_text(""), "e.csv is empty (0 bytes)"),
        (lambda: Path("e.csv").write_text("at,product_id,kind\n"), "e.csv has no rows"),
        (lambda: Path("e.csv").write_text("at,kind\n2011-01-01,view\n"), "lack the column product_id"),
        (lambda: Path("e.csv").write_bytes(EVENTS.replace("never", "m\u00e4rz").encode("latin-1")), "is not UTF-8"),
        (lambda: (Path("e.csv").unlink(), Path("e.csv").mkdir()), "e.csv is a directory"),
        (lambda: Path("e.csv").unlink(), "There is no file e.csv"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_ends_with_two_and_no_traceback(run, prepare, words: str) -> None:  # type: ignore[no-untyped-def]
    prepare()
    code, out, err = run("ingest", "--products", "p.csv", "--events", "e.csv")
    assert code == 2
    assert words in err
    assert "Traceback" not in out + err
    assert not Path("shop").exists()


def test_a_parquet_of_no_bytes_or_no_parquet_is_named(run) -> None:  # type: ignore[no-untyped-def]
    Path("e.parquet").touch()
    assert "e.parquet is empty (0 bytes)" in run("ingest", "--events", "e.parquet")[2]
    Path("e.parquet").write_text("not parquet")
    code, _, err = run("ingest", "--events", "e.parquet")
    assert code == 2
    assert "is not a Parquet file" in err


def test_errors_of_use_and_of_state_end_apart(run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("ingest")
    assert code == 2
    assert "Nothing was named to ingest." in err
    code, _, err = run("rejects", "--shop", "nowhere")
    assert code == 1
    assert "There is no shop in nowhere." in err
    assert run("ingest", "--source", "onlin-retail")[0] == 2
    assert run("ingets")[0] == 2


def test_every_command_can_be_imported_and_helps(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("--help")
    assert code == 0
    for name in COMMANDS:
        assert name in out
        assert run(name, "--help")[0] == 0


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys\nfrom storewise.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'polars', 'numpy', 'sqlalchemy', 'scipy', 'fastapi', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_tables_that_only_a_source_knows_are_reported_last(capsys: pytest.CaptureFixture[str]) -> None:
    from storewise.cli.ingest import _show
    from storewise.data.schema import REJECTS_SCHEMA, Report
    from storewise.engine.ingest import IngestResult

    report = Report()
    report.add("promotions", "set aside", "no table of the contract", 7)
    report.add("stock", "kept", "as given", 2)
    report.add("products", "kept", "as given", 1)
    _show(IngestResult(None, report, pl.DataFrame(schema=REJECTS_SCHEMA), {"products": 1}, 0.1), Path("shop"))
    out = capsys.readouterr().out
    assert out.index("products") < out.index("stock") < out.index("promotions")
