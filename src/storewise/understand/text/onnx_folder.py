"""A served text model on disk: ``model.onnx``, ``tokenizer.json`` and ``encoder.json`` with the hash of both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from storewise.core.errors import ArtifactError
from storewise.core.folders import written_whole

MODEL, TOKENIZER, ABOUT = "model.onnx", "tokenizer.json", "encoder.json"


@dataclass(frozen=True)
class OnnxFolder:
    """The parts, read and checked. ``facts``: what ``encoder.json`` says besides the hashes (``passage_prefix``,
    ``query_prefix``, ``pooling``, ``source``, ``licence`` …). ``sha256`` covers model, tokenizer and facts."""

    model: bytes
    tokenizer: bytes
    facts: Mapping[str, Any]
    sha256: str


def write(folder: Path, *, model: bytes, tokenizer: bytes, facts: Mapping[str, Any]) -> None:
    """Write whole or not at all; what stood there before is replaced."""
    with written_whole(folder) as scratch:
        (scratch / MODEL).write_bytes(model)
        (scratch / TOKENIZER).write_bytes(tokenizer)
        about = {**facts, "files": {MODEL: _sha256(model), TOKENIZER: _sha256(tokenizer)}}
        (scratch / ABOUT).write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def read(folder: Path) -> OnnxFolder:
    """Read and check. A folder without ``encoder.json`` (made by other tools) has nothing to check against.

    Raises:
        ArtifactError: for a file that is missing, or that is not the one that was written.
    """
    about: dict[str, Any] = {}
    if (folder / ABOUT).is_file():
        try:
            about = orjson.loads((folder / ABOUT).read_bytes())
        except orjson.JSONDecodeError as error:
            raise _damaged(folder, f"{ABOUT} is not JSON") from error
    parts: dict[str, bytes] = {}
    for name in (MODEL, TOKENIZER):
        try:
            parts[name] = (folder / name).read_bytes()
        except OSError as error:
            raise _damaged(folder, f"{name} is missing") from error
        expected = about.get("files", {}).get(name)
        if expected is not None and _sha256(parts[name]) != expected:
            raise _damaged(folder, f"{name} does not have the SHA-256 of {ABOUT}")
    facts = {key: value for key, value in about.items() if key != "files"}
    whole = orjson.dumps(
        [_sha256(parts[MODEL]), _sha256(parts[TOKENIZER]), facts], option=orjson.OPT_SORT_KEYS
    )
    return OnnxFolder(parts[MODEL], parts[TOKENIZER], facts, _sha256(whole))


def _damaged(folder: Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"The model {folder} is damaged: {what}.", next_step="Copy, export or prepare it again."
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
