"""A folder that is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """An empty folder to write into; at the end it takes the place of ``target``, after an error it is gone.

    What stood there before is moved aside first and removed last, so that a kill loses neither: until the new one is
    in place it stands beside it as ``.NAME-before``.

    >>> root = Path(tempfile.mkdtemp())
    >>> with written_whole(root / "model") as folder:
    ...     _ = (folder / "weights").write_text("1")
    >>> (root / "model" / "weights").read_text(), len(list(root.iterdir()))
    ('1', 1)
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
    try:
        yield scratch
        aside = target.with_name(f".{target.name}-before")
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(target, aside)
        os.replace(scratch, target)
        shutil.rmtree(aside, ignore_errors=True)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
