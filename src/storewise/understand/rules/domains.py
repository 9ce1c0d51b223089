"""The finite worlds in which rules are checked: every kind of candidate that conditions can tell apart, and
every answer that the tests on the shopper's past can give."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from storewise.understand.rules.condition import (
    PLAIN_FIELDS,
    And,
    Atom,
    Compare,
    Condition,
    Known,
    Not,
    Or,
    atoms,
    of_candidate,
)
from storewise.understand.rules.evaluate import Past, Truth, compile_atom
from storewise.understand.rules.facts import ProductFacts, Values
from storewise.understand.rules.spec import Rule

OTHER = "\x00another value"
MOST_CANDIDATES = 20_000
MOST_PAST_TESTS = 6
_ANSWERS = (
    Truth(np.bool_(True), np.bool_(False)),
    Truth(np.bool_(False), np.bool_(True)),
    Truth(np.bool_(False), np.bool_(False)),
)


def tests_of(rules: Sequence[Rule]) -> list[Atom]:
    """The tests of all conditions of these rules."""
    parts: list[Condition] = [
        part for rule in rules for part in (rule.condition, rule.when) if part is not None
    ]
    return [atom for part in parts for atom in atoms(part)]


def imagined(rules: Sequence[Rule]) -> ProductFacts | None:
    """One product for each combination of values that the rules' tests on the candidate can tell apart; None
    when there are too many.

    A field takes each constant, a value above, below and between numbers, another text, and no value; an
    attribute also several at once.
    """
    constants: dict[str, list[str | float]] = {}
    for atom in tests_of(rules):
        if of_candidate(atom):
            assert isinstance(atom, Compare | Known)
            told = list(atom.values) if isinstance(atom, Compare) else []
            constants.setdefault(atom.field.name, []).extend(told)
    states = {name: _states(name, values) for name, values in constants.items()}
    size = int(np.prod([len(options) for options in states.values()], dtype=float)) if states else 1
    if size > MOST_CANDIDATES:
        return None
    rows = list(itertools.product(*states.values()))
    fields = {
        name: Values.of(((i, value) for i, row in enumerate(rows) for value in row[place]), len(rows))
        for place, name in enumerate(states)
    }
    return ProductFacts(len(rows), fields)


def _states(name: str, constants: Sequence[str | float]) -> list[tuple[Any, ...]]:
    texts = sorted({value for value in constants if isinstance(value, str)})
    numbers = sorted({value for value in constants if isinstance(value, float)})
    around = [(a + b) / 2 for a, b in itertools.pairwise(numbers)]
    edges = [numbers[0] - 1, numbers[-1] + 1] if numbers else []
    values: list[Any] = [*texts, *numbers, *around, *edges, OTHER]
    single: list[tuple[Any, ...]] = [(), *((value,) for value in values)]
    if name in PLAIN_FIELDS:
        return single
    most = len(values) if len(values) <= 5 else 2
    return [
        *single,
        *(several for n in range(2, most + 1) for several in itertools.combinations(values, n)),
        tuple(values),
    ]


def situations(rules: Sequence[Rule]) -> Iterator[Mapping[Atom, Truth]] | None:
    """Every combination of answers to the tests that ask of the shopper; None when there are too many.

    The answers are taken as independent of each other, which can only add situations: what holds in all of
    these holds in all real ones.
    """
    free = sorted({atom for atom in tests_of(rules) if not of_candidate(atom)}, key=repr)
    if len(free) > MOST_PAST_TESTS:
        return None
    return (dict(zip(free, given, strict=True)) for given in itertools.product(_ANSWERS, repeat=len(free)))


def truth(condition: Condition, facts: ProductFacts, given: Mapping[Atom, Truth]) -> Truth:
    """The condition for every product of ``facts``, with the given answers about the shopper."""
    if isinstance(condition, Not):
        return Truth(*reversed(truth(condition.part, facts, given)))
    if isinstance(condition, And | Or):
        parts = [truth(part, facts, given) for part in condition.parts]
        true, false = [part.true for part in parts], [part.false for part in parts]
        if isinstance(condition, And):
            return Truth(_both(true), _either(false))
        return Truth(_either(true), _both(false))
    return given[condition] if condition in given else compile_atom(condition, facts)(Past())


def _both(parts: Sequence[Any]) -> Any:
    found = parts[0]
    for part in parts[1:]:
        found = found & part
    return found


def _either(parts: Sequence[Any]) -> Any:
    found = parts[0]
    for part in parts[1:]:
        found = found | part
    return found
