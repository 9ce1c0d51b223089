"""From a table of any columns to the rows that predictors read: kinds, codes, dates, text, rates; learned once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.core.rng import derive_seed, spawn
from storewise.predict.base import MISSING, Labelled, Rows
from storewise.predict.tables import hashing
from storewise.predict.tables.columns import (
    DAY_S,
    UNKNOWN_MOMENT,
    Column,
    cleaned,
    date,
    dates_of,
    describe,
    moments_of,
    numbers_of,
)
from storewise.predict.tables.keys import KeyRates
from storewise.predict.tables.text import Encode, TextDirections

YEAR_S = 365.2425 * DAY_S
LATER_YEARS = 2.0  # of the clock: rows to come lie after those learned from, so a season must have come twice
Floats = npt.NDArray[np.float64]


class FieldsConfig(Config):
    """``text``: columns to read as text. ``time``: the column that says when a row happened. ``least_count``: rows
    a category needs to have a code of its own; ``most_codes``: codes of one column, the most frequent ones.
    ``rates``: whether earlier rows are counted; ``crossed``: columns whose pairs are counted too."""

    text: tuple[str, ...] = ()
    time: str | None = None
    least_count: int = Field(default=10, ge=1)
    most_codes: int = Field(default=10_000, ge=1)
    rates: bool = True
    crossed: int = Field(default=6, ge=0)
    text_dimensions: int = Field(default=32, ge=1)


@dataclass(frozen=True)
class Fields:
    """What training rows taught about columns. ``vocabularies``: column → hashes of its known values, rising, and
    their codes; ``texts``: column → how it becomes vectors (None: by the encoder given); ``notes``: what was left
    out and why. State is plain arrays."""

    config: FieldsConfig
    columns: tuple[Column, ...]
    vocabularies: dict[str, tuple[hashing.Hashes, npt.NDArray[np.int32]]]
    rates: KeyRates
    texts: dict[str, TextDirections | None]
    start_s: float
    encode: Encode | None = field(default=None, compare=False)

    @property
    def notes(self) -> list[str]:
        return [column.note for column in self.columns if column.note]

    def __call__(self, frame: pl.DataFrame) -> Rows:
        """Rows after training: unseen values are 0, rates are those that training ended with.

        Raises:
            DataError: for a column that training had and the frame has not.
        """
        self._check(frame)
        return self._rows(frame, self.rates.after(key_hashes(frame, self.columns), len(frame)))

    def _check(self, frame: pl.DataFrame) -> None:
        wanted = [column.name for column in self.columns if column.kind != "left out"]
        if absent := [name for name in wanted if name not in frame.columns]:
            raise DataError(
                f"The table has no column {', '.join(map(repr, absent))}, which training had.",
                next_step=f"Give the columns {', '.join(wanted)}.",
            )

    def _rows(self, frame: pl.DataFrame, rates: npt.NDArray[np.float32]) -> Rows:
        numbers: dict[str, Floats] = {}
        codes: dict[str, npt.NDArray[np.int32]] = {}
        moments = None
        if self.config.time is not None and self.config.time in frame.columns:
            moments = numbers_of(dates_of(frame[self.config.time]))
        for column in self.columns:
            if column.kind == "number":
                numbers[column.name] = numbers_of(cleaned(frame[column.name]))
            elif column.kind == "date":
                numbers |= self._date(column, frame[column.name], moments)
            if column.is_category:
                codes[column.name] = self._codes(column.name, frame[column.name])
        rate_names = self.rates.names
        blocks = [block.astype(np.float32)[:, None] for block in numbers.values()]
        sizes = tuple(int(self.vocabularies[name][1].max(initial=0)) + 1 for name in codes)
        return Rows(
            np.concatenate([*blocks, rates], axis=1) if blocks or len(rate_names) else
            np.zeros((len(frame), 0), np.float32),
            np.stack(list(codes.values()), axis=1) if codes else np.zeros((len(frame), 0), np.int32),
            (*numbers, *rate_names), tuple(codes), sizes,
            {name: self._vectors(name, frame[name]) for name in self.texts},
        )  # fmt: skip

    def _date(self, about: Column, column: pl.Series, moments: Floats | None) -> dict[str, Floats]:
        """Hour and weekday, day of the month and time of the year where training spans years; for another column
        than the time, how long before the row's moment it lies."""
        name, dates = about.name, dates_of(cleaned(column))
        seconds = numbers_of(dates)
        hour = (seconds % DAY_S) / 3600.0
        found = {
            f"{name}: hour": hour,
            f"{name}: sine of the hour": np.sin(hour * np.pi / 12.0),
            f"{name}: cosine of the hour": np.cos(hour * np.pi / 12.0),
            f"{name}: weekday": ((seconds // DAY_S) + 3) % 7,
        }
        if about.calendar:
            turn = (seconds / YEAR_S) * 2.0 * np.pi
            found |= {
                f"{name}: month": numbers_of(dates.dt.month()), f"{name}: day": numbers_of(dates.dt.day()),
                f"{name}: sine of the year": np.sin(turn), f"{name}: cosine of the year": np.cos(turn),
            }  # fmt: skip
        if name != self.config.time:
            age = (self.start_s if moments is None else moments) - seconds
            found[f"{name}: days before"] = age / DAY_S
        return found

    def _codes(self, name: str, column: pl.Series) -> npt.NDArray[np.int32]:
        known, codes = self.vocabularies[name]
        hashes = hashing.of_column(cleaned(column))
        if not len(known):
            return np.where(hashes == 0, MISSING, 0).astype(np.int32)
        place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
        found = np.where(known[place] == hashes, codes[place], 0)
        return np.where(hashes == 0, MISSING, found).astype(np.int32)

    def _vectors(self, name: str, column: pl.Series) -> npt.NDArray[np.float32]:
        model = self.texts[name] or self.encode
        if model is None:
            raise DataError(
                f"{name!r} was read by an encoder in training, and none is given.",
                next_step="Pass the same encoder to Fields.restore.",
            )
        return np.asarray(model(texts_of(column)), np.float32)

    def state(self) -> Arrays:
        """Plain arrays; :meth:`restore` takes them."""
        about = {
            "config": self.config.model_dump(mode="json"), "columns": [asdict(c) for c in self.columns],
            "start_s": self.start_s, "texts": {name: model is None for name, model in self.texts.items()},
        }  # fmt: skip
        found: dict[str, Any] = {"about": np.frombuffer(orjson.dumps(about), np.uint8), **self.rates.state()}
        for number, name in enumerate(self.vocabularies):  # a column's name may be no name of a file
            found[f"known.{number}"], found[f"codes.{number}"] = self.vocabularies[name]
        for number, model in enumerate(self.texts.values()):
            if model is not None:
                found[f"idf.{number}"], found[f"directions.{number}"] = model.idf, model.directions
        return found

    @classmethod
    def restore(cls, state: Arrays, *, encode: Encode | None = None) -> Fields:
        """What ``state`` gave; ``encode`` where texts were read by an encoder."""
        about = orjson.loads(state["about"].tobytes())
        columns = tuple(Column(**column) for column in about["columns"])
        coded = [column.name for column in columns if column.is_category]
        texts = {
            name: None
            if by_encoder
            else TextDirections(state[f"idf.{number}"], state[f"directions.{number}"])
            for number, (name, by_encoder) in enumerate(about["texts"].items())
        }
        return cls(
            FieldsConfig(**about["config"]), columns,
            {name: (state[f"known.{number}"], state[f"codes.{number}"]) for number, name in enumerate(coded)},
            KeyRates.restore(state), texts, about["start_s"], encode,
        )  # fmt: skip


def learn(
    frame: pl.DataFrame,
    labels: Floats,
    *,
    config: FieldsConfig | None = None,
    seed: int,
    groups: npt.NDArray[np.int64] | None = None,
    encode: Encode | None = None,
) -> tuple[Fields, Labelled]:
    """Fields of training rows, and the rows themselves as they were at their moment.

    ``groups`` (n,): without a clock, rows of one group are not counted for each other. ``encode``: an encoder for text columns
    instead of directions learned here.

    Raises:
        DataError: for a column named in the config that is not there, or when nothing can be learned from.

    >>> frame = pl.DataFrame({"colour": ["red", "blue"] * 40, "all": [1] * 80})
    >>> fields, data = learn(frame, np.array([1.0, 0.0] * 40), seed=1)
    >>> data.rows.category_names, fields.notes
    (('colour',), ['all is left out: it is 1 in every row'])
    """
    chosen = config or FieldsConfig()
    _check_named(frame, chosen)
    columns = _described(frame, chosen)
    vocabularies = {c.name: _vocabulary(frame[c.name], chosen) for c in columns if c.is_category}
    moments, start_s = None, 0.0
    if chosen.time is not None:
        moments, _ = moments_of(frame[chosen.time])
        start_s = float(moments[moments > UNKNOWN_MOMENT].min(initial=0) / 1e6)
    texts = {c.name: _text_model(frame[c.name], chosen, seed, encode) for c in columns if c.kind == "text"}
    hashes = key_hashes(frame, columns) if chosen.rates else {}
    clock = moments if moments is not None else _order(len(frame), seed, groups)
    rates, at_their_moment = KeyRates.learn(hashes, labels, moments=clock, crossed=chosen.crossed)
    fields = Fields(chosen, columns, vocabularies, rates, texts, start_s, encode)
    rows = fields._rows(frame, at_their_moment)
    if not rows.number_names and not rows.category_names and not rows.vectors:
        raise DataError(
            f"No column can be learned from: {'; '.join(fields.notes) or 'there is none'}.",
            next_step="Add columns that differ from row to row.",
        )
    return fields, Labelled(rows, labels)


def key_hashes(frame: pl.DataFrame, columns: Sequence[Column]) -> dict[str, hashing.Hashes]:
    """Hashes of every column whose values can be counted."""
    return {c.name: hashing.of_column(cleaned(frame[c.name])) for c in columns if c.is_key}


def texts_of(column: pl.Series) -> list[str]:
    """Texts, empty where there is none."""
    return [value or "" for value in cleaned(column).cast(pl.String).to_list()]


def _check_named(frame: pl.DataFrame, config: FieldsConfig) -> None:
    named = [*config.text, *([config.time] if config.time is not None else [])]
    if absent := [name for name in named if name not in frame.columns]:
        raise DataError(
            f"There is no column {', '.join(map(repr, absent))}.",
            next_step=f"The columns are: {', '.join(frame.columns)}.",
        )


def _described(frame: pl.DataFrame, config: FieldsConfig) -> tuple[Column, ...]:
    found = []
    for name in frame.columns:
        if name == config.time:
            _, clock = moments_of(frame[name])
            order = Column(name, "left out", note=f"{name} gives the order, and is no feature")
            found.append(date(name, cleaned(frame[name]), years=LATER_YEARS) if clock else order)
        else:
            found.append(describe(frame[name], text=name in config.text, least_count=config.least_count))
    return tuple(found)


def _vocabulary(
    column: pl.Series, config: FieldsConfig
) -> tuple[hashing.Hashes, npt.NDArray[np.int32]]:  # fmt: skip
    """Hashes of values frequent enough, rising, with codes 1 … by falling frequency."""
    hashes = hashing.of_column(cleaned(column))
    values, counts = np.unique(hashes[hashes != 0], return_counts=True)
    # With little data a code needs fewer rows, or small tables would lose their categories.
    least = max(2, min(config.least_count, len(column) // 100))
    ranked = np.lexsort((values, -counts))
    ranked = ranked[counts[ranked] >= least][: config.most_codes]
    codes = np.arange(1, len(ranked) + 1, dtype=np.int32)
    order = np.argsort(values[ranked])
    return values[ranked][order], codes[order]


def _text_model(
    column: pl.Series, config: FieldsConfig, seed: int, encode: Encode | None
) -> TextDirections | None:
    if encode is not None:
        return None
    return TextDirections.learn(
        texts_of(column), dimensions=config.text_dimensions, seed=derive_seed(seed, column.name) % 2**32
    )


def _order(n: int, seed: int, groups: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
    """(n,) moments by chance for rows without a clock; rows of one group have one moment, and do not see each other."""
    rng = spawn(seed, "order of rates")
    if groups is None:
        return rng.permutation(n)
    _, group_at = np.unique(groups, return_inverse=True)
    return rng.permutation(int(group_at.max(initial=0)) + 1)[group_at]
