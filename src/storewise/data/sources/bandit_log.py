"""Logged decisions and policies as tables: which action, at which place, with which probability and reward."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import ConfigError, DataError
from storewise.data.sources.raw import read_raw

NAMES: Mapping[str, tuple[str, ...]] = {
    "action": ("action", "item_id", "product_id", "item", "arm", "action_id"),
    "reward": ("reward", "click", "clicked", "purchase", "conversion", "label"),
    "propensity": ("propensity", "propensity_score", "pscore", "action_prob", "action_probability"),
    "position": ("position", "place", "rank"),
    "probability": ("probability", "prob", "p", "action_prob", "pi_e"),
    "a": ("a", "alpha"),
    "b": ("b", "beta"),
}
"""Parts of a log or a policy, and the names under which they are found without being told."""

LOG_PARTS = ("action", "reward", "propensity", "position", "context")
CONTEXT_LIKE = ("context", "user_feature", "feature")
MOST_LEVELS = 50  # of a context column that is text; each becomes a column of 0 and 1
REMEDY = {
    "propensity": "It must be above 0 and at most 1. Log the probability with which the action was really chosen, "
    "and drop rows without one: no estimator can repair them.",
    "reward": "Write 0 where there was no reward, and leave out rows whose outcome is not known yet.",
    "probability": "It must be from 0 to 1.",
}


@dataclass(frozen=True)
class ActionRows:
    """Rows of a file: ``actions`` and ``positions`` as text (one position where the file has none), ``numbers``
    by part, ``contexts`` (n, d) with their names, ``lines`` in the file."""

    path: Path
    lines: npt.NDArray[np.int64]
    actions: Sequence[str]
    positions: Sequence[str] | None
    numbers: Mapping[str, npt.NDArray[np.float64]]
    contexts: npt.NDArray[np.float64]
    context_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.actions)


def parse_columns(text: str | None) -> dict[str, str]:
    """``action=item,reward=click,context=age+country`` as a mapping.

    Raises:
        ConfigError: for a part that does not exist, or no ``=``.

    >>> parse_columns("action=item, reward=bought")
    {'action': 'item', 'reward': 'bought'}
    """
    known = [*NAMES, "context"]
    found: dict[str, str] = {}
    for part in filter(None, (text or "").split(",")):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ConfigError(
                f"--columns has {part.strip()!r}, which names no part ({hint}parts: {', '.join(known)}).",
                next_step="Write part=column, with commas between: action=item_id,reward=click.",
            )
        found[name] = column
    return found


def read_log(path: Path, columns: Mapping[str, str] | None = None) -> ActionRows:
    """A log: action, reward, propensity, and where there are any position and context columns.

    Context columns are those named with ``context=``, otherwise those whose names begin with context, feature or
    user_feature; text becomes indicators of its levels (at most 50 a column).

    Raises:
        DataError: for an empty log, a part without a column, and the first missing reward or bad propensity
            (with its line).
        ConfigError: for a column that does not exist.
    """
    table = _read(path)
    _check_names(table, path, columns or {})
    rows = _rows(table, path, columns or {}, ("reward", "propensity"), contexts=True)
    _check(rows, "reward", ~np.isfinite(rows.numbers["reward"]))
    propensities = rows.numbers["propensity"]
    _check(rows, "propensity", ~((propensities > 0) & (propensities <= 1)))
    return rows


def read_policy(path: Path, columns: Mapping[str, str] | None = None) -> ActionRows:
    """A policy in one of three forms, told apart by their columns: action and ``probability`` [position]; action
    and the parameters ``a`` and ``b`` (alpha, beta) of Beta posteriors, for Thompson sampling; or a log of the
    policy itself (action, reward, propensity [position]). Columns that ``columns`` names and the file lacks are
    looked for under their usual names.

    Raises:
        DataError: as :func:`read_log`, and for a table in none of the three forms.
    """
    table = _read(path)
    given = columns or {}
    if _found(table, "a", given) and _found(table, "b", given):
        rows = _rows(table, path, given, ("a", "b"))
        for part in ("a", "b"):
            _check(
                rows,
                part,
                ~(np.isfinite(rows.numbers[part]) & (rows.numbers[part] > 0)),
                "It must be above 0.",
            )
        return rows
    if _found(table, "reward", given) and _found(table, "propensity", given):
        return read_log(path, given)
    if not _found(table, "probability", given):
        raise DataError(
            f"{path} is no policy: it has the columns {_listed(table)}.",
            next_step="Give action and probability, action with alpha and beta, or a log of the policy; "
            "--columns says which column is which.",
        )
    rows = _rows(table, path, given, ("probability",))
    chances = rows.numbers["probability"]
    _check(rows, "probability", ~((chances >= 0) & (chances <= 1)))
    return rows


def _read(path: Path) -> pl.DataFrame:
    table = read_raw(path)
    if not table.height:
        raise DataError(f"{path} has no rows.", next_step="Give a log with at least one decision.")
    return table


def _check_names(table: pl.DataFrame, path: Path, columns: Mapping[str, str]) -> None:
    for part, column in columns.items():
        for name in column.split("+") if part == "context" else [column]:
            if part in LOG_PARTS and name not in table.columns:
                raise ConfigError(
                    f"{path} has no column {name!r} for {part}; it has {_listed(table)}.",
                    next_step="Correct --columns.",
                )


def _rows(
    table: pl.DataFrame,
    path: Path,
    columns: Mapping[str, str],
    parts: tuple[str, ...],
    contexts: bool = False,
) -> ActionRows:
    named = {part: _column(table, path, part, columns) for part in ("action", *parts)}
    position = _found(table, "position", columns)
    actions = _names(table[named["action"]]).replace("", None)
    if actions.null_count():
        line = int(table["line"].filter(actions.is_null())[0])
        raise DataError(f"{path}, line {line}: there is no action.", next_step="Fill it or drop the row.")
    numbers = {part: _numbers(table, path, named[part], part) for part in parts}
    given = columns["context"].split("+") if "context" in columns else None
    names, block = (
        _contexts(table, given, set(named.values())) if contexts else ((), np.zeros((len(actions), 0)))
    )
    return ActionRows(
        path,
        table["line"].cast(pl.Int64).to_numpy(),
        actions.to_list(),
        None if position is None else _names(table[position]).fill_null("").to_list(),
        numbers,
        block,
        names,
    )


def _names(column: pl.Series) -> pl.Series:
    """As text; whole numbers that a file keeps as floats lose their ".0"."""
    if column.dtype.is_float() and (column.drop_nulls() % 1 == 0).all():
        column = column.cast(pl.Int64)
    return column.cast(pl.String)


def _found(table: pl.DataFrame, part: str, columns: Mapping[str, str]) -> str | None:
    names = (columns[part], *NAMES[part]) if part in columns else NAMES[part]
    return next((name for name in names if name in table.columns), None)


def _column(table: pl.DataFrame, path: Path, part: str, columns: Mapping[str, str]) -> str:
    found = _found(table, part, columns)
    if found is None:
        wanted = columns.get(part) or " or ".join(NAMES[part][:3])
        raise DataError(
            f"{path} has no column for {part} ({wanted}); it has {_listed(table)}.",
            next_step=f"Name it: --columns {part}=COLUMN.",
        )
    return found


def _listed(table: pl.DataFrame) -> str:
    names = [name for name in table.columns if name not in ("line", "")]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _numbers(table: pl.DataFrame, path: Path, column: str, part: str) -> npt.NDArray[np.float64]:
    raw = table[column].replace("", None) if table[column].dtype == pl.String else table[column]
    found = raw.cast(pl.Float64, strict=False)
    odd = found.is_null() & raw.is_not_null()
    if odd.any():
        place = int(odd.arg_true()[0])
        raise DataError(
            f"{path}, line {table['line'][place]}: the {part} is {raw[place]!r}, which is no number.",
            next_step="Correct the row, or name another column with --columns.",
        )
    return found.fill_null(float("nan")).to_numpy()


def _check(rows: ActionRows, part: str, bad: npt.NDArray[np.bool_], remedy: str | None = None) -> None:
    if bad.any():
        place, count = int(np.flatnonzero(bad)[0]), int(bad.sum())
        value = rows.numbers[part][place]
        words = "missing" if np.isnan(value) else f"{value:g}"
        raise DataError(
            f"{rows.path}, line {rows.lines[place]}: the {part} is {words} ({count} such "
            f"row{'s' * (count > 1)} in {len(rows)}).",
            next_step=remedy or REMEDY[part],
        )


def _contexts(
    table: pl.DataFrame, given: list[str] | None, used: set[str]
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    wanted = given or [
        name for name in table.columns if name.lower().startswith(CONTEXT_LIKE) and name not in used
    ]
    names, blocks = [], []
    for name in wanted:
        numbers = table[name].cast(pl.Float64, strict=False)
        if numbers.null_count() == table[name].null_count():
            values = numbers.to_numpy()
            if np.nanstd(values) > 0:
                names.append(name)
                blocks.append(np.where(np.isfinite(values), values, np.nanmean(values)))
            continue
        levels = table[name].cast(pl.String).value_counts(sort=True, name="rows")[name].drop_nulls()
        for level in levels.head(MOST_LEVELS).to_list()[1:]:  # the commonest is what the others differ from
            names.append(f"{name}={level}")
            blocks.append((table[name].cast(pl.String) == level).fill_null(False).cast(pl.Float64).to_numpy())
    if not blocks:
        return (), np.zeros((table.height, 0))
    return tuple(names), np.stack(blocks, axis=1)
