"""Values of a column as 64-bit numbers that mean the same in training and in serving, whatever the frame's types."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]
"""(n,) uint64; 0 stands for a missing value."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection that spreads near numbers.

    >>> bool(mixed(np.array([1], np.uint64))[0] != mixed(np.array([2], np.uint64))[0])
    True
    """
    with np.errstate(over="ignore"):
        z = values + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found: Hashes = z ^ (z >> np.uint64(31))
    return found


def of_column(column: pl.Series) -> Hashes:
    """Hashes of a column's values; null, NaN and blank text are 0. Whole numbers hash alike as int, float or text.

    >>> of_column(pl.Series([3, None])).tolist() == of_column(pl.Series(["3", " "])).tolist()
    True
    """
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        return _of_whole(column.cast(pl.Int64, strict=False))
    if column.dtype.is_float():
        column = values = column.fill_nan(None)
        whole = values.cast(pl.Int64, strict=False)
        if ((whole.cast(pl.Float64) == values) | values.is_null()).all():
            return _of_whole(whole)
    text = column.cast(pl.String, strict=False).str.strip_chars().replace("", None)
    whole = text.cast(pl.Int64, strict=False)
    as_whole = (whole.cast(pl.String) == text).fill_null(False).to_numpy()
    found = np.where(as_whole, _of_whole(whole), np.uint64(0))
    rest = text.filter(pl.Series(~as_whole))
    if rest.null_count() < len(rest):
        distinct = rest.drop_nulls().unique()
        numbers = pl.Series([_of_text(value) for value in distinct], dtype=pl.UInt64)
        found[~as_whole] = rest.replace_strict(
            distinct, numbers, default=0, return_dtype=pl.UInt64
        ).to_numpy()
    return found


def paired(left: Hashes, right: Hashes) -> Hashes:
    """Hashes of pairs of values, in order; a missing part is a value of its own."""
    with np.errstate(over="ignore"):
        found: Hashes = mixed(left * np.uint64(0xC2B2AE3D27D4EB4F) + right + _GOLDEN)
    return np.maximum(found, np.uint64(1))


def _of_whole(column: pl.Series) -> Hashes:
    present = column.is_not_null().to_numpy()
    values = column.fill_null(0).to_numpy().astype(np.int64).view(np.uint64)
    return np.where(present, np.maximum(mixed(values), np.uint64(1)), np.uint64(0))


def _of_text(value: str) -> int:
    return max(int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big"), 1)
