"""Sorting rows by rules: every row has one outcome, the first rule that holds for it decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from storewise.data.schema import REJECTS_SCHEMA, Outcome, Report

RULE = "rule"


@dataclass(frozen=True)
class Rule:
    """Rows that fulfil ``condition``, and no rule before it, have this outcome for this reason."""

    outcome: Outcome
    reason: str
    condition: pl.Expr

    @property
    def keeps(self) -> bool:
        return self.outcome in ("kept", "repaired")


EVERYTHING_ELSE = Rule("kept", "as it was read", pl.lit(True))


def rule_of_each(rules: Sequence[Rule]) -> pl.Expr:
    """The index of the rule that decides (UInt8, column ``rule``); the last rules must leave no row out."""
    chosen = pl.lit(None, pl.UInt8)
    for index, rule in reversed(list(enumerate(rules))):
        chosen = pl.when(rule.condition).then(pl.lit(index, pl.UInt8)).otherwise(chosen)
    return chosen.alias(RULE)


def is_kept(rules: Sequence[Rule]) -> pl.Expr:
    """Whether the deciding rule keeps the row; reads column ``rule``."""
    return pl.col(RULE).is_in([index for index, rule in enumerate(rules) if rule.keeps])


def count(rows: pl.DataFrame, rules: Sequence[Rule], table: str, *, example: Sequence[str]) -> Report:
    """One line of the report for each rule that found rows, with the first of them as example.

    Args:
        rows: column ``rule`` and the ones named by ``example``.
    """
    report = Report()
    first = pl.concat_str(example, separator=" ", ignore_nulls=True).first()
    for index, found, text in rows.group_by(RULE).agg(pl.len(), first).sort(RULE).iter_rows():
        report.add(table, rules[index].outcome, rules[index].reason, found, example=text or "")
    return report


def rejects(rows: pl.DataFrame, rules: Sequence[Rule], table: str, *, cells: Sequence[str]) -> pl.DataFrame:
    """The rows that are not kept, with their line, "outcome: reason", and ``cells`` as JSON."""
    reasons = [f"{rule.outcome}: {rule.reason}" for rule in rules]
    reason = pl.col(RULE).replace_strict(range(len(rules)), reasons, return_dtype=pl.String)
    row = pl.struct(cells).struct.json_encode()
    out = rows.lazy().filter(~is_kept(rules))
    out = out.select(table=pl.lit(table), line="line", reason=reason, row=row)
    return out.cast(pl.Schema(REJECTS_SCHEMA)).collect()


def sift(
    rows: pl.DataFrame, rules: Sequence[Rule], table: str, *, cells: Sequence[str], example: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame, Report]:
    """The kept rows, the rejects table and the report; see the functions above.

    ``example`` must name no column that leads to a person: the report is shown and kept as it is.

    >>> rows = pl.DataFrame({"line": [1, 2], "units": [3, 0]})
    >>> rules = [Rule("set aside", "no unit sold", pl.col("units") == 0), EVERYTHING_ELSE]
    >>> kept, out, report = sift(rows, rules, "events", cells=["units"], example=["units"])
    >>> kept["line"].to_list(), out.rows(), report.total("events")
    ([1], [('events', 2, 'set aside: no unit sold', '{"units":0}')], 2)
    """
    decided = rows.with_columns(rule_of_each(rules))
    kept = decided.filter(is_kept(rules)).drop(RULE)
    return (
        kept,
        rejects(decided, rules, table, cells=cells),
        count(decided, rules, table, example=example),
    )
