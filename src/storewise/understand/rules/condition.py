"""What a condition is made of: fields of products, tests on them, and `and`, `or`, `not`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

CANDIDATE = "candidate"
PAST = ("bought", "seen", "history")
"""What the shopper bought, looked at (or put into the cart), and both together."""
SIDES = (CANDIDATE, *PAST)
PLAIN_FIELDS = ("product", "category", "brand", "price_minor")
LINKS = ("bought_with", "substitutes", "complements", "accessories_of")

Operator = Literal["=", "<", "<=", ">", ">="]
Literals = tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """``side.name``; ``name`` is a plain field or ``attribute.NAME`` in lower case."""

    side: str
    name: str

    def __str__(self) -> str:
        return f"{self.side}.{self.name}"


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against constants; ``=`` takes one or several (any of them). On the past: some product of it."""

    field: Field
    operator: Operator
    values: Literals
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The field has a value (on the past: of some product of it)."""

    field: Field
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A field of the candidate against a field of the past: some product of it compares so."""

    field: Field
    operator: Operator
    past: Field
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Linked:
    """The graph links the candidate with some product of the past; ``outward``: the candidate is the subject."""

    relation: str
    side: str
    outward: bool
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Condition, ...]


Atom = Compare | Known | Match | Linked
Condition = Atom | Not | And | Or


def atoms(condition: Condition) -> Iterator[Atom]:
    """The tests of a condition, from left to right."""
    if isinstance(condition, Not):
        yield from atoms(condition.part)
    elif isinstance(condition, And | Or):
        for part in condition.parts:
            yield from atoms(part)
    else:
        yield condition


def of_candidate(atom: Atom) -> bool:
    """True when the test asks nothing of the shopper.

    >>> of_candidate(Compare(Field("candidate", "brand"), "=", ("acme",)))
    True
    """
    return isinstance(atom, Compare | Known) and atom.field.side == CANDIDATE


def of_past(atom: Atom) -> bool:
    """True when the test asks nothing of the candidate."""
    return isinstance(atom, Compare | Known) and atom.field.side != CANDIDATE
