"""A folder is replaced whole, and an error leaves what stood there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from storewise.core.folders import written_whole


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    with written_whole(tmp_path / "in" / "model") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "in" / "model") as folder:
        (folder / "nowhere" / "a").write_text("half")
    assert (tmp_path / "in" / "model" / "a").read_text() == "old"
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["model"]


def test_a_new_folder_holds_nothing_of_the_old_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with written_whole(tmp_path / "model") as folder:
            (folder / name).write_text(name)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
