"""Plain files: ``config.json``, ``curve.jsonl`` (one line a step), ``curves.svg``, and ``NAME.json`` a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from storewise.core.tracking.base import FILE, read_curves
from storewise.core.tracking.plot import plot

CONFIG, PICTURE = "config.json", "curves.svg"


class JsonLines:
    """``{"step": 20, "loss": 3.1, …}``; lines after ``resume_at`` are dropped when a run resumes."""

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_at: int) -> None:
        self._folder = folder
        kept = [row for row in read_curves(folder) if row["step"] <= resume_at] if resume_at else []
        (folder / FILE).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in kept))
        (folder / CONFIG).write_bytes(orjson.dumps(dict(config), option=orjson.OPT_INDENT_2, default=str))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        with open(self._folder / FILE, "ab") as file:
            file.write(orjson.dumps({"step": step, **values}) + b"\n")

    def curve(self, name: str, x: Sequence[float], y: Sequence[float]) -> None:
        points = {"x": [float(v) for v in x], "y": [float(v) for v in y]}
        (self._folder / f"{name}.json").write_bytes(orjson.dumps(points))
        (self._folder / f"{name}.svg").write_text(plot({name: (points["x"], points["y"])}), encoding="utf-8")

    def finish(self) -> None:
        """Draws all that was logged."""
        series: dict[str, tuple[list[float], list[float]]] = {}
        for row in read_curves(self._folder):
            for name, value in row.items():
                if name != "step" and value is not None:
                    xs, ys = series.setdefault(name, ([], []))
                    xs.append(float(row["step"]))
                    ys.append(float(value))
        if series:
            (self._folder / PICTURE).write_text(plot(series), encoding="utf-8")
