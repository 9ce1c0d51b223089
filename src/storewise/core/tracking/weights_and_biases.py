"""Weights & Biases, offline unless ``WANDB_MODE`` says otherwise; files under ``wandb/``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storewise.core.optional import require


class WeightsAndBiases:
    """An offline run; ``wandb sync`` sends it later, when the user wants that."""

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_at: int) -> None:
        # An offline run sends nothing: error reports neither.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        wandb = require("wandb", extra="track")
        settings = wandb.Settings(silent=True, console="off")
        mode = os.environ.get("WANDB_MODE", "offline")
        self._run: Any = wandb.init(
            project="storewise", dir=str(folder), mode=mode, config=dict(config), settings=settings,
            reinit="create_new",
        )  # fmt: skip

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def curve(self, name: str, x: Sequence[float], y: Sequence[float]) -> None:
        wandb = require("wandb", extra="track")
        rows = [[float(a), float(b)] for a, b in zip(x, y, strict=True)]
        self._run.log({name: wandb.Table(columns=["x", "y"], data=rows)})

    def finish(self) -> None:
        self._run.finish()
