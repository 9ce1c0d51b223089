"""How fast lists are served: 100,000 products, 100,000 customers, Zipf popularity, generated with a seed.

    .venv/bin/python benchmarks/serving.py --json benchmarks/results/serving.json

Three figures: the list in this process, the list over HTTP with keep-alive from one server process while
events arrive, and how long an event takes to be acknowledged. Everything goes the real way: store, training,
artifacts, publishing, serving.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from storewise.core.progress import Bars, Progress, step
from storewise.core.rng import spawn
from storewise.data.privacy import Pseudonyms
from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.stores import Store
from storewise.engine.pipeline import Pipeline, Use
from storewise.engine.provenance import machine, version
from storewise.engine.publish import publish
from storewise.engine.recommend import Ask
from storewise.engine.registry import registry
from storewise.engine.serving.service import Service, load_manifest
from storewise.engine.stages import RankConfig
from storewise.engine.train import train

END = datetime(2024, 12, 31, tzinfo=UTC)


def shop_tables(products: int, customers: int, purchases: int, seed: int) -> ShopTables:
    """Products in 200 categories; a customer buys from a few of them, the popular products more often."""
    rng = spawn(seed, "benchmark", "shop")
    category = rng.integers(0, 200, products)
    order = np.argsort(category, kind="stable")
    first = np.searchsorted(category[order], np.arange(201))
    who = rng.integers(0, customers, purchases)
    taste = (who[:, None] * 7919 + np.arange(4) * 104_729) % 200
    shelf = taste[np.arange(purchases), rng.integers(0, 4, purchases)]
    size = np.maximum(first[shelf + 1] - first[shelf], 1)
    what = order[first[shelf] + np.minimum(rng.zipf(1.3, purchases) - 1, 2**40) % size]
    at = (
        END
        - timedelta(days=1)
        - pl.Series(rng.integers(0, 365 * 86_400, purchases)).cast(pl.Duration("us")) * 1_000_000
    )
    catalogue = pl.DataFrame(
        {
            "product_id": [f"P{i:06d}" for i in range(products)],
            "title": [f"Product {i} of category {c}" for i, c in enumerate(category.tolist())],
            "category": [f"category {c}" for c in category.tolist()],
            "price_minor": rng.integers(100, 20_000, products),
            "currency": ["CNY"] * products,
        }
    )
    events = pl.DataFrame(
        {
            "at": at,
            "customer_id": pl.Series(who).cast(pl.String),
            "product_id": pl.Series(catalogue["product_id"].to_numpy()[what]),
            "kind": ["purchase"] * purchases,
        }
    )
    return ShopTables(PRODUCTS.conform(catalogue), EVENTS.conform(events).sort("at"))


def build(folder: Path, args: argparse.Namespace, pipeline: Pipeline, progress: Progress) -> None:
    """Ingest, train and publish."""
    with step(progress, "generating the shop"):
        tables = shop_tables(args.products, args.customers, args.purchases, args.seed)
    with Store.open(folder) as store:
        with step(progress, "ingesting"):
            store.ingest(Pseudonyms.of(folder, create=True).tables(tables), "generated")
        train(store, pipeline, registry=registry(), seed=args.seed, progress=progress, code_version=version())
        with step(progress, "publishing"):
            publish(
                folder, None, load=lambda manifest: load_manifest(store, manifest, registry()), force=True
            )


def in_process(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Lists of 12 for random customers, one after the other."""
    service = Service.open(folder, clock=None)
    service.load_once()
    rng = spawn(args.seed, "benchmark", "customers")
    asks = [Ask(service.shoppers.customer(str(c)), n=12) for c in rng.integers(0, args.customers, args.lists)]
    for ask in asks[:200]:
        service.recommend(ask)
    times, full = [], 0
    busy_from = time.thread_time()
    for ask in asks:
        started = time.perf_counter()
        answer = service.recommend(ask)
        times.append(time.perf_counter() - started)
        full += answer.step == "full" and len(answer.items) == 12
    service.close()
    if full < len(asks):
        raise SystemExit(f"only {full} of {len(asks)} lists were full: the shop is not as it should be")
    cpu = time.thread_time() - busy_from
    return {
        **quantiles(times),
        "cpu_ms": round(cpu / len(asks) * 1e3, 3),
        "per_second": round(len(asks) / sum(times)),
    }


def over_http(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Keep-alive connections that each ask again as soon as they have their answer, and events beside them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "storewise",
        "serve",
        "--shop",
        str(folder),
        "--port",
        str(port),
        "--clock",
        "data",
    ]
    server = subprocess.Popen(command)
    try:
        _wait(port, server)
        return asyncio.run(_load(port, args))
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    while True:
        if server.poll() is not None:
            raise SystemExit("the server ended early")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.2)


