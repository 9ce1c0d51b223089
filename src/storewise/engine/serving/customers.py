"""What hard rules ask of a customer: the country, and the age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import polars as pl

YEAR_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """``country`` as the shop writes it; ``age``: years as the shop says, or ``birth_year``. None: not known.

    >>> CustomerFacts(birth_year=2000).age_years(datetime(2024, 6, 1))
    23.0
    """

    country: str | None = None
    age: float | None = None
    birth_year: int | None = None

    def age_years(self, now: datetime) -> float | None:
        """Full years for certain: of a year of birth, as if it were its last day."""
        if self.age is not None:
            return self.age
        return None if self.birth_year is None else float(max(now.year - self.birth_year - 1, 0))


UNKNOWN = CustomerFacts()


def customer_facts(customers: pl.DataFrame) -> dict[str, CustomerFacts]:
    """Pseudonym → facts of those of whom something is known: the column ``country``, and ``age`` or ``birth_year``
    among the attributes. What cannot be read is not known."""
    found = {}
    for name, country, text in customers.select("customer_id", "country", "attributes").iter_rows():
        told = _attributes(text)
        age, born = _number(told.get("age")), _number(told.get("birth_year"))
        if country is not None or age is not None or born is not None:
            found[name] = CustomerFacts(country, age, None if born is None else int(born))
    return found


def _attributes(text: str | None) -> dict[str, Any]:
    try:
        told = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 3000
    return float(value) if good else None
