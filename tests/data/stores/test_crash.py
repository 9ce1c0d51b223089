"""A process that dies anywhere during a write leaves the store as it was."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from storewise.core.errors import StoreError
from storewise.data.schema import EVENTS, PRODUCTS, REJECTS_SCHEMA, Report, ShopTables
from storewise.data.stores import Store

CHILD = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
sys.path.insert(0, {tests!r})
from test_crash import tables
from storewise.data.stores import Store

folder, moment, act = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store = Store.open(folder)

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if moment == "half a file":
    os.fsync = die
elif moment == "before the rename":
    os.replace = die
elif moment == "after the rename":
    real = os.replace
    os.replace = lambda *names: (real(*names), die())
elif moment == "before the commit":
    sa.event.listen(store._engine, "commit", die)
else:
    left = [int(moment)]
    def count(*_):
        left[0] -= 1
        if left[0] == 0:
            die()
    sa.event.listen(store._engine, "before_cursor_execute", count)
if act == "ingest":
    store.ingest(tables("new", 8), "second")
else:
    store.append_events(tables("new", 8).events)
print("finished")
"""


def tables(prefix: str, n: int) -> ShopTables:
    rows = [
        {
            "event_id": f"{prefix}{i}",
            "at": datetime(2011, 1, 1 + i, tzinfo=UTC),
            "product_id": "p",
            "kind": "view",
        }
        for i in range(n)
    ]
    report = Report()
    report.add("events", "kept", "as given", n)
    rejects = pl.DataFrame([("events", 1, prefix, "{}")], schema=REJECTS_SCHEMA, orient="row")
    products = PRODUCTS.conform(pl.DataFrame({"product_id": ["p"], "title": [prefix]}))
    events = EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.schema()))
    return ShopTables(products, events, rejects=rejects, report=report)


def state(folder: Path) -> list[object]:
    with Store.open(folder) as store:
        frames = (store.events(), store.products(), store.reports(), store.rejects(), store.ingests())
        return [*(frame.rows() for frame in frames), store.revision()]


def run(folder: Path, moment: str, act: str) -> subprocess.CompletedProcess[str]:
    child = CHILD.format(tests=str(Path(__file__).parent))
    return subprocess.run(
        [sys.executable, "-c", child, str(folder), moment, act], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "moment",
    ["half a file", "before the rename", "after the rename", "2", "8", "before the commit"],
)
def test_a_killed_ingest_changes_nothing_and_the_next_one_cleans_up(tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "shop"
    with Store.open(folder) as store:
        store.ingest(tables("old", 5), "first")
        store.append_events(tables("live", 3).events)
    before = state(folder)
    killed = run(folder, moment, "ingest")
    assert killed.returncode == -9, killed.stderr
    assert state(folder) == before
    with Store.open(folder) as store:
        assert store.ingest(tables("new", 8), "again").new_events == 8
        assert store.events().height == 16
        assert store.products()["title"].to_list() == ["new"]
    assert len(list((folder / "events").iterdir())) == 2, "what the killed process left was swept away"


@pytest.mark.parametrize("moment", ["4", "before the commit"])
def test_killed_live_events_are_all_or_nothing(tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "shop"
    with Store.open(folder) as store:
        store.ingest(tables("old", 5), "first")
    before = state(folder)
    killed = run(folder, moment, "append")
    assert killed.returncode == -9, killed.stderr
    assert state(folder) == before


def test_the_same_child_finishes_when_nothing_kills_it(tmp_path: Path) -> None:
    """Otherwise the tests above could pass because the child never gets anywhere."""
    folder = tmp_path / "shop"
    done = run(folder, "1000000", "ingest")
    assert done.stdout == "finished\n", done.stderr
    done = run(folder, "1000000", "append")
    assert done.stdout == "finished\n", done.stderr
    with Store.open(folder) as store:
        assert store.events().height == 8


def test_a_failing_ingest_takes_its_file_back(tmp_path: Path) -> None:
    bad = tables("new", 3)
    wrong = bad.rejects.with_columns(pl.lit(None, pl.String).alias("reason"))
    with Store.open(tmp_path) as store:
        with pytest.raises(StoreError, match="NOT NULL"):
            store.ingest(ShopTables(bad.products, bad.events, rejects=wrong), "broken")
        assert store.events().height == 0
        assert store.products().height == 0
    assert list((tmp_path / "events").iterdir()) == []
