"""Where a figure comes from: the code version and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import numpy as np

import storewise


def version() -> str:
    """Package version, with the commit when the package runs from a checkout: ``0.1.0+1a2b3c4``.

    ``.dirty`` is added when a tracked file of the package differs from the commit.
    """
    package = Path(storewise.__file__).parent
    commit = _git(package, "rev-parse", "--short=10", "HEAD")
    # A package installed into somebody else's repository is not that repository's commit.
    if not commit or not _git(package, "ls-files", "__init__.py"):
        return storewise.__version__
    changed = _git(package, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{storewise.__version__}+{commit}{'.dirty' if changed else ''}"


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def machine() -> dict[str, str | int]:
    """Processor, cores that this process may use, system, Python and NumPy.

    >>> sorted(machine())
    ['cores', 'cpu', 'numpy', 'python', 'system']
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _processor(),
        "cores": allowed or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
