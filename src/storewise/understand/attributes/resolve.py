"""From candidates of all methods to the values of one product: what is given wins, then confidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from storewise.understand.attributes.canonical import canonical
from storewise.understand.attributes.value import MEASURES, AttributeValue

ONE_ONLY = frozenset({"brand", "type"})
MOST_OF_A_NAME = 8
SAME_MEASURE = 0.012
"""Two measures within this share of each other are one, told twice: 43.2 cm (17")."""


def resolve(
    candidates: Iterable[AttributeValue],
    given: Mapping[str, tuple[str, ...]] | None = None,
    *,
    minimum: float = 0.3,
) -> list[AttributeValue]:
    """The values of one product, given ones first, then by name, best first.

    No two chosen spans of one name overlap. A value that is given stays as it is, with the span of a candidate
    that says the same; other candidates of its name are dropped. Inside a brand, a measure or a longer colour
    nothing else is found (no colour in "Black & Decker", no material in "rose gold"). A predicted value, which stands
    nowhere, is told where no other method found one; as brand or type, also where it is the surer one.

    >>> def red(sure, start): return AttributeValue("colour", "red", None, "red", "title", start, start + 3, sure, "rule")
    >>> [v.confidence for v in resolve([red(0.5, 0), red(0.9, 8)])]
    [0.9]
    """
    likely = [c for c in candidates if c.confidence >= minimum]
    found: list[AttributeValue] = []
    told = given or {}
    for name, values in told.items():
        found += [_given(name, value, likely) for value in values]
    read = {c.name for c in likely if c.method != "predicted"} - ONE_ONLY
    open_ = [c for c in likely if c.name not in told and not (c.method == "predicted" and c.name in read)]
    free = _outside(sorted(open_, key=_order))
    chosen: dict[str, list[AttributeValue]] = {}
    for candidate in free:
        held = chosen.setdefault(candidate.name, [])
        most = 1 if candidate.name in ONE_ONLY else MOST_OF_A_NAME
        if len(held) < most and not any(_clash(candidate, one) for one in held):
            held.append(candidate)
    return [*found, *(v for values in chosen.values() for v in values)]


def _order(value: AttributeValue) -> tuple[float, int, int, int, str]:
    """Best first; ties by length, then the title, then the earlier place."""
    if value.name == "type":  # the last noun is the thing: 凉拖鞋 of 浴室凉拖鞋, jacket of fleece jacket
        return -round(value.confidence, 2), 0, value.field != "title", -value.start, value.value
    return (
        -round(value.confidence, 6),
        value.start - value.end,
        value.field != "title",
        value.start,
        value.value,
    )


def _given(name: str, text: str, candidates: Sequence[AttributeValue]) -> AttributeValue:
    value, unit = canonical(name, text)
    for one in candidates:
        if one.name == name and one.placed and canonical(name, one.value)[0] == value:
            return replace(one, value=value, unit=unit or one.unit, confidence=1.0, method="given")
    return AttributeValue(name, value, unit, text, "attributes", -1, -1, 1.0, "given")


def _outside(candidates: Sequence[AttributeValue]) -> list[AttributeValue]:
    """Without what lies inside a brand, a measure or a longer colour, material or pattern."""
    walls = [c for c in candidates if c.end - c.start > 2 and c.name not in ("type", "audience")]
    return [c for c in candidates if not any(_inside(c, wall) for wall in walls)]


def _inside(one: AttributeValue, wall: AttributeValue) -> bool:
    if one.name == wall.name or not one.overlaps(wall):
        return False
    longer = wall.end - wall.start > one.end - one.start
    return longer or (wall.name == "brand" and wall.confidence > one.confidence)


def _clash(one: AttributeValue, held: AttributeValue) -> bool:
    if one.overlaps(held) or (one.value, one.unit) == (held.value, held.unit):
        return True
    if one.name not in MEASURES or one.unit != held.unit:
        return False
    try:
        pairs = [
            (float(a), float(b)) for a, b in zip(one.value.split("x"), held.value.split("x"), strict=True)
        ]
    except ValueError:  # a range, or another number of sides
        return False
    return all(abs(a - b) <= SAME_MEASURE * max(a, b) for a, b in pairs)
