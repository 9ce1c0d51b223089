"""Event files for TensorBoard, under ``tensorboard/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from storewise.core.optional import require


class TensorBoard:
    """A curve becomes a scalar whose step is the number of the point; x stands beside it."""

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_at: int) -> None:
        require("tensorboard", extra="track")
        writer = require("torch.utils.tensorboard", extra="deep").SummaryWriter
        self._writer: Any = writer(
            str(folder / "tensorboard"), purge_step=resume_at + 1 if resume_at else None
        )
        text = orjson.dumps(dict(config), option=orjson.OPT_INDENT_2, default=str).decode()
        self._writer.add_text("config", f"```\n{text}\n```", resume_at)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def curve(self, name: str, x: Sequence[float], y: Sequence[float]) -> None:
        for i, (across, up) in enumerate(zip(x, y, strict=True)):
            self._writer.add_scalar(f"{name}/x", float(across), i)
            self._writer.add_scalar(f"{name}/y", float(up), i)

    def finish(self) -> None:
        self._writer.close()
