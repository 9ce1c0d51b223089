"""Run benchmarks anew and write ``benchmarks/results/*.json``.

    python -m benchmarks run                       # all quality protocols, then the tables
    python -m benchmarks run ml100k-ms amazon-cds  # some of them
    python -m benchmarks run training_speed serving ingest

Quality runs read ``--data-root`` (default: ``../shared/data``), a folder with one sub-folder for each data set as
named in ``targets.py``; a data set that is not there is skipped and said so.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.targets import QUALITY, Quality

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SPEED = {
    "training_speed": "training-speed",
    "serving": "serving",
    "second_stage": "second-stage",
    "ingest": "ingest",
    "encoding": "encoding",
    "demo": "demo",
}
"""Script → name of its result."""


def quality_command(run: Quality, data_root: Path, *, minutes: float | None, seed: int) -> list[str]:
    """The command line of a quality run, as anybody would type it."""
    data: list[str] = []
    if run.data is not None:
        paths = {option: data_root / run.data / file for option, file in run.files.items()}
        data = [part for option, path in (paths or {"data": data_root / run.data}).items()
                for part in (f"--{option}", str(path))]  # fmt: skip
    data += [part for option, value in run.options.items() for part in (f"--{option}", value)]
    budget = f"{minutes if minutes is not None else run.minutes:g}"
    out = ["--json", str((RESULTS / run.file).relative_to(HERE.parent))]
    return ["storewise", "benchmark", run.protocol, *data, "--minutes", budget, "--seed", str(seed), *out]


def run(names: Sequence[str], data_root: Path, *, minutes: float | None, seed: int) -> int:
    """Run what is named (nothing: all quality protocols) one after the other; the number that failed."""
    wanted = list(names) or [one.name for one in QUALITY]
    by_name = {one.name: one for one in QUALITY}
    failed = 0
    for name in wanted:
        if name in SPEED:
            target = f"benchmarks/results/{SPEED[name]}.json"
            failed += _call([sys.executable, "-m", f"benchmarks.{name}", "--json", target])
        elif name not in by_name:
            print(f"There is no benchmark {name!r}; known: {', '.join([*by_name, *SPEED])}.", file=sys.stderr)
            failed += 1
        else:
            one = by_name[name]
            if one.data is not None and not (data_root / one.data).is_dir():
                print(f"{name}: skipped, there is no {data_root / one.data}", file=sys.stderr)
                continue
            command = quality_command(one, data_root, minutes=minutes, seed=seed)
            failed += _call([str(Path(sys.executable).with_name("storewise")), *command[1:]])
    return failed


def _call(command: list[str]) -> int:
    print("$", shlex.join(command), flush=True)
    return int(subprocess.run(command, cwd=HERE.parent).returncode != 0)
