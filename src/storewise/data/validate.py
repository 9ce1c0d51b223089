"""Row by row: raw tables become conforming ones, and what cannot be used says why."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from storewise.core.errors import DataError
from storewise.data import cells
from storewise.data.cells import Reading
from storewise.data.findings import Findings
from storewise.data.mapping import Source, TableMapping, find_columns
from storewise.data.schema import KINDS, UTC_TIME, Column, Report, Table

_PAST_ONLY = ("events", "stock")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JSON = "attributes"


@dataclass(frozen=True)
class Rules:
    """What rows are held against.

    ``now``: later times are rejected, and those before 1970 (campaigns may lie anywhere). ``products``: the catalogue's ids; None
    accepts any. ``currency``: the shop's, by default the table's most frequent; rows in another are rejected. ``where``: the file, for messages.
    """

    now: datetime
    mapping: TableMapping = field(default_factory=TableMapping)
    products: pl.Series | None = None
    currency: str | None = None
    where: str = "the table"


@dataclass(frozen=True)
class Checked:
    """Good rows (conforming, with unique keys), rejects and what became of every row."""

    frame: pl.DataFrame
    rejects: pl.DataFrame
    report: Report


def validate(raw: pl.DataFrame, table: Table, rules: Rules) -> Checked:
    """Check a raw table: columns of any type, and ``line`` with the file's line numbers if it knows them.

    Raises:
        DataError: when it has no rows, lacks a column, has one of a type that cannot be read at all, or
            gives prices without saying their currency.

    >>> from datetime import UTC
    >>> from storewise.data.schema import STOCK
    >>> raw = pl.DataFrame({"product_id": ["a", "b"], "at": ["2011-01-01", "soon"], "on_hand": ["3", "4"]})
    >>> checked = validate(raw, STOCK, Rules(datetime(2012, 1, 1, tzinfo=UTC)))
    >>> checked.frame["product_id"].to_list(), checked.rejects["reason"].to_list()
    (['a'], ["at 'soon' cannot be read as a time (set time_format in the mapping)"])
    """
    if not raw.height:
        raise DataError(f"{rules.where} has no rows.", next_step="Export it again, or leave this table out.")
    given = raw if "line" in raw.columns else raw.with_row_index("line", offset=1)
    found = [name for name in raw.columns if name != "line"]
    sources = find_columns(table, found, rules.mapping, where=rules.where)
    used = list(dict.fromkeys(source.name for source in sources.values() if source.name is not None))
    findings = Findings(table.name, raw.height)
    reader = _Reader(given, sources, rules, findings, table)
    columns = {column.name: reader.column(column) for column in table.columns if column.name in sources}
    frame = table.conform(pl.DataFrame(columns))
    frame = _check_rows(frame, table, rules, findings)
    good = frame.filter(~findings.bad)
    report = findings.report()
    frame = _unique(good, table, report)
    return Checked(frame, findings.rejects(given.select("line", *used)), report)


class _Reader:
    """Reads one column after the other; currencies come first because prices need them."""

    def __init__(
        self, raw: pl.DataFrame, sources: Mapping[str, Source], rules: Rules, findings: Findings, table: Table
    ) -> None:
        self._raw, self._sources, self._rules, self._findings = raw, sources, rules, findings
        self._table = table
        mapping = rules.mapping
        self._how = Reading(mapping.timezone, mapping.time_format, mapping.decimal)
        self.currency = self._currencies()

    def column(self, column: Column) -> pl.Series:
        """The column in the contract's type; unreadable and missing cells are noted."""
        if column.name == "currency":
            return self.currency
        source = self._sources[column.name]
        raw = self._cells(source)
        text = cells.as_text(raw, where=self._rules.where)
        if source.major_units:
            value = self._money(column, source, raw)
        elif column.name == "kind":
            value = cells.read_kinds(raw, dict(self._rules.mapping.kinds), where=self._rules.where)
            self._note_kinds(value, text)
            value = value.cast(pl.String)
        else:
            value = cells.read(column, raw, self._how, where=self._rules.where)
            self._findings.reject(
                column.name,
                _unreadable(column),
                value.is_null() & text.is_not_null(),
                text,
                hint=_hint(column),
            )
        if column.required:
            self._findings.reject(column.name, "is missing", text.is_null())
        return value.alias(column.name)

    def _cells(self, source: Source) -> pl.Series:
        if source.name is not None:
            return self._raw[source.name]
        return pl.Series([source.fixed]).new_from_index(0, self._raw.height)

    def _currencies(self) -> pl.Series:
        """Codes as given, else the mapping's, else the shop's."""
        height, usual = self._raw.height, self._rules.mapping.currency or self._rules.currency
        default = pl.Series("currency", [usual], dtype=pl.String).new_from_index(0, height)
        if "currency" not in self._sources:
            return default
        text = cells.as_text(self._cells(self._sources["currency"]), where=self._rules.where)
        codes = text.str.to_uppercase()
        wrong = ~codes.str.contains(r"^[A-Z]{3}$").fill_null(True)
        self._findings.reject("currency", "is no ISO 4217 code such as GBP", wrong, text)
        return codes.set(wrong, None).zip_with(codes.is_not_null() & ~wrong, default).alias("currency")

    def _money(self, column: Column, source: Source, raw: pl.Series) -> pl.Series:
        name = column.name.removesuffix("_minor")
        text = cells.as_text(raw, where=self._rules.where)
        if self.currency.null_count() == len(self.currency) and text.null_count() < len(text):
            raise DataError(
                f"{self._rules.where}: {name} is in major units but nothing says the currency.",
                next_step="Give --currency GBP (say), currency in the mapping, or a column currency.",
            )
        value = cells.read_major(raw, self.currency, self._how, where=self._rules.where)
        unknown = self.currency.is_null() & text.is_not_null()
        self._findings.reject(name, "has no currency", unknown, text)
        self._findings.reject(
            name,
            "is no amount of money",
            value.is_null() & text.is_not_null() & ~unknown,
            text,
            hint=_DECIMAL_HINT,
        )
        below = (value < 0).fill_null(False)
        self._findings.reject(name, "is below 0", below, text)
        value = value.set(below, None)
        rounded = cells.has_more_decimals(raw, value, self.currency, self._how)
        self._findings.repair(
            name, "has more decimals than its currency: rounded half to even", rounded, text
        )
        return value

    def _note_kinds(self, kinds: pl.Series, text: pl.Series) -> None:
        bad = kinds.is_null() & text.is_not_null()
        hint = f"known: {', '.join(KINDS)}; map others under [events.kinds]"
        if bad.any():
            near = difflib.get_close_matches(str(text.filter(bad)[0]).lower(), KINDS, n=1)
            hint = f"did you mean {near[0]}? {hint}" if near else hint
        self._findings.reject("kind", "is no kind of event", bad, text, hint=hint)


