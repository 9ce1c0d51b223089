"""Speed of taking a shop in and reading it back, on Online Retail II (embedded).

    python benchmarks/ingest.py --json build/ingest.json

Each step is timed by the wall clock and by the processor time of this process: on a machine that is busy
with other things only the second is comparable. ``rows_per_s`` counts the lines of the source, kept or not.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from storewise.data.shop import dataset
from storewise.data.stores import Store
from storewise.engine.ingest import IngestRequest, ingest
from storewise.engine.provenance import machine, version

Row = dict[str, Any]


def timed(name: str, action: Callable[[], int]) -> Row:
    """Run once; the action returns how many rows it handled."""
    wall, processor = time.perf_counter(), time.process_time()
    rows = action()
    seconds, busy = time.perf_counter() - wall, time.process_time() - processor
    return {
        "step": name,
        "rows": rows,
        "seconds": round(seconds, 4),
        "processor_seconds": round(busy, 4),
        "rows_per_s": round(rows / seconds),
    }


def measure(folder: Path, appends: int) -> list[Row]:
    """All steps on a new shop in ``folder``."""
    rows: list[Row] = []

    def take(shop: Path) -> Callable[[], int]:
        def run() -> int:
            return ingest(IngestRequest(shop=shop, source="online-retail")).report.total("events")

        return run

    def export() -> int:
        events = store.events().cast({"kind": str})
        events.write_csv(folder / "events.csv")
        store.products().write_csv(folder / "products.csv")
        return events.height

    def take_csv() -> int:
        files = {name: folder / f"{name}.csv" for name in ("products", "events")}
        return ingest(IngestRequest(shop=folder / "csv", files=files)).report.total("events")

    def append_one_by_one() -> int:
        start = datetime(2012, 1, 1, tzinfo=UTC)
        for number in range(appends):
            at = start + timedelta(seconds=number)
            store.append_events(
                [{"event_id": f"live-{number}", "at": at, "product_id": product, "kind": "view"}]
            )
        return appends

    rows.append(timed("ingest online-retail", take(folder / "shop")))
    rows.append(timed("ingest it again (all known)", take(folder / "shop")))
    with Store.open(folder / "shop") as store:
        product = str(store.products()["product_id"][0])
        rows.append(timed("read all events", lambda: store.events().height))
        rows.append(timed("dataset", lambda: len(dataset(store).interactions)))
        rows.append(timed("append live events, each durable", append_one_by_one))
        export()
    rows.append(timed("ingest as CSV through validation", take_csv))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--appends", type=int, default=200, help="live events to append one by one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = measure(Path(scratch), options.appends)
    result = {
        "benchmark": "ingest",
        "command": shlex.join(["python", "-m", "benchmarks.ingest", *sys.argv[1:]]),
        "version": version(),
        "machine": machine(),
        "rows": rows,
        "memory": {"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)},
    }
    text = orjson.dumps(result, option=orjson.OPT_INDENT_2).decode()
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
