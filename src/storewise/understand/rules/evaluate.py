"""Rules over all candidates at once, in Kleene's three truth values: true, false, unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from storewise.understand.rules.condition import (
    And,
    Atom,
    Compare,
    Condition,
    Known,
    Linked,
    Literals,
    Match,
    Not,
    Operator,
    Or,
    atoms,
    of_candidate,
)
from storewise.understand.rules.facts import Mask, ProductFacts, Values, entries
from storewise.understand.rules.spec import Rule

Indices = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]
NOBODY: Indices = np.empty(0, np.int64)
NEVER: Times = np.empty(0)


class Truth(NamedTuple):
    """True here, false there, unknown where neither; (n_products,) bool or one bool for all."""

    true: Mask | np.bool_
    false: Mask | np.bool_


Test = Callable[["Past"], Truth]
NO = Truth(np.bool_(False), np.bool_(True))
UNKNOWN = Truth(np.bool_(False), np.bool_(False))


@dataclass(frozen=True)
class Past:
    """What a shopper bought and saw up to ``now`` (seconds): product indices, in any order, with their times."""

    bought: Indices = field(default_factory=lambda: NOBODY)
    bought_at: Times = field(default_factory=lambda: NEVER)
    seen: Indices = field(default_factory=lambda: NOBODY)
    seen_at: Times = field(default_factory=lambda: NEVER)
    now: float = 0.0
    _sides: dict[tuple[str, float | None], Indices] = field(default_factory=dict, repr=False)

    def products(self, side: str, within_s: float | None) -> Indices:
        """The different products of a side, of the last ``within_s`` seconds where that is given."""
        found = self._sides.get((side, within_s))
        if found is None:
            parts = []
            if side in ("bought", "history"):
                parts.append((self.bought, self.bought_at))
            if side in ("seen", "history"):
                parts.append((self.seen, self.seen_at))
            limit = -np.inf if within_s is None else self.now - within_s
            found = np.unique(np.concatenate([what[at >= limit] for what, at in parts])).astype(np.int64)
            self._sides[side, within_s] = found
        return found


def compile_condition(condition: Condition, facts: ProductFacts) -> Test:
    """A test of all candidates; what asks nothing of the shopper is worked out here, once."""
    if all(of_candidate(atom) for atom in atoms(condition)):
        fixed = _compiled(condition, facts)(Past())
        for part in fixed:
            part.setflags(write=False)
        return lambda past: fixed
    return _compiled(condition, facts)


def _compiled(condition: Condition, facts: ProductFacts) -> Test:
    if isinstance(condition, Not):
        inner = compile_condition(condition.part, facts)
        return lambda past: Truth(*reversed(inner(past)))
    if isinstance(condition, And | Or):
        parts = [compile_condition(part, facts) for part in condition.parts]
        return _all(parts) if isinstance(condition, And) else _any(parts)
    return compile_atom(condition, facts)


def _all(parts: list[Test]) -> Test:
    def test(past: Past) -> Truth:
        true, false = parts[0](past)
        for part in parts[1:]:
            more = part(past)
            true, false = true & more.true, false | more.false
        return Truth(true, false)

    return test


def _any(parts: list[Test]) -> Test:
    def test(past: Past) -> Truth:
        true, false = parts[0](past)
        for part in parts[1:]:
            more = part(past)
            true, false = true | more.true, false & more.false
        return Truth(true, false)

    return test


def compile_atom(atom: Atom, facts: ProductFacts) -> Test:
    """One test over all candidates."""
    if isinstance(atom, Linked):
        return _linked(atom, facts)
    if isinstance(atom, Match):
        return _match(atom, facts)
    values = facts.values(atom.field.name)
    if of_candidate(atom):
        return _of_candidate(atom, values)
    return _of_past(atom, values)


def _of_candidate(atom: Compare | Known, values: Values) -> Test:
    if isinstance(atom, Known):
        return lambda past: Truth(values.known, ~values.known)
    true = values.having(chosen(values, atom.operator, atom.values))
    return lambda past: Truth(true, values.known & ~true)


def _of_past(atom: Compare | Known, values: Values) -> Test:
    """Some product of the past. With none at all false; with some, of which none has the field, unknown."""
    wanted = (
        np.ones(len(values.names), bool)
        if isinstance(atom, Known)
        else chosen(values, atom.operator, atom.values)
    )
    side, within_s = atom.field.side, atom.within_s

    def test(past: Past) -> Truth:
        products = past.products(side, within_s)
        if not len(products):
            return NO
        codes = values.of_products(products)
        if not len(codes):
            return NO if isinstance(atom, Known) else UNKNOWN
        true = wanted[codes].any()
        return Truth(true, ~true)

    return test


def _match(atom: Match, facts: ProductFacts) -> Test:
    """Some value of the candidate against some of those past products that have the field; with no such
    product, or a candidate without a value, unknown."""
    ours, theirs = facts.values(atom.field.name), facts.values(atom.past.name)
    translated = np.array([ours.code.get(name, -1) for name in theirs.names], np.int64)

    def test(past: Past) -> Truth:
        products = past.products(atom.past.side, atom.within_s)
        codes = theirs.of_products(products) if len(products) else NOBODY
        if atom.operator != "=":
            numbers = theirs.numbers[codes]
            numbers = numbers[~np.isnan(numbers)]
            if not len(numbers):
                return UNKNOWN
            bound = numbers.max() if atom.operator in ("<", "<=") else numbers.min()
            wanted = chosen(ours, atom.operator, (float(bound),))
        else:
            if not len(codes):
                return UNKNOWN
            wanted = np.zeros(len(ours.names) + 1, bool)
            wanted[translated[codes]] = True  # a value that no candidate has falls into the last place
            wanted = wanted[:-1]
        true = ours.having(wanted)
        return Truth(true, ours.known & ~true)

    return test


def _linked(atom: Linked, facts: ProductFacts) -> Test:
    """Linked with some product of the past; with none, or in a shop without such links, unknown."""
    links = facts.links.get(atom.relation)
    if links is None:
        return lambda past: UNKNOWN
    by_past = (links.T if atom.outward else links).tocsr()

    def test(past: Past) -> Truth:
        products = past.products(atom.side, atom.within_s)
        if not len(products):
            return UNKNOWN
        true = np.zeros(facts.n_products, bool)
        true[by_past.indices[entries(by_past.indptr, products)]] = True
        return Truth(true, ~true)

    return test


def chosen(values: Values, operator: Operator, constants: Literals) -> Mask:
    """(v,): which values compare so with any of the constants.

    >>> chosen(Values.of([(0, 1), (0, 5), (1, "red")], 2), ">=", (2.0,)).tolist()
    [False, True, False]
    """
    mask = np.zeros(len(values.names), bool)
    for constant in constants:
        if operator == "=":
            code = values.code.get(constant if isinstance(constant, str) else f"{constant:.12g}")
            if code is not None:
                mask[code] = True
        else:
            assert isinstance(constant, float), "the parser lets only numbers through"
            with np.errstate(invalid="ignore"):
                mask |= _COMPARE[operator](values.numbers, constant)
    return mask


_COMPARE: dict[Operator, Callable[[npt.NDArray[np.float64], float], Mask]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


class Binding(NamedTuple):
    """A rule that bound: the candidates it removed (hard) or moved (preferences), (n_products,) bool."""

    rule: Rule
    products: Mask


class Verdict(NamedTuple):
    """``allowed`` (n_products,); ``shift`` (n_products,) in lengths of the list, positive is up, None without
    preferences; ``bindings`` of the rules that touched any candidate."""

    allowed: Mask
    shift: npt.NDArray[np.float64] | None
    bindings: tuple[Binding, ...]


class CompiledRules:
    """Rules ready for one catalogue; rules are asked in the order of the file and all of them count.

    A forbidding rule removes the candidates for which its condition is true, a requiring one those for which
    it is false; what is unknown is left alone, unless the rule is strict. A rule with ``when`` binds
    only where that is true.
    """

    def __init__(self, rules: list[Rule], facts: ProductFacts) -> None:
        self.n_products = facts.n_products
        self._rules = [
            (
                rule,
                compile_condition(rule.when, facts) if rule.when is not None else None,
                compile_condition(rule.condition, facts),
            )
            for rule in rules
        ]

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def rules(self) -> list[Rule]:
        return [rule for rule, _, _ in self._rules]

    def __call__(self, past: Past, candidates: Mask) -> Verdict:
        """Ask all rules about the candidates, (n_products,) bool."""
        allowed = candidates.copy()
        shift: npt.NDArray[np.float64] | None = None
        bindings = []
        for rule, when, test in self._rules:
            bound = when(past).true if when is not None else np.bool_(True)
            if not bound.any():
                continue
            found = candidates & bound & touched(rule, test(past))
            if not found.any():
                continue
            bindings.append(Binding(rule, found))
            if rule.hard:
                allowed &= ~found
            else:
                shift = np.zeros(self.n_products) if shift is None else shift
                shift += np.where(found, rule.spec.weight, 0.0) * (1 if rule.spec.action == "prefer" else -1)
        return Verdict(allowed, shift, tuple(bindings))


def touched(rule: Rule, truth: Truth) -> Mask | np.bool_:
    """What a rule that binds does something to, given its condition."""
    if rule.spec.action == "require":
        return ~truth.true if rule.spec.strict else truth.false
    return ~truth.false if rule.spec.strict else truth.true
