from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from storewise.core.errors import StateError, StoreError
from storewise.engine.serving.writer import Writer


class Disk:
    """Remembers transactions; can be held up and can refuse one id."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.decisions: list[Any] = []
        self.known: set[str] = set()
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()

    def append(self, rows: Sequence[Any]) -> set[str]:
        self.entered.set()
        self.go.wait(5)
        ids = [row["event_id"] for row in rows]
        if "poison" in ids:
            raise OSError("disk")
        self.commits.append(ids)
        new = set(ids) - self.known
        self.known |= new
        return new


def row(name: str) -> dict[str, str]:
    return {"event_id": name}


def test_what_waits_during_a_commit_becomes_one_commit() -> None:
    disk = Disk()
    disk.go.clear()
    writer = Writer(append=disk.append, record=disk.decisions.extend)
    first = writer.events([row("a")])
    assert disk.entered.wait(5)
    rest = [writer.events([row(name)]) for name in "bcd"]
    disk.go.set()
    assert first.result(5) == {"a"}
    assert [future.result(5) for future in rest] == [{"b"}, {"c"}, {"d"}]
    writer.close()
    assert disk.commits == [["a"], ["b", "c", "d"]]


def test_nothing_is_acknowledged_before_its_commit() -> None:
    disk = Disk()
    disk.go.clear()
    writer = Writer(append=disk.append, record=disk.decisions.extend)
    future = writer.events([row("a")])
    with pytest.raises(TimeoutError):
        future.result(0.1)
    disk.go.set()
    assert future.result(5) == {"a"}
    writer.close()


def test_an_id_that_two_callers_send_is_new_for_one() -> None:
    disk = Disk()
    writer = Writer(append=disk.append, record=disk.decisions.extend)
    found = [writer.events([row("same")]) for _ in range(5)]
    assert sorted(len(future.result(5)) for future in found) == [0, 0, 0, 0, 1]
    writer.close()


def test_a_failing_caller_does_not_harm_the_others() -> None:
    disk = Disk()
    disk.go.clear()
    writer = Writer(append=disk.append, record=disk.decisions.extend)
    held = writer.events([row("held")])
    good, bad = writer.events([row("good")]), writer.events([row("poison")])
    disk.go.set()
    assert held.result(5) == {"held"}
    assert good.result(5) == {"good"}
    with pytest.raises(OSError, match="disk"):
        bad.result(5)
    writer.close()


def test_too_much_waiting_is_refused_and_decisions_are_dropped_and_counted() -> None:
    disk = Disk()
    disk.go.clear()
    writer = Writer(append=disk.append, record=disk.decisions.extend, events_waiting=2, decisions_waiting=3)
    writer.events([row("a")])
    with pytest.raises(StoreError, match="wait to be written"):
        writer.events([row(str(i)) for i in range(3)])
    for i in range(5):
        writer.decision(i)
    assert writer.dropped == 2
    disk.go.set()
    writer.close()
    assert disk.decisions == [0, 1, 2]
    with pytest.raises(StateError):
        writer.events([row("b")])
