"""Immutable Parquet files of events. A file counts only while a row of the table ``segments`` names it."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import StoreError
from storewise.data.schema import EVENTS
from storewise.data.stores.frames import micros


@dataclass(frozen=True, slots=True)
class Segment:
    """What the catalogue keeps of a file; times in microseconds, both inclusive."""

    file: str
    rows: int
    first_at: int
    last_at: int
    sha256: str


class Segments:
    """The folder of segment files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, events: pl.DataFrame) -> Segment:
        """Write events in time order to a new file that is on the disk when this returns.

        Two names: whatever ends in ``.tmp`` is half-written, so that a crash is told from damage.
        """
        if not events["at"].is_sorted():
            events = events.sort("at", maintain_order=True)
        target = self._folder / f"{secrets.token_hex(8)}.parquet"
        scratch = target.with_suffix(".tmp")
        with open(scratch, "wb") as file:
            events.write_parquet(file, compression="zstd", compression_level=1, row_group_size=250_000)
            file.flush()
            os.fsync(file.fileno())
        digest = _sha256(scratch)
        os.replace(scratch, target)
        _sync_folder(self._folder)
        first, last = events["at"][0], events["at"][-1]
        return Segment(target.name, events.height, micros(first), micros(last), digest)

    def scan(self, known: Iterable[Segment]) -> pl.LazyFrame:
        """The events of these segments, unread. Each file is checked once in a store's life.

        Raises:
            StoreError: when a file is missing or does not have the hash of the catalogue.
        """
        parts = [_whole(pl.scan_parquet(self._checked_path(segment))) for segment in known]
        return pl.concat(parts) if parts else EVENTS.empty().lazy()

    def sweep(self, known: Iterable[str]) -> int:
        """Remove the files that no catalogue row names: what a crash left. Call with the write lock held."""
        keep = set(known)
        orphans = [path for path in self._folder.iterdir() if path.name not in keep]
        for path in orphans:
            path.unlink()
        return len(orphans)

    def remove(self, segment: Segment) -> None:
        """Remove a file whose transaction failed."""
        (self._folder / segment.file).unlink(missing_ok=True)

    def _checked_path(self, segment: Segment) -> Path:
        path = self._folder / segment.file
        if segment.file not in self._checked:
            if not path.is_file():
                raise _damaged(path, "is missing")
            if _sha256(path) != segment.sha256:
                raise _damaged(path, "does not have the SHA-256 of the catalogue")
            self._checked.add(segment.file)
        return path


class SegmentIds:
    """The event ids of all segments as sorted 64-bit hashes: 8 bytes an event, to find duplicates fast."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._files: frozenset[str] = frozenset()
        self._hashes: npt.NDArray[np.uint64] = np.empty(0, np.uint64)

    def present(self, ids: pl.Series, known: list[Segment]) -> set[str]:
        """Which of the ids some segment holds; a hash that matches is confirmed in the files."""
        self._refresh(known)
        hashes = ids.hash().to_numpy()
        places = np.searchsorted(self._hashes, hashes)
        inside = places < len(self._hashes)
        hit = np.zeros(len(ids), bool)
        hit[inside] = self._hashes[places[inside]] == hashes[inside]
        if not hit.any():
            return set()
        suspects = ids.filter(pl.Series(hit))
        found = (
            self._segments.scan(known).select("event_id").filter(pl.col("event_id").is_in(suspects.implode()))
        )
        return set(found.collect()["event_id"].to_list())

    def _refresh(self, known: list[Segment]) -> None:
        files = frozenset(segment.file for segment in known)
        if files != self._files:
            ids = self._segments.scan(known).select("event_id").collect()["event_id"]
            self._hashes = np.sort(ids.hash().to_numpy())
            self._files = files


def _whole(part: pl.LazyFrame) -> pl.LazyFrame:
    """With the columns that the contract has got since the file was written, null."""
    there = part.collect_schema().names()
    missing = [column for column in EVENTS.columns if column.name not in there]
    return (
        part.with_columns(pl.lit(None, column.dtype).alias(column.name) for column in missing)
        if missing
        else part
    )


def _damaged(path: Path, what: str) -> StoreError:
    return StoreError(
        f"The event file {path} {what}.",
        next_step="Restore it from a backup of the shop's folder, or ingest the source again into a new one.",
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk only when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
