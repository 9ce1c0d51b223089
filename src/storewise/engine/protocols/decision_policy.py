"""A policy that depends on the decision: its probabilities by row of the log, or by columns that both files have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError
from storewise.data.sources.bandit_log import NAMES, ActionRows, read_policy
from storewise.data.sources.raw import read_raw
from storewise.engine.protocols.target_policy import CLOSE, Codes
from storewise.explore.evaluate.log import BanditLog, Target

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def wide_table(path: Path, rows: ActionRows) -> tuple[list[str], Floats] | None:
    """Actions and their probabilities (n, actions) where the policy has a column for each action of the log and a
    row for each of its decisions, in order; else None.

    Raises:
        DataError: for columns of actions but another number of rows, or a cell that is no number.
    """
    table = read_raw(path).drop("line")
    logged = set(rows.actions)
    if len(logged) < 2 or not logged <= set(table.columns):
        return None
    if table.height != len(rows):
        raise DataError(
            f"{path} has {table.height:,} rows of probabilities, the log {len(rows):,} decisions.",
            next_step="Give a row for each decision of the log, in its order.",
        )
    keys = {name.lower() for part in NAMES.values() for name in part}
    actions = [n for n in table.columns if n in logged or (n.lower() not in keys and _is_share(table[n]))]
    block = table.select(pl.col(actions).cast(pl.Float64, strict=False).fill_null(float("nan")))
    found = block.to_numpy().astype(np.float64)
    _check_sums(found.sum(axis=1), path, "row")
    return actions, found / found.sum(axis=1, keepdims=True)


def keys_of(policy: Path, log: Path, columns: Mapping[str, str]) -> list[str]:
    """Columns of both files that tell an action's lines in the policy apart: what its probabilities depend on."""
    theirs, ours = read_raw(policy), read_raw(log)
    used = {"line", *(columns.values()), *(name for part in NAMES.values() for name in part)}
    shared = [c for c in theirs.columns if c in ours.columns and c not in used]
    action = next((c for c in (columns.get("action"), *NAMES["action"]) if c in theirs.columns), None)
    if action is None:
        return []
    actions = theirs[action].n_unique()
    return [c for c in shared if theirs.select(pl.struct(action, c).n_unique()).item() > actions]


def by_keys(
    policy: Path, log_path: Path, keys: list[str], columns: Mapping[str, str], codes: Codes, log: BanditLog
) -> Target:
    """A distribution for each combination of ``keys`` (and of position, where the policy has one).

    Raises:
        DataError: for an action twice, a decision whose keys the policy lacks, and sums far from 1.
    """
    rows = read_policy(policy, columns)
    theirs, ours = _joined(read_raw(policy), keys), _joined(read_raw(log_path), keys)
    if rows.positions is not None:
        names = list(codes.places)
        theirs = theirs + "\x1f" + pl.Series(rows.positions)
        ours = ours + "\x1f" + pl.Series([names[place] for place in log.places])
    groups = {key: number for number, key in enumerate(theirs.unique(maintain_order=True).to_list())}
    at = np.array([groups[key] for key in theirs.to_list()], np.int64)
    chosen = np.array([codes.actions[action] for action in rows.actions], np.int64)
    table = np.zeros((len(groups), codes.n_actions))
    cells, counts = np.unique(at * codes.n_actions + chosen, return_counts=True)
    if (counts > 1).any():
        group, action = divmod(int(cells[counts > 1][0]), codes.n_actions)
        raise DataError(
            f"{policy}: action {list(codes.actions)[action]!r} stands twice for {', '.join(keys)} = "
            f"{list(groups)[group]!r}.",
            next_step="Give each action once a decision.",
        )
    table[at, chosen] = rows.numbers["probability"]
    wanted = np.array([groups.get(key, -1) for key in ours.to_list()], np.int64)
    if (wanted < 0).any():
        row = int(np.argmin(wanted))
        raise DataError(
            f"{policy} has no line for {', '.join(keys)} = {ours[row]!r}, which the log has "
            f"({int((wanted < 0).sum())} such decisions in {len(log)}).",
            next_step="Give the policy's probabilities for every decision of the log.",
        )
    sums = table.sum(axis=1)
    _check_sums(sums, policy, f"{', '.join(keys)} number")
    return Target(table / sums[:, None], wanted)


def _joined(table: pl.DataFrame, keys: list[str]) -> pl.Series:
    return table.select(
        pl.concat_str([pl.col(key).cast(pl.String).fill_null("") for key in keys], separator=", ")
    ).to_series()


def _is_share(column: pl.Series) -> bool:
    numbers = column.cast(pl.Float64, strict=False)
    return numbers.null_count() == 0 and bool(numbers.is_between(0.0, 1.0).all())


def _check_sums(sums: Floats, path: Path, what: str) -> None:
    bad = ~(np.abs(sums - 1) <= CLOSE)  # NaN compares as False
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path}: the probabilities of {what} {place + 1} sum to {sums[place]:.4f}, not 1 ({int(bad.sum())} such).",
            next_step="Give the probability of every action that the policy can take.",
        )
