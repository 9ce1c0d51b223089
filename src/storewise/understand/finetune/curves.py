"""Curves of a run: always a file of JSON lines, and TensorBoard or Weights & Biases where asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson

from storewise.core.errors import ConfigError
from storewise.understand.finetune.tower import require

FILE = "curve.jsonl"


class Curve(Protocol):
    """Takes the values of a step; ``close`` at the end."""

    def add(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """One line a step: ``{"step": 20, "loss": 3.1, …}``. Lines from ``step`` on are dropped when a run resumes."""

    def __init__(self, folder: Path, *, resume_at: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / FILE
        kept = [row for row in read(folder) if row["step"] <= resume_at] if resume_at else []
        self._file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in kept))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        with open(self._file, "ab") as file:
            file.write(orjson.dumps({"step": step, **values}) + b"\n")

    def close(self) -> None:
        return None


class TensorBoard:
    """Event files under ``folder``; needs the library tensorboard."""

    def __init__(self, folder: Path, *, resume_at: int = 0) -> None:
        require("tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=resume_at or None)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run in the folder, offline unless the user's own settings say otherwise; needs the library wandb."""

    def __init__(self, folder: Path, *, resume_at: int = 0) -> None:
        import os

        mode = os.environ.get("WANDB_MODE", "offline")
        self._run: Any = require("wandb").init(
            project="storewise", dir=str(folder), mode=mode, resume="allow"
        )

    def add(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


LOGGERS: dict[str, Any] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's curve; an unfinished last line of a killed run is left out."""
    file = folder / FILE
    if not file.is_file():
        return []
    lines = file.read_bytes().split(b"\n")
    return [orjson.loads(line) for line in lines[:-1] if line]


def open_curves(folder: Path, loggers: Sequence[str], *, resume_at: int = 0) -> list[Curve]:
    """The JSON lines and those named.

    Raises:
        ConfigError: for an unknown name.
        MissingExtra: when its library is not installed.
    """
    if unknown := [name for name in loggers if name not in LOGGERS]:
        raise ConfigError(
            f"There is no logger {unknown[0]!r}.", next_step=f"Choose among {', '.join(LOGGERS)}."
        )
    rest: list[Curve] = [LOGGERS[name](folder, resume_at=resume_at) for name in loggers]
    return [JsonLines(folder, resume_at=resume_at), *rest]
