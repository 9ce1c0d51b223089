"""Time and memory of the whole demo: ingest a real shop, choose, train, evaluate, publish, serve, ask.

    python -m benchmarks.demo --json benchmarks/results/demo.json

Memory is the largest resident set of any process of the demo, as the operating system counts it.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from storewise.engine import provenance
from storewise.engine.benchmark import write

KIB_PER_MB = 1000**2 / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    program = Path(sys.executable).with_name("storewise")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([program, "demo", "--check", "--shop", f"{scratch}/shop"])
    report = {
        "benchmark": "demo",
        "about": "`storewise demo --check` on Online Retail II, after the install",
        "command": shlex.join(["python", "-m", "benchmarks.demo", *sys.argv[1:]]),
        "version": provenance.version(),
        "machine": provenance.machine(),
        "rows": [
            {
                "what": "the whole demo",
                "seconds": round(time.perf_counter() - started, 1),
                "peak memory, MB": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / KIB_PER_MB),
                "goal": "240 s, 2,000 MB",
            }
        ],
    }
    print(report["rows"])
    if options.json is not None and done.returncode == 0:
        write(report, options.json)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
