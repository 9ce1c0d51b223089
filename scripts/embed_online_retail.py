#!/usr/bin/env python3
"""Make the embedded copy of Online Retail II and prove that nothing was lost.

    scripts/embed_online_retail.py SOURCE.parquet [TARGET.parquet]

SOURCE is the whole table (both yearly sheets, one below the other) from
https://archive.ics.uci.edu/dataset/502/online+retail+ii, as Parquet with the original column names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

TARGET = Path(__file__).resolve().parents[1] / "src/storewise/data/sources/online_retail_ii.parquet"
ROWS = 1_067_371


def main(source: Path, target: Path) -> None:
    table = pl.read_parquet(source)
    if table.height != ROWS:
        raise SystemExit(f"{source} has {table.height} rows, the published table has {ROWS}.")
    table.write_parquet(
        target, compression="zstd", compression_level=22, row_group_size=ROWS, statistics=False
    )
    if not pl.read_parquet(target).equals(table, null_equal=True):
        raise SystemExit(f"{target} differs from {source}.")
    print(f"{target}: {target.stat().st_size:,} bytes, equal to {source}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else TARGET)
