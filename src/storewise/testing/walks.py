"""Small sequences whose next product can be learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_walks(file: Path, shoppers: int) -> Path:
    """A file of sequences, one shopper a line: each walks through one of six circles of ten products.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> write_walks(Path(folder.name) / "walks.txt", 2).read_text().splitlines()[0]
    'u0 5-6 5-7 5-8 5-9 5-0 5-1'
    >>> folder.cleanup()
    """
    rng = np.random.default_rng(0)
    lines = []
    for user in range(shoppers):
        circle, start = rng.integers(6), rng.integers(10)
        steps = [f"{circle}-{(start + i) % 10}" for i in range(rng.integers(4, 8))]
        lines.append(f"u{user} " + " ".join(steps))
    file.write_text("\n".join(lines), encoding="utf-8")
    return file
