"""A table of any columns as rows: JSON lines, CSV or Parquet, packed or not. For catalogues with thousands of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from storewise.core.errors import DataError
from storewise.data.sources.raw import read_bytes, read_raw

LINES = (".jsonl", ".ndjson", ".json")
_PACKED = (".gz", ".xz", ".bz2")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows in the order of the file; a cell that is empty is absent from its row.

    Raises:
        DataError: see :func:`.raw.read_raw`; for JSON also a line that is no JSON object, with its number.
    """
    path = Path(path)
    kind = path.with_suffix("").suffix if path.suffix.lower() in _PACKED else path.suffix
    if kind.lower() in LINES:
        return _json_lines(read_bytes(path), path)
    rows = read_raw(path).drop("line").to_dicts()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _json_lines(content: bytes, path: Path) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {number} is not JSON ({error}).", next_step="Write one JSON object a line."
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, line {number} is a JSON {type(row).__name__}.", next_step="Write one object a line."
            )
        found.append({name: value for name, value in row.items() if value is not None})
    return found
