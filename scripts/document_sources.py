#!/usr/bin/env python3
"""Write the counts of the embedded data into docs/data-sources.md; with --check only compare."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl

from storewise.data.schema import Report
from storewise.data.sources import load_source

PAGE = Path(__file__).resolve().parents[1] / "docs/data-sources.md"
BLOCK = re.compile(r"(<!-- counts: online-retail -->\n).*?(<!-- end -->)", re.S)


def table(report: Report) -> str:
    """The report as Markdown, with a total for each table."""
    lines = ["| table | outcome | reason | rows | for example |", "| --- | --- | --- | ---: | --- |"]
    frame = report.frame()
    for name, rows in frame.group_by("table", maintain_order=True):
        for _, outcome, reason, count, example in rows.iter_rows():
            lines.append(f"| {name[0]} | {outcome} | {reason} | {count:,} | {example} |")
        total = rows.select(pl.col("rows").sum()).item()
        lines.append(f"| **{name[0]}** | | **all** | **{total:,}** | |")
    return "\n".join(lines)


def page(report: Report, text: str) -> str:
    """The page's text with the counts of the report."""
    return BLOCK.sub(lambda found: f"{found[1]}{table(report)}\n{found[2]}", text)


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    new = page(load_source("online-retail").report, text)
    if "--check" in sys.argv:
        print("the counts are right" if new == text else f"{PAGE} is out of date: run {sys.argv[0]}")
        return int(new != text)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
