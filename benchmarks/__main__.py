"""``python -m benchmarks run [NAME …]`` and ``python -m benchmarks table``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import run, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=run.__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    runner = commands.add_parser("run", help="run benchmarks, then make the tables")
    runner.add_argument("names", nargs="*", help="which; none: all quality protocols")
    root = os.environ.get("STOREWISE_SHARED_DATA", table.ROOT.parent / "shared" / "data")
    runner.add_argument("--data-root", type=Path, default=Path(root))
    runner.add_argument(
        "--minutes", type=float, help="budget of each quality run (default: as in targets.py)"
    )
    runner.add_argument("--seed", type=int, default=42)
    commands.add_parser("table", help="make docs/benchmarks.md and the READMEs' results from the JSON files")
    options = parser.parse_args()
    failed = 0
    if options.what == "run":
        failed = run.run(options.names, options.data_root, minutes=options.minutes, seed=options.seed)
    for file in table.write():
        print(f"wrote {file.relative_to(table.ROOT)}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
