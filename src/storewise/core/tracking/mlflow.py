"""MLflow with its local file store, under ``mlruns/``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from storewise.core.optional import require
from storewise.core.tracking.plot import plot

MOST = 500  # characters of a parameter


class MLflow:
    """One run of the experiment ``storewise``; a curve is an artifact, as JSON and as a picture."""

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_at: int) -> None:
        # Nothing is sent anywhere, and the file store is meant: newer releases want to be told both.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        tracking = require("mlflow.tracking", extra="track")
        root = (folder / "mlruns").resolve().as_uri()
        self._client: Any = tracking.MlflowClient(tracking_uri=root)
        found = self._client.get_experiment_by_name("storewise")
        experiment = found.experiment_id if found else self._client.create_experiment("storewise")
        self._id: str = self._client.create_run(experiment).info.run_id
        for name, value in config.items():
            self._client.log_param(self._id, name, str(value)[:MOST])
        if resume_at:
            self._client.set_tag(self._id, "resumed_at_step", str(resume_at))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._client.log_metric(self._id, allowed(name), float(value), step=step)

    def curve(self, name: str, x: Sequence[float], y: Sequence[float]) -> None:
        points = {"x": [float(v) for v in x], "y": [float(v) for v in y]}
        self._client.log_text(self._id, orjson.dumps(points).decode(), f"{name}.json")
        self._client.log_text(self._id, plot({name: (points["x"], points["y"])}), f"{name}.svg")

    def finish(self) -> None:
        self._client.set_terminated(self._id)


def allowed(name: str) -> str:
    """A metric's name with what MLflow does not take replaced.

    >>> allowed("retrieve.sasrec.v1/validation ndcg@12")
    'retrieve.sasrec.v1/validation ndcg_12'
    """
    return re.sub(r"[^\w\-. :/]", "_", name)
