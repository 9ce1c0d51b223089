"""What serves: snapshot files, and the one pointer that names the serving one.

``snapshots/<id>.json`` names the artifacts of a training run and never changes. ``current`` names the serving
snapshot with its SHA-256 and the ones that served before. It is replaced by one rename, so that a reader or
a crash at any moment finds the old pointer or the new one, never a mixture.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from storewise.core.clock import Clock, system_clock
from storewise.core.errors import ArtifactError, NothingPublished, UnknownName

ARTIFACTS = "artifacts"
SNAPSHOTS = "snapshots"
POINTER = "current"
REMEMBERED = 50


@dataclass(frozen=True)
class Manifest:
    """A snapshot as its file says. ``artifacts`` maps a role (retriever, catalogue, related) to a folder."""

    id: str
    pipeline: Mapping[str, Any]
    artifacts: Mapping[str, str]
    facts: Mapping[str, Any]

    @property
    def watermark(self) -> float:
        return float(self.facts["watermark"])

    @property
    def evaluation(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.facts.get("evaluation", {})
        return found


@dataclass(frozen=True)
class Pointer:
    """Which snapshot serves, since when, and which served before (the latest first)."""

    serving: str
    sha256: str
    published_at: str
    history: tuple[str, ...] = field(default=())


def write_snapshot(root: Path, pipeline: Mapping[str, Any], artifacts: Mapping[str, str],
                   facts: Mapping[str, Any]) -> Manifest:  # fmt: skip
    """Write a snapshot file; its id holds the pipeline's name, the watermark and a hash of the content."""
    content = {"pipeline": dict(pipeline), "artifacts": dict(artifacts), "facts": dict(facts)}
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
    moment = datetime.fromtimestamp(float(facts["watermark"]), UTC)
    name = f"{pipeline['name']}-{moment:%Y%m%dT%H%M%S}-{digest}"
    folder = root / SNAPSHOTS
    folder.mkdir(parents=True, exist_ok=True)
    text = orjson.dumps({"id": name, **content}, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    replace_file(folder / f"{name}.json", text)
    return Manifest(name, content["pipeline"], content["artifacts"], content["facts"])


def read_snapshot(root: Path, name: str, *, sha256: str | None = None) -> Manifest:
    """Read a snapshot file.

    Raises:
        UnknownName: when there is none of this name, with the newest ones.
        ArtifactError: when the file is not the one that was published.
    """
    file = root / SNAPSHOTS / f"{name}.json"
    if name != Path(name).name or not file.is_file():
        known = ", ".join(snapshots(root)[:5]) or "none; run `storewise train` first"
        raise UnknownName(f"There is no snapshot {name!r}.", next_step=f"The newest ones: {known}.")
    text = file.read_bytes()
    if sha256 is not None and hashlib.sha256(text).hexdigest() != sha256:
        raise ArtifactError(
            f"Snapshot {name} has been altered since it was published.",
            next_step="Roll back to another snapshot, or train again.",
        )
    try:
        values = orjson.loads(text)
        return Manifest(values["id"], values["pipeline"], values["artifacts"], values["facts"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"Snapshot {name} is not readable.", next_step="Roll back to another snapshot, or train again."
        ) from error


def snapshots(root: Path) -> list[str]:
    """All snapshots, newest file first."""
    files = (root / SNAPSHOTS).glob("*.json")
    return [file.stem for file in sorted(files, key=lambda file: (-file.stat().st_mtime_ns, file.name))]


def read_pointer(root: Path) -> Pointer:
    """What serves now.

    Raises:
        NothingPublished: when nothing has been published yet.
        ArtifactError: when the pointer is not readable.
    """
    try:
        values = orjson.loads((root / POINTER).read_bytes())
        return Pointer(values["serving"], values["sha256"], values["published_at"], tuple(values["history"]))
    except FileNotFoundError as error:
        raise NothingPublished(
            f"Nothing has been published in {root}.",
            next_step="Run `storewise train` and `storewise publish`.",
        ) from error
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{root / POINTER} is not readable.", next_step="Publish a snapshot again."
        ) from error


def point_to(root: Path, name: str, *, clock: Clock = system_clock) -> Pointer:
    """Make a snapshot the serving one, in one rename. Publishing what serves already changes nothing.

    Raises:
        UnknownName: when there is no such snapshot.
    """
    read_snapshot(root, name)
    sha256 = hashlib.sha256((root / SNAPSHOTS / f"{name}.json").read_bytes()).hexdigest()
    history: tuple[str, ...] = ()
    try:
        before = read_pointer(root)
    except (NothingPublished, ArtifactError):
        pass
    else:
        if (before.serving, before.sha256) == (name, sha256):
            return before
        history = (before.serving, *before.history)[:REMEMBERED]
    pointer = Pointer(name, sha256, clock().isoformat(), history)
    replace_file(root / POINTER, orjson.dumps(pointer, option=orjson.OPT_INDENT_2))
    return pointer


def replace_file(target: Path, content: bytes) -> None:
    """Write beside the target, sync, rename over it, sync the folder."""
    scratch = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(scratch, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