_DECIMAL_HINT = "write 12.50, or set decimal in the mapping"


def _unreadable(column: Column) -> str:
    if column.dtype == UTC_TIME:
        return "cannot be read as a time"
    if column.dtype in (pl.Int32, pl.Int64):
        return "is no whole number" if column.dtype == pl.Int64 else "is no whole number below 2,147,483,648"
    if column.dtype == pl.Boolean:
        return "is neither true nor false"
    return "is no number"


def _hint(column: Column) -> str:
    return "set time_format in the mapping" if column.dtype == UTC_TIME else ""


def _check_rows(frame: pl.DataFrame, table: Table, rules: Rules, findings: Findings) -> pl.DataFrame:
    """Limits, the clock, the catalogue, the currency; returns the frame with its repairs."""
    frame = _turn_returns(frame, table, rules, findings)
    for column in table.columns:
        values = frame[column.name]
        if column.minimum is not None:
            low = f"is below {column.minimum:g}"
            findings.reject(
                column.name, low, values < column.minimum, values, hint=_below_hint(column, values)
            )
        if column.maximum is not None:
            findings.reject(column.name, f"is above {column.maximum:g}", values > column.maximum, values)
    if table.name in _PAST_ONLY:
        early = frame["at"] < _EPOCH
        findings.reject("at", "is before 1970", early, frame["at"].cast(pl.String) if early.any() else None)
        late = frame["at"] > rules.now
        if late.any():
            told = frame["at"].set(~late, None).dt.strftime("%Y-%m-%d %H:%M:%S UTC")
            now = f"now is {rules.now:%Y-%m-%d %H:%M:%S} UTC"
            findings.reject("at", "is in the future", late, told, hint=now)
    if _JSON in frame.columns:
        bad = ~(frame[_JSON].str.starts_with("{") & frame[_JSON].str.json_path_match("$").is_not_null())
        findings.reject(_JSON, "is no JSON object", bad & frame[_JSON].is_not_null(), frame[_JSON])
    if rules.products is not None and table.name != "products" and "product_id" in frame.columns:
        ids = frame["product_id"]
        unknown = ids.is_not_null() & ~ids.is_in(rules.products.cast(pl.String).implode())
        findings.reject("product_id", "is not in the catalogue", unknown, ids)
    usual = rules.currency or _most_frequent(frame)
    if usual is not None and "currency" in frame.columns:
        other = frame["currency"] != usual
        rule = f"is not the shop's, {usual} (mixed currencies)"
        findings.reject("currency", rule, other, frame["currency"])
    return frame


def _most_frequent(frame: pl.DataFrame) -> str | None:
    """The commonest currency; of equally common ones the first in the alphabet."""
    if "currency" not in frame.columns:
        return None
    counts = frame["currency"].drop_nulls().value_counts().sort("count", "currency", descending=[True, False])
    return str(counts["currency"][0]) if counts.height else None


def _turn_returns(frame: pl.DataFrame, table: Table, rules: Rules, findings: Findings) -> pl.DataFrame:
    if table.name != "events" or rules.mapping.negative_quantity != "return":
        return frame
    turned = ((frame["kind"] == "purchase") & (frame["quantity"] < 0)).fill_null(False)
    findings.repair("quantity", "is negative: the purchase became a return", turned, frame["quantity"])
    return frame.with_columns(
        pl.when(turned)
        .then(pl.lit("return"))
        .otherwise(pl.col("kind").cast(pl.String))
        .alias("kind")
        .cast(frame["kind"].dtype),
        pl.when(turned).then(-pl.col("quantity")).otherwise("quantity").alias("quantity"),
    )


def _below_hint(column: Column, values: pl.Series) -> str:
    if column.name == "quantity" and (values < 0).any():
        return 'for goods that came back use kind "return", or negative_quantity = "return" in the mapping'
    return ""


def _unique(frame: pl.DataFrame, table: Table, report: Report) -> pl.DataFrame:
    """One row a key: of a repeated event the first, of anything else the last (the newest state)."""
    event = table.name == "events"
    keyed = frame.filter(pl.col("event_id").is_not_null()) if event else frame
    if keyed.height == keyed.select(table.key).n_unique():
        return frame
    if event:
        once = frame.filter(pl.col("event_id").is_null() | pl.col("event_id").is_first_distinct())
    else:
        once = frame.unique(table.key, keep="last", maintain_order=True)
    rule = f"{' and '.join(table.key)} repeated: the {'first' if event else 'last'} row counts"
    repeated = keyed.filter(keyed.select(table.key).is_duplicated())
    report.set_aside(table.name, rule, frame.height - once.height, example=str(repeated[table.key[0]][0]))
    return once
