"""Units: which measure a spelling belongs to, and its factor to the measure's canonical unit."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from storewise.core.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Unit:
    """``value × factor`` is the value in ``canonical``, the unit that all values of ``measure`` are told in."""

    measure: str
    canonical: str
    factor: float


@cache
def table() -> dict[str, Unit]:
    """Every spelling, in lower case, of ``gazetteers/units.toml``."""
    text = files("storewise.understand.attributes").joinpath("gazetteers/units.toml").read_text("utf-8")
    found: dict[str, Unit] = {}
    for measure, entry in tomllib.loads(text).items():
        for unit in entry["units"]:
            for spelling in (*unit["latin"], *unit["han"]):
                found[spelling] = Unit(measure, entry["canonical"], float(unit["factor"]))
        found[entry["canonical"].lower()] = Unit(measure, entry["canonical"], 1.0)
    return found


def unit(spelling: str) -> Unit:
    """The unit behind a spelling.

    Raises:
        UnknownName: when there is none.

    >>> unit("升").factor, unit("KG").canonical
    (1000.0, 'g')
    """
    found = table().get(spelling.strip().lower())
    if found is None:
        raise UnknownName(f"There is no unit {spelling!r}.", next_step="docs/attributes.md lists the units.")
    return found


def convert(value: float, source: str, target: str) -> float:
    """``value`` in ``source`` told in ``target``.

    Raises:
        UnknownName: for an unknown unit, or two units of different measures.

    >>> round(convert(17, "inch", "cm"), 6), convert(3, "升", "ml")
    (43.18, 3000.0)
    """
    one, other = unit(source), unit(target)
    if one.measure != other.measure:
        raise UnknownName(
            f"{source!r} is a {one.measure}, {target!r} a {other.measure}.",
            next_step="Give units of one measure.",
        )
    return value * one.factor / other.factor


@cache
def pattern() -> str:
    """All spellings as one expression, long ones first; a Latin one ends where no letter or digit follows."""
    latin = sorted((s for s in table() if s.isascii()), key=len, reverse=True)
    han = sorted((s for s in table() if not s.isascii()), key=len, reverse=True)
    stop = r"(?![a-wyz0-9]|x(?!\s?\d))"  # 500mlx6 ends at the x
    border = [f"{re.escape(s)}{stop}" if s[-1].isalnum() else re.escape(s) for s in latin]
    return "|".join([*border, *map(re.escape, han)])
