"""Artifacts: a JSON manifest and plain arrays, each file hashed, written whole or not at all.

An artifact is a directory ``<name>-<digest>/`` with ``manifest.json``, one ``.npy`` per array and one
``.parquet`` per table. The digest covers the manifest, the manifest holds the SHA-256 of each file, so that
one changed byte anywhere is found on load. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from storewise.core.errors import ArtifactError

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Artifact:
    """What a training run made; ``facts`` is the free part of the manifest (config, watermark, seed…)."""

    name: str
    facts: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def write(artifact: Artifact, root: Path) -> Path:
    """Write under ``root`` and return the new directory. An equal artifact is written once.

    The files go to a temporary directory that is renamed at the end, so a crash leaves nothing half-done.

    Raises:
        ArtifactError: for an array of Python objects, which would need pickle.
    """
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=root))
    try:
        for name, array in artifact.arrays.items():
            _refuse_objects(artifact.name, name, array)
            with open(scratch / f"{name}.npy", "wb") as file:
                np.save(file, np.asarray(array, order="C"), allow_pickle=False)
                _to_disk(file.fileno())
        for name, table in artifact.tables.items():
            table.write_parquet(scratch / f"{name}.parquet")
        manifest = {
            "format": FORMAT,
            "name": artifact.name,
            "files": {path.name: _sha256(path) for path in sorted(scratch.iterdir())},
            "facts": dict(artifact.facts),
        }
        text = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        (scratch / MANIFEST).write_bytes(text)
        target = root / f"{artifact.name}-{hashlib.sha256(text).hexdigest()[:16]}"
        if target.exists():
            shutil.rmtree(scratch)
        else:
            os.replace(scratch, target)
        return target
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def read(path: Path) -> Artifact:
    """Read and check every hash.

    Raises:
        ArtifactError: naming the artifact and the first file that is missing, damaged or unexpected.
    """
    manifest = read_manifest(path)
    arrays: dict[str, npt.NDArray[Any]] = {}
    tables: dict[str, pl.DataFrame] = {}
    for name, expected in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise _damaged(path, f"{name} is missing")
        if _sha256(file) != expected:
            raise _damaged(path, f"{name} does not have the SHA-256 of the manifest")
        if file.suffix == ".npy":
            arrays[file.stem] = np.load(file, allow_pickle=False)
        else:
            tables[file.stem] = pl.read_parquet(file)
    return Artifact(manifest["name"], manifest["facts"], arrays, tables)


def read_manifest(path: Path) -> dict[str, Any]:
    """The checked manifest alone, for listings.

    Raises:
        ArtifactError: when it is missing, altered or of another format.
    """
    try:
        text = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise _damaged(path, f"{MANIFEST} cannot be read") from error
    if hashlib.sha256(text).hexdigest()[:16] != path.name.rpartition("-")[2]:
        raise _damaged(path, f"{MANIFEST} has been altered")
    manifest: dict[str, Any] = orjson.loads(text)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(
            f"Artifact {path.name} has format {manifest.get('format')}, this version reads {FORMAT}.",
            next_step="Train again with this version, or use the version that wrote it.",
        )
    return manifest


def _damaged(path: Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"Artifact {path.name} is damaged: {what}.",
        next_step="Roll back to another snapshot, or train again.",
    )


def _refuse_objects(artifact: str, name: str, array: npt.NDArray[Any]) -> None:
    if array.dtype.hasobject:
        raise ArtifactError(
            f"Array {name!r} of {artifact} holds Python objects.",
            next_step="Give numbers, booleans or fixed-width strings, or a table.",
        )


def _to_disk(descriptor: int) -> None:
    os.fsync(descriptor)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
