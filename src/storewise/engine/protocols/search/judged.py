"""A catalogue and judgements of queries, as read from files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storewise.core.errors import DataError
from storewise.data.sources.rows import read_rows
from storewise.recommend.search.fields import IDS, id_column, text_fields

QUERIES = ("query", "q", "search_term", "query_text", "keyword", "keywords")
GRADES = ("grade", "rating", "relevance", "label", "final_rating", "gain", "judgement", "judgment", "score")
WORDS = {"exact": 3.0, "e": 3.0, "substitute": 2.0, "s": 2.0, "partial": 1.0, "complement": 1.0, "c": 1.0,
         "irrelevant": 0.0, "i": 0.0}  # fmt: skip
"""Grades that are written in words."""
HIGHEST = 20.0  # the gain is 2^grade: percentages are no grades


@dataclass(frozen=True)
class Judged:
    """``fields``: field → one text for each product. ``grades``: query → product index → grade; only queries with a
    grade above 0. ``told``: one line on the data."""

    ids: list[str]
    fields: Mapping[str, Sequence[str]]
    grades: Mapping[str, Mapping[int, float]]
    told: str

    @property
    def queries(self) -> list[str]:
        return list(self.grades)


def read(catalogue: Path, judgements: Path) -> Judged:
    """Read both files.

    Raises:
        DataError: for a file that cannot be read, missing columns, a grade that is none, or judgements of which
            no relevant product is in the catalogue.
    """
    rows = read_rows(catalogue)
    if not rows:
        raise DataError(f"{catalogue} has no products.", next_step="Give a catalogue with at least one.")
    key = id_column(dict.fromkeys(name for row in rows for name in row))
    by_id = {str(row[key]): row for row in reversed(rows) if row.get(key) not in (None, "")}
    ids = list(reversed(by_id))
    index = {name: i for i, name in enumerate(ids)}
    graded, foreign = _grades(read_rows(judgements), judgements, index)
    relevant = {query: found for query, found in graded.items() if any(g > 0 for g in found.values())}
    if not relevant:
        raise DataError(
            f"No product that {judgements} grades above 0 is in {catalogue}.",
            next_step="Check that both files use the same product ids.",
        )
    count = sum(len(found) for found in graded.values())
    told = (
        f"{len(ids):,} products; {count:,} judgements of {len(graded):,} queries, {len(relevant):,} of them with a "
        f"relevant product (the others have no NDCG); {foreign:,} judgements of products outside the catalogue "
        "left out"
    )
    return Judged(ids, text_fields([by_id[name] for name in ids]), relevant, told)


def _grades(
    rows: Sequence[Mapping[str, Any]], path: Path, index: Mapping[str, int]
) -> tuple[dict[str, dict[int, float]], int]:
    """query → product → grade (the highest of several), and how many name no product of the catalogue."""
    if not rows:
        raise DataError(f"{path} has no judgements.", next_step="Give query, product id and grade.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    query, product, grade = (_column(names, known, path) for known in (QUERIES, IDS, GRADES))
    found: dict[str, dict[int, float]] = {}
    foreign = 0
    for number, row in enumerate(rows, 1):
        if query not in row or product not in row:
            raise DataError(
                f"{path}, row {number} lacks {query} or {product}.", next_step="Complete the row."
            )
        place = index.get(str(row[product]))
        if place is None:
            foreign += 1
            continue
        value = _grade(row.get(grade), path, number)
        known = found.setdefault(str(row[query]), {})
        known[place] = max(value, known.get(place, 0.0))
    return found, foreign


def _column(names: Sequence[str], known: Sequence[str], path: Path) -> str:
    by_name = {name.lower(): name for name in names}
    for name in known:
        if name in by_name:
            return by_name[name]
    raise DataError(f"{path} has the columns {', '.join(names[:10])}; one of {', '.join(known)} is missing.",
                    next_step="Rename the column.")  # fmt: skip


def _grade(value: Any, path: Path, row: int) -> float:
    text = str(value).strip().lower()
    try:
        found = WORDS[text] if text in WORDS else float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= HIGHEST:
        raise DataError(
            f"{path}, row {row}: the grade is {value!r}.",
            next_step=f"Give a number from 0 (irrelevant) to {HIGHEST:g}, or one of {', '.join(WORDS)}.",
        )
    return found
