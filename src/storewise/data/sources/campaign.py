"""A campaign's table: who got which message, what came of it, and what was known of everybody before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import ConfigError, DataError
from storewise.data.sources.raw import read_raw
from storewise.metrics.effect import arm_effects, standardised_differences

CONTROLS = ("control", "none", "no", "0", "false", "off", "holdout", "no message", "no e-mail", "no email",
            "no mail", "no treatment", "untreated", "placebo", "baseline", "对照", "对照组", "无")  # fmt: skip
MOST_ARMS = 20
LEAST_EXPECTED = 15.0  # rows that chance alone would show; that none is there is then no accident (p < 1e-6)
UNLIKE = 0.1  # a standardised difference between arms that randomisation does not leave in many people
SURE = 1e-6


@dataclass(frozen=True)
class CampaignTable:
    """``features`` (n rows of plain columns, numbers where all cells are numbers), ``outcome`` (n,) float64,
    ``arms`` (n,) with 0 the control, ``arm_names`` by number. ``notes``: what was left out or assumed, and why."""

    features: pl.DataFrame
    outcome: npt.NDArray[np.float64]
    arms: npt.NDArray[np.int64]
    arm_names: tuple[str, ...]
    notes: tuple[str, ...]


def read_campaign(
    path: Path, treatment: str, outcome: str, *, control: str | None = None, exclude: Sequence[str] = ()
) -> CampaignTable:
    """Read CSV, TSV or Parquet, packed or not.

    The control is the value that ``control`` names, else the one called so (``control``, ``none``, ``no e-mail``,
    ``0`` …). Columns that only a look back in time can hold are left out of the features, each with a note: see
    :func:`after_treatment`; so are ids.

    Raises:
        ConfigError: for a column or a control that does not exist, and where no control is found.
        DataError: for a file that cannot be read, one arm or too many, an outcome that is no number.
    """
    table = typed(read_raw(path).drop("line"))
    asked = [("--treatment", treatment), ("--outcome", outcome), *(("--exclude", e) for e in exclude)]
    for option, column in asked:
        if column not in table.columns:
            raise ConfigError(
                f"{path} has no column {column!r} ({option}).",
                next_step=f"It has: {', '.join(table.columns)}.",
            )
    if treatment == outcome:
        raise ConfigError(
            f"{treatment!r} is both treatment and outcome.", next_step="Name two different columns."
        )
    whole = table.height
    table = table.filter(pl.col(treatment).is_not_null() & pl.col(outcome).is_not_null())
    notes = [f"{whole - table.height:,} rows without treatment or outcome"] if table.height < whole else []
    values = _outcome(table[outcome], path)
    arms, names, told = _arms(table[treatment], control, path)
    notes += told
    features = table.drop(treatment, outcome, *exclude)
    if exclude:
        notes.append(f"left out as told: {', '.join(exclude)}")
    for column, why in after_treatment(features, values, arms, len(names)).items():
        features = features.drop(column)
        notes.append(f"left out {column}: {why}")
    for column in features.columns:
        if useless := _useless(features[column]):
            features = features.drop(column)
            notes.append(f"left out {column}: {useless}")
    if not features.width:
        raise DataError(
            f"{path} has no column left that was known before the treatment.",
            next_step="Add what is known of the people, such as how recently and how much they bought.",
        )
    return CampaignTable(features, values, arms, names, tuple(notes))


def typed(table: pl.DataFrame) -> pl.DataFrame:
    """Columns of numbers as Float64, all else as text; infinite and NaN cells are null.

    >>> typed(pl.DataFrame({"a": ["1", "2.5"], "b": ["1", "x"]})).dtypes
    [Float64, String]
    """
    columns = []
    for column in table.get_columns():
        if column.dtype.is_nested() or column.dtype == pl.Binary:
            continue
        if column.dtype.is_temporal():
            columns.append(column.cast(pl.String))
            continue
        number = column.cast(pl.Float64, strict=False)
        if column.dtype == pl.String:
            filled = column.str.strip_chars().replace("", None)
            number = filled.cast(pl.Float64, strict=False)
            if number.null_count() > filled.null_count():
                columns.append(filled)
                continue
        elif number.null_count() > column.null_count():
            columns.append(column.cast(pl.String))
            continue
        columns.append(pl.select(pl.when(number.is_finite()).then(number)).to_series().alias(column.name))
    return pl.DataFrame(columns)


def _outcome(column: pl.Series, path: Path) -> npt.NDArray[np.float64]:
    if column.dtype == pl.String:
        words = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
        lowered = column.str.to_lowercase()
        bad = lowered.filter(~lowered.is_in(list(words)))
        if len(bad):
            raise DataError(
                f"{path}: the outcome {column.name!r} holds {bad[0]!r}, which is no number.",
                next_step="Write 0 and 1, or an amount.",
            )
        return lowered.replace_strict(words, return_dtype=pl.Float64).to_numpy()
    return column.to_numpy()


def _arms(
    column: pl.Series, control: str | None, path: Path
) -> tuple[npt.NDArray[np.int64], tuple[str, ...], list[str]]:
    """Arm numbers, names with the control first, and what was assumed."""
    cells = [_name(cell) for cell in column.to_list()]
    found = sorted(set(cells))
    if not 2 <= len(found) <= MOST_ARMS:
        raise DataError(
            f"{path}: the treatment {column.name!r} has {len(found)} different values, 2 to {MOST_ARMS} can be told apart.",
            next_step="Name the column that says which message a person got (or none).",
        )
    if control is not None and control not in found:
        raise ConfigError(
            f"{path}: no row has the control {control!r}.", next_step=f"There are: {', '.join(found)}."
        )
    named = [name for name in found if name.lower() in CONTROLS]
    if control is None and len(named) != 1:
        what = f"{len(named)} values look like the control" if named else "no value looks like the control"
        raise ConfigError(
            f"{path}: {what} among {', '.join(found)}.", next_step="Say which with --control VALUE."
        )
    first = control if control is not None else named[0]
    names = (first, *(name for name in found if name != first))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[cell] for cell in cells], np.int64), names, [f"control: {first}"]


def _name(cell: object) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def after_treatment(
    features: pl.DataFrame, outcome: npt.NDArray[np.float64], arms: npt.NDArray[np.int64], n_arms: int
) -> dict[str, str]:
    """Columns that can only be known after the treatment, with the reason.

    A number that is never above zero without the outcome (money spent, where the outcome is a visit), or zero
    only where the outcome is zero too (a visit, where the outcome is money), by far more than chance allows. And
    a number that differs between arms although most others do not: in a randomised trial nothing that was there
    before can. What is neither, such as an amount with noise in it, only the owner of the data can name.
    """
    with_outcome = outcome != 0
    found: dict[str, str] = {}
    unlike: dict[str, str] = {}
    numbers = [c for c in features.columns if features[c].dtype == pl.Float64]
    for column in numbers:
        values = features[column].fill_null(0.0).to_numpy()
        there = values != 0
        if not there.any():
            continue
        if not there[~with_outcome].any() and there.mean() * (~with_outcome).sum() >= LEAST_EXPECTED:
            found[column] = "it is zero whenever the outcome is, so it comes after the treatment"
        elif not with_outcome[~there].any() and with_outcome.mean() * (~there).sum() >= LEAST_EXPECTED:
            found[column] = "the outcome is zero whenever it is, so it comes after the treatment"
        elif _differs(features[column].to_numpy(), arms, n_arms):
            unlike[column] = "it differs between the arms, which nothing known before a randomised trial does"
    if 2 * len(unlike) < max(len(numbers) - len(found), 1):
        found |= unlike
    return found


def _differs(values: npt.NDArray[np.float64], arms: npt.NDArray[np.int64], n_arms: int) -> bool:
    kept = ~np.isnan(values)
    if np.bincount(arms[kept], minlength=n_arms).min() < 2:
        return False
    effects = arm_effects(values[kept], arms[kept], n_arms)[1:]
    gaps = np.abs(standardised_differences(values[:, None], arms, n_arms)[1:, 0])
    return bool(np.nanmin([one.p for one in effects] + [1.0]) < SURE and gaps.max() > UNLIKE)


def _useless(column: pl.Series) -> str | None:
    distinct = column.drop_nulls().n_unique()
    if distinct <= 1:
        return "the same for everybody"
    if column.dtype == pl.String and distinct > 0.5 * len(column):
        return "an id or a text of its own for nearly everybody"
    if column.dtype == pl.Float64 and distinct == len(column) and _counts(column):
        return "a row number or an id"
    return None


def _counts(column: pl.Series) -> bool:
    """True for whole numbers that are dense or sorted: numbering, not measuring."""
    values = column.to_numpy()
    return bool(
        (values == np.floor(values)).all()
        and ((np.diff(values) > 0).all() or np.ptp(values) < 2 * len(values))
    )