async def _load(port: int, args: argparse.Namespace) -> dict[str, Any]:
    rng = spawn(args.seed, "benchmark", "requests")
    await _run(port, args, rng, seconds=2.0)  # warm
    return await _run(port, args, rng, seconds=args.seconds)


async def _run(
    port: int, args: argparse.Namespace, rng: np.random.Generator, seconds: float
) -> dict[str, Any]:
    until = time.perf_counter() + seconds
    lists: list[float] = []
    events: list[float] = []
    customers = iter(rng.integers(0, args.customers, 1_000_000).tolist())

    async def shopper() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            path = f"/v1/recommendations?customer={next(customers)}&n=12"
            started = time.perf_counter()
            await _ask(reader, writer, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            lists.append(time.perf_counter() - started)
        writer.close()

    async def sender(index: int, senders: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        pause = senders / args.events
        due = time.perf_counter() + pause * index / senders
        while due < until:
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            product, customer = f"P{int(rng.integers(0, args.products)):06d}", str(next(customers))
            body = orjson.dumps({"kind": "view", "product_id": product, "customer": customer})
            head = f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            started = time.perf_counter()
            await _ask(reader, writer, head.encode() + body)
            events.append(time.perf_counter() - started)
            due += pause
        writer.close()

    senders = 8
    began = time.perf_counter()
    await asyncio.gather(
        *(shopper() for _ in range(args.connections)), *(sender(i, senders) for i in range(senders))
    )
    spent = time.perf_counter() - began
    return {
        "lists": {**quantiles(lists), "per_second": round(len(lists) / spent)},
        "events": {**quantiles(events), "per_second": round(len(events) / spent)},
    }


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise SystemExit(f"the server answered {head.decode()}")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    p50, p99, worst = np.percentile(np.array(seconds) * 1e3, [50, 99, 100]).round(3).tolist()
    return {"n": len(seconds), "p50_ms": p50, "p99_ms": p99, "max_ms": worst}


def options(about: str | None, **defaults: int | float) -> argparse.ArgumentParser:
    """What every benchmark of a generated shop asks for: its size, the load, where it is kept and written to."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        about_it = "events a second" if name == "events" else None
        parser.add_argument(f"--{name}", type=type(default), default=default, help=about_it)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shop", type=Path, help="keep the shop here and use it again")
    parser.add_argument("--json", type=Path)
    return parser


def write(report: dict[str, Any], file: Path | None) -> None:
    """Print the report, and keep it in ``file``."""
    text = orjson.dumps(report, option=orjson.OPT_INDENT_2).decode()
    print(text)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = options(
        __doc__, products=100_000, customers=100_000, purchases=1_500_000, lists=5_000, seconds=20.0,
        connections=2, events=100.0,
    )  # fmt: skip
    parser.add_argument("--retriever", default="retrieve.item_knn.v1", help="the component, or 'auto'")
    parser.add_argument("--minutes", type=float, default=5.0, help="time for 'auto'")
    args = parser.parse_args()
    fixed = None if args.retriever == "auto" else Use(use=args.retriever)
    # Retrieving alone; what a ranker adds is measured by second_stage.py.
    pipeline = Pipeline(name="home", retriever=fixed, rank=RankConfig(use="never"))
    pipeline = pipeline.model_copy(
        update={"selection": pipeline.selection.model_copy(update={"minutes": args.minutes})}
    )
    progress = Bars()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.shop or Path(scratch) / "shop"
        if not (folder / "current").exists():
            build(folder, args, pipeline, progress)
        # Figures in milliseconds mean little while other processes want the same cores: say so.
        busy = os.getloadavg()[0]
        with step(progress, "lists in this process"):
            inside = in_process(folder, args)
        with step(progress, "lists over HTTP"):
            outside = over_http(folder, args)
    data = {name: getattr(args, name) for name in ("products", "customers", "purchases", "seed", "retriever")}
    report = {
        "benchmark": "serving",
        "about": f"Lists of 12 from a generated shop of {args.products:,} products and {args.customers:,} customers, one "
        f"server process. Load of the machine when it began: {busy:.1f}.",
        "command": shlex.join(["python", "-m", "benchmarks.serving", *sys.argv[1:]]),
        "version": version(),
        "machine": machine(),
        "data": data,
        "load_of_others": round(busy, 2),
        "rows": [
            {"what": "list, in process", **inside, "goal": "p50 ≤ 1 ms, p99 ≤ 5 ms"},
            {"what": f"list, HTTP, {args.connections} connections", **outside["lists"],
             "goal": "p50 ≤ 4 ms, p99 ≤ 15 ms, ≥ 400/s"},
            {"what": "event acknowledged", **outside["events"], "goal": f"{args.events:g}/s meanwhile"},
        ],
    }  # fmt: skip
    write(report, args.json)


if __name__ == "__main__":
    main()
