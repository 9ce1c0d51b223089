"""One small interface to whatever people watch their runs in; nothing here goes over the network.

A run is given its config once, values step by step, and a curve now and then; ``finish`` closes it. JSON lines
(``config.json``, ``curve.jsonl``, ``curves.svg``) are always written into the run's folder; TensorBoard, Weights &
Biases and MLflow by name, into the same folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import orjson

from storewise.core.errors import ConfigError

FILE = "curve.jsonl"
WRITERS = {
    "json": "storewise.core.tracking.json_lines:JsonLines",
    "tensorboard": "storewise.core.tracking.tensorboard:TensorBoard",
    "wandb": "storewise.core.tracking.weights_and_biases:WeightsAndBiases",
    "mlflow": "storewise.core.tracking.mlflow:MLflow",
}


class Run(Protocol):
    """One run in one place."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The values of a step; steps never go back."""
        ...

    def curve(self, name: str, x: Sequence[float], y: Sequence[float]) -> None:
        """A whole curve, such as the calibration at the end."""
        ...

    def finish(self) -> None:
        """Close; further calls do nothing."""
        ...


def tracker_names() -> tuple[str, ...]:
    """What :func:`open_runs` knows.

    >>> tracker_names()
    ('json', 'tensorboard', 'wandb', 'mlflow')
    """
    return tuple(WRITERS)


def open_runs(
    folder: Path, names: Sequence[str], *, config: Mapping[str, Any] | None = None, resume_at: int = 0
) -> list[Run]:
    """The JSON lines and those named, all in ``folder``. ``resume_at``: the step a resumed run goes on from;
    what was logged after it is dropped where that can be done.

    Raises:
        ConfigError: for an unknown name.
        MissingExtra: when its library is not installed (extra ``track``).
    """
    if unknown := [name for name in names if name not in WRITERS]:
        raise ConfigError(
            f"There is no tracker {unknown[0]!r}.", next_step=f"Choose among {', '.join(WRITERS)}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Run] = []
    for name in dict.fromkeys(("json", *names)):
        module, _, kind = WRITERS[name].partition(":")
        found.append(getattr(import_module(module), kind)(folder, config or {}, resume_at))
    return found


def read_curves(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run; an unfinished last line of a killed run is left out."""
    file = folder / FILE
    if not file.is_file():
        return []
    return [orjson.loads(line) for line in file.read_bytes().split(b"\n")[:-1] if line]
