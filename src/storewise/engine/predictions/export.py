"""Every customer's predictions as a table."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from storewise.core.clock import seconds
from storewise.core.errors import ConfigError, StateError
from storewise.engine.predict import predictions_of
from storewise.engine.serving.snapshot import Snapshot
from storewise.predict.features import customer_rows

BATCH = 5_000
KINDS = (".csv", ".parquet")


def predictions_of_all(snapshot: Snapshot, now: datetime) -> pl.DataFrame:
    """``customer_id`` and value, low, high of each target of customers; those who have not agreed to personal
    predictions are left out.

    Raises:
        StateError: when the snapshot was trained without predictions.
    """
    found = predictions_of(snapshot)
    if snapshot.log is None:
        raise StateError("The snapshot holds no events.", next_step="Train and publish again.")
    log = snapshot.log
    names = list(snapshot.customer_index)[: log.n_customers]
    who = np.array([i for i, name in enumerate(names) if name not in snapshot.private], np.int64)
    who = who[log.indptr[who + 1] > log.indptr[who]]
    moment = seconds(now)
    facts = found.facts.at(max(moment, found.facts.now))
    columns: dict[str, list[np.typing.NDArray[np.float64]]] = {}
    for start in range(0, len(who), BATCH):
        rows = customer_rows(log.trails(who[start : start + BATCH], moment), facts)
        for name, learned in found.learned.items():
            if learned.target.unit == "customer":
                told = learned(rows)
                for key, part in (("", told.value), ("_low", told.low), ("_high", told.high)):
                    columns.setdefault(name + key, []).append(part)
    return pl.DataFrame(
        {"customer_id": pl.Series([names[i] for i in who], dtype=pl.String)}
        | {name: np.concatenate(parts) for name, parts in columns.items()}
    )


def write_all(snapshot: Snapshot, now: datetime, file: Path) -> int:
    """Write them to a CSV or Parquet file; how many customers there are.

    Raises:
        ConfigError: for another kind of file.
    """
    if file.suffix not in KINDS:
        raise ConfigError(
            f"{file} is neither CSV nor Parquet.", next_step="Name a file that ends in .csv or .parquet."
        )
    table = predictions_of_all(snapshot, now)
    if file.suffix == ".csv":
        table.write_csv(file)
    else:
        table.write_parquet(file)
    return table.height
