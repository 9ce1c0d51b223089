"""What a second stage costs: 500 candidates ranked in this process, and ranked lists over HTTP.

    .venv/bin/python -m benchmarks.second_stage --json benchmarks/results/second-stage.json

A generated shop goes the real way: store, training with replayed moments, artifacts, publishing, serving. Times are by
the wall and by the processor: a machine that others use makes the first long, not the second.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving import build, options, over_http, quantiles, write
from storewise.core.progress import Bars, step
from storewise.core.rng import spawn
from storewise.data.interactions import Histories
from storewise.engine.pipeline import Pipeline, Use
from storewise.engine.provenance import machine, version
from storewise.engine.recommend import Ask
from storewise.engine.serving.service import Service
from storewise.engine.stages import RankConfig
from storewise.recommend.rank.candidates import Shortlist
from storewise.recommend.request import Request

CANDIDATES = 500


def ranking(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Features, trees, chances and the order of 500 candidates for one shopper after the other."""
    service = Service.open(folder, clock=None)
    service.load_once()
    snapshot = service.current()
    second = snapshot.second
    if second is None:
        raise SystemExit("no ranker serves: the shop is not as it should be")
    rng = spawn(args.seed, "benchmark", "ranking")
    asked = []
    for customer in rng.integers(0, snapshot.n_trained, args.requests).tolist():
        rows = snapshot.history(customer)
        data = snapshot.histories
        history = Histories.single(
            data.products[rows], n_products=len(snapshot.catalogue), at=data.at[rows], customer=customer,
            now=snapshot.watermark,
        )  # fmt: skip
        request = Request(history)
        found = second.candidates(request)
        if len(found) >= CANDIDATES:
            asked.append((request, found.reordered(np.arange(CANDIDATES), found.scores[:CANDIDATES])))
    for request, found in asked[:20]:
        second.rank(request, found, None)
    wall, busy = [], []
    for request, found in asked:
        assert isinstance(found, Shortlist)
        started, busy_from = time.perf_counter(), time.thread_time()
        second.rank(request, found, None)
        busy.append(time.thread_time() - busy_from)
        wall.append(time.perf_counter() - started)
    service.close()
    return {
        **quantiles(wall),
        **{f"cpu_{name}": value for name, value in quantiles(busy).items() if name != "n"},
    }


def whole_lists(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The whole list in this process, reasons and all."""
    service = Service.open(folder, clock=None)
    service.load_once()
    rng = spawn(args.seed, "benchmark", "lists")
    wall, busy = [], []
    for number, customer in enumerate(rng.integers(0, args.customers, args.requests + 20).tolist()):
        ask = Ask(service.shoppers.customer(str(customer)), n=12, budget_ms=60_000.0)
        started, busy_from = time.perf_counter(), time.thread_time()
        service.preview(ask)
        if number >= 20:
            busy.append(time.thread_time() - busy_from)
            wall.append(time.perf_counter() - started)
    service.close()
    return {
        **quantiles(wall),
        **{f"cpu_{name}": value for name, value in quantiles(busy).items() if name != "n"},
    }


def main() -> None:
    args = options(
        __doc__, products=5_000, customers=5_000, purchases=200_000, requests=1_000, seconds=10.0,
        connections=1, events=5.0,
    ).parse_args()  # fmt: skip
    rank = RankConfig(use="always", depth=400, moments=2, shoppers=400)
    pipeline = Pipeline(name="home", retriever=Use(use="retrieve.item_knn.v1"), rank=rank)
    progress = Bars()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.shop or Path(scratch) / "shop"
        if not (folder / "current").exists():
            build(folder, args, pipeline, progress)
        load = os.getloadavg()[0]
        with step(progress, "ranking in this process"):
            ranked = ranking(folder, args)
        with step(progress, "lists in this process"):
            inside = whole_lists(folder, args)
        with step(progress, "lists over HTTP"):
            outside = over_http(folder, args)
    report = {
        "benchmark": "second-stage",
        "about": f"A generated shop of {args.products:,} products and {args.customers:,} customers, lists of 12, ranked by "
        f"rank.lambdamart.v1. Load of the machine when it began: {load:.1f}.",
        "command": shlex.join(["python", "-m", "benchmarks.second_stage", *sys.argv[1:]]),
        "version": version(),
        "machine": machine(),
        "data": {name: getattr(args, name) for name in ("products", "customers", "purchases", "seed")},
        "load_of_others": round(load, 2),
        "rows": [
            {"what": f"ranking {CANDIDATES} candidates, in process", **ranked, "goal": "p99 ≤ 5 ms on one core"},
            {"what": "ranked list with reasons, in process", **inside, "goal": ""},
            {"what": f"ranked list, HTTP, {args.connections} connection", **outside["lists"], "goal": "p99 ≤ 20 ms"},
        ],
    }  # fmt: skip
    write(report, args.json)


if __name__ == "__main__":
    main()
