"""Rules of the house that a tool does not check by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "storewise"
FILES = sorted(SOURCE.rglob("*.py"))


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 20


def test_importing_storewise_loads_nothing_heavy() -> None:
    script = "import storewise, sys; print([m for m in ('torch', 'fastapi', 'polars', 'sqlalchemy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


@pytest.mark.parametrize(
    "forbidden", ["pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"]
)
def test_no_pickle_anywhere(forbidden: str) -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert forbidden not in {name.split(".")[0] for name in names}, path


def test_numpy_never_unpickles() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "allow_pickle=True" not in text, path


def test_no_room_without_a_name() -> None:
    vague = {"utils", "common", "helpers", "manager", "misc", "util"}
    assert [p for p in FILES if p.stem in vague or p.parent.name in vague] == []


def test_init_files_hold_reexports_and_tables_only() -> None:
    for path in SOURCE.rglob("__init__.py"):
        if path.parent.name == "cli":
            continue  # the program's own entry point
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [n for n in tree.body if isinstance(n, ast.ClassDef)], path


def test_every_module_says_what_it_is() -> None:
    silent = [p for p in FILES if p.stat().st_size and not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert silent == []


def test_column_names_of_other_sources_stay_at_the_border() -> None:
    """Only loaders know what a foreign table calls its columns."""
    for path in FILES:
        if "sources" not in path.parts:
            assert "StockCode" not in path.read_text(encoding="utf-8"), path
