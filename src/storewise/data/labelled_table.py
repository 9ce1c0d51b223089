"""A table with a yes/no outcome: which value means that it happened, and rows without one left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError

YES = ("1", "1.0", "true", "yes", "y", "t")
NO = ("0", "0.0", "false", "no", "n", "f", "-1", "-1.0")


@dataclass(frozen=True)
class LabelledTable:
    """``frame``: all columns but the label, rows without a label left out; ``labels`` (n,) 0 or 1; ``event``: the
    value that counts as 1; ``notes``: what was done."""

    frame: pl.DataFrame
    labels: npt.NDArray[np.float64]
    event: str
    notes: tuple[str, ...] = ()


def with_label(frame: pl.DataFrame, label: str, *, where: str = "The table") -> LabelledTable:
    """Part a table into features and the label: 0/1, true/false, yes/no, or any two values.

    Of two values that say neither yes nor no, the rarer one is the event (of two equally frequent ones, the later
    in the alphabet), and a note says so.

    Raises:
        DataError: for a column that is not there, or does not hold two values.

    >>> table = with_label(pl.DataFrame({"x": [1, 2, 3], "bought": ["yes", "no", None]}), "bought")
    >>> table.labels.tolist(), table.notes
    ([1.0, 0.0], ('1 row without a label is left out',))
    """
    need_columns(frame, (label,), where=where)
    column = frame[label]
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise DataError(f"{label!r} has the type {column.dtype}.", next_step="Name a column of two values.")
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    text = text.to_frame().select(
        pl.when(~pl.first().is_in(["", "nan", "null", "na", "inf", "-inf"])).then(pl.first())
    ).to_series()  # fmt: skip
    known = text.is_not_null()
    counts = text.drop_nulls().value_counts(sort=True)
    values, n = [str(v) for v in counts[text.name]], len(counts)
    if n < 2:
        held = f"{values[0]!r} in all rows" if n else "nothing"
        raise DataError(
            f"{label!r} holds {held}: one class cannot be learned.", next_step="Give rows of both outcomes."
        )
    if n > 2:
        shown = ", ".join(values[:5]) + (" …" if n > 5 else "")
        raise DataError(
            f"{label!r} has {n:,} values ({shown}); two are needed.", next_step="Make a 0/1 column of it."
        )
    event, guessed = _event(values, counts["count"].to_list())
    notes = [f"{label} = {event!r} is taken for the event"] if guessed else []
    missing = int((~known).sum())
    if missing:
        notes.insert(
            0,
            f"{missing:,} row{'s' if missing > 1 else ''} without a label {'are' if missing > 1 else 'is'} left out",
        )
    labels = (text.filter(known) == event).to_numpy().astype(np.float64)
    return LabelledTable(frame.filter(known).drop(label), labels, event, tuple(notes))


def need_columns(frame: pl.DataFrame, names: tuple[str, ...], *, where: str = "The table") -> None:
    """Raise for columns that are not there.

    Raises:
        DataError: naming them, and those that are.
    """
    if absent := [name for name in names if name not in frame.columns]:
        shown = ", ".join(frame.columns[:30]) + (" …" if len(frame.columns) > 30 else "")
        raise DataError(
            f"{where} has no column {', '.join(map(repr, absent))}.", next_step=f"Its columns are: {shown}."
        )


def _event(values: list[str], counts: list[int]) -> tuple[str, bool]:
    for one, other in (values, values[::-1]):
        if one in YES and other in NO:
            return one, False
    rarer = sorted(zip(counts, [-ord(v[0]) for v in values], values, strict=True))[0][2]
    return rarer, True
