"""The pointer: whatever is killed whenever, one whole snapshot serves."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storewise.core.clock import fixed_clock
from storewise.core.errors import ArtifactError, NothingPublished, UnknownName
from storewise.engine.published import (
    POINTER,
    SNAPSHOTS,
    point_to,
    read_pointer,
    read_snapshot,
    snapshots,
    write_snapshot,
)

CLOCK = fixed_clock(datetime(2024, 1, 1, tzinfo=UTC))


def make(root: Path, seed: int) -> str:
    return write_snapshot(
        root, {"name": "home"}, {"retriever": "r"}, {"watermark": 86_400.0, "seed": seed}
    ).id


def test_publishing_keeps_the_history(tmp_path: Path) -> None:
    one, two, three = (make(tmp_path, seed) for seed in range(3))
    assert one.startswith("home-19700102T000000-")
    for name in (one, two, three):
        pointer = point_to(tmp_path, name, clock=CLOCK)
    assert (pointer.serving, pointer.history) == (three, (two, one))
    assert read_pointer(tmp_path) == pointer
    assert point_to(tmp_path, three, clock=CLOCK) == pointer  # again: nothing changes


def test_the_same_content_has_the_same_name(tmp_path: Path) -> None:
    assert make(tmp_path, 1) == make(tmp_path, 1)
    assert make(tmp_path, 1) != make(tmp_path, 2)
    assert len(snapshots(tmp_path)) == 2


def test_an_altered_snapshot_is_refused(tmp_path: Path) -> None:
    name = make(tmp_path, 1)
    pointer = point_to(tmp_path, name)
    file = tmp_path / SNAPSHOTS / f"{name}.json"
    file.write_text(file.read_text().replace('"seed": 1', '"seed": 7'))
    with pytest.raises(ArtifactError, match="altered"):
        read_snapshot(tmp_path, name, sha256=pointer.sha256)


@pytest.mark.parametrize("name", ["nothing", "../current", "a/b"])
def test_an_unknown_snapshot_is_named(tmp_path: Path, name: str) -> None:
    known = make(tmp_path, 1)
    with pytest.raises(UnknownName, match=known):
        point_to(tmp_path, name)


def test_without_a_pointer_nothing_is_published(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished):
        read_pointer(tmp_path)
    (tmp_path / POINTER).write_text("{")
    with pytest.raises(ArtifactError):
        read_pointer(tmp_path)


KILLER = """
import os, sys
from pathlib import Path
from storewise.engine import published
root, name, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
count = 0
def deadly(real):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == step:
            os.kill(os.getpid(), 9)
        return real(*args, **kwargs)
    return call
# Every system call that changes the disk on the way of publishing may be the last one.
for call in ("fsync", "replace", "open"):
    setattr(os, call, deadly(getattr(os, call)))
published.point_to(root, name)
print(count)
"""


def test_a_process_killed_at_any_step_leaves_the_old_or_the_new_one(tmp_path: Path) -> None:
    old, new = make(tmp_path, 1), make(tmp_path, 2)
    killed = 0
    for step in range(1, 20):
        (tmp_path / POINTER).unlink(missing_ok=True)
        before = point_to(tmp_path, old)
        done = subprocess.run(
            [sys.executable, "-c", KILLER, str(tmp_path), new, str(step)], capture_output=True, text=True
        )
        found = read_pointer(tmp_path)
        if done.returncode == 0:
            assert found.serving == new
            break
        assert done.returncode == -9, done.stderr
        killed += 1
        assert found == before or (found.serving, found.history) == (new, (old,))
        if killed == 1:
            assert found == before  # nothing can have changed before the first step
    assert killed == 4  # sync the file, rename, open the folder, sync it
    assert done.stdout.strip() == "4"


def test_a_reader_never_meets_a_mixture(tmp_path: Path) -> None:
    one, two = make(tmp_path, 1), make(tmp_path, 2)
    point_to(tmp_path, one)
    flipper = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from storewise.engine.published import point_to\n"
            "for i in range(200): point_to(Path(sys.argv[1]), sys.argv[2 + i % 2])",
            str(tmp_path), two, one,
        ]
    )  # fmt: skip
    seen = set()
    while flipper.poll() is None:
        pointer = read_pointer(tmp_path)
        read_snapshot(tmp_path, pointer.serving, sha256=pointer.sha256)
        seen.add(pointer.serving)
    assert flipper.returncode == 0
    assert seen == {one, two}
