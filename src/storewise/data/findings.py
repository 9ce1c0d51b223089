"""What is wrong with which row, and the split into good rows and rejects."""

from __future__ import annotations

import polars as pl

from storewise.data.schema import REJECTS_SCHEMA, Report

_FOUND = {"row": pl.UInt32, "label": pl.String, "reason": pl.String}


class Findings:
    """Collects problems of one table's rows; a row may have several and is counted by its first.

    >>> findings = Findings("stock", 3)
    >>> findings.reject("on_hand", "is missing", pl.Series([False, True, False]))
    >>> findings.bad.to_list()
    [False, True, False]
    """

    def __init__(self, table: str, height: int) -> None:
        self._table = table
        self._height = height
        self._rejected: list[pl.DataFrame] = []
        self._repaired: list[pl.DataFrame] = []

    def reject(
        self, column: str, rule: str, bad: pl.Series, cells: pl.Series | None = None, *, hint: str = ""
    ) -> None:
        """Reject the rows where ``bad``: "quantity '-3' is below 1" with the cell's text and a hint."""
        self._note(self._rejected, column, rule, bad, cells, hint)

    def repair(self, column: str, rule: str, rows: pl.Series, cells: pl.Series | None = None) -> None:
        """Count the rows as repaired, unless they are rejected for something else."""
        self._note(self._repaired, column, rule, rows, cells, "")

    @property
    def bad(self) -> pl.Series:
        """True for each row with a problem."""
        rows = (
            pl.concat([part["row"] for part in self._rejected])
            if self._rejected
            else pl.Series([], dtype=pl.UInt32)
        )
        mask = pl.Series("bad", [False]).new_from_index(0, self._height)
        return mask.scatter(rows.unique(), True) if len(rows) else mask

    def rejects(self, source: pl.DataFrame) -> pl.DataFrame:
        """The rejects table: ``source`` has the column line and the cells of the file."""
        if not self._rejected:
            return pl.DataFrame(schema=REJECTS_SCHEMA)
        reasons = (
            pl.concat(self._rejected)
            .group_by("row", maintain_order=True)
            .agg(pl.col("reason").str.join("; "))
            .sort("row")
        )
        rows = source[reasons["row"]]
        cells = [pl.col(name).cast(pl.String, strict=False) for name in rows.columns if name != "line"]
        texts = rows.select(
            pl.struct(cells).struct.json_encode().alias("row") if cells else pl.lit("{}").alias("row")
        )
        return pl.DataFrame(
            {
                "table": pl.Series([self._table]).new_from_index(0, rows.height),
                "line": rows["line"],
                "reason": reasons["reason"],
                "row": texts["row"],
            },
            schema=REJECTS_SCHEMA,
        )

    def report(self, *, kept_reason: str = "as given") -> Report:
        """Every row once: rejected by its first problem, else repaired by its first repair, else kept."""
        report = Report()
        rejected = self._first(self._rejected)
        repaired = self._first(self._repaired).join(rejected, on="row", how="anti", maintain_order="left")
        kept = self._height - rejected.height - repaired.height
        report.add(self._table, "kept", kept_reason, kept)
        for found, outcome in ((repaired, "repaired"), (rejected, "rejected")):
            groups = found.group_by("label", maintain_order=True).agg(pl.len(), pl.col("reason").first())
            for label, rows, example in groups.sort("len", descending=True, maintain_order=True).iter_rows():
                report.add(
                    self._table,
                    "repaired" if outcome == "repaired" else "rejected",
                    label,
                    rows,
                    example=example,
                )
        return report

    def _note(
        self,
        into: list[pl.DataFrame],
        column: str,
        rule: str,
        rows: pl.Series,
        cells: pl.Series | None,
        hint: str,
    ) -> None:
        where = rows.fill_null(False).arg_true()
        if not len(where):
            return
        found = pl.DataFrame({"row": where.cast(pl.UInt32)})
        tail = f"{rule}{f' ({hint})' if hint else ''}"
        if cells is None:
            reason = pl.lit(f"{column} {tail}")
        else:
            text = cells.gather(where).cast(pl.String, strict=False).fill_null("").str.slice(0, 80)
            found = found.with_columns(text.alias("cell"))
            reason = pl.concat_str(pl.lit(f"{column} '"), "cell", pl.lit(f"' {tail}"))
        into.append(found.select("row", pl.lit(f"{column} {rule}").alias("label"), reason.alias("reason")))

    @staticmethod
    def _first(parts: list[pl.DataFrame]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=_FOUND)
        return pl.concat(parts).unique("row", keep="first", maintain_order=True)
