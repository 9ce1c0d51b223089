"""What is wrong with a set of rules, found before a shopper finds it.

Every pair of rules is asked in every situation (see :mod:`storewise.understand.rules.domains`), about all imagined
candidates and about the shop's own products. Conditions cannot refer to other rules, so that rules
themselves cannot run in circles; definitions can, and the parser refuses that.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from storewise.understand.rules.condition import Atom, Compare, Linked, Match
from storewise.understand.rules.domains import imagined, situations, tests_of, truth
from storewise.understand.rules.evaluate import CompiledRules, Past, Truth, touched
from storewise.understand.rules.facts import Mask, ProductFacts
from storewise.understand.rules.spec import Rule

Level = Literal["error", "warning", "note"]
_ORDER = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``kind``: contradiction, removes_everything, removes_category, never_fires, unknown_name,
    duplicate, redundant, opposed or unchecked."""

    level: Level
    kind: str
    rules: tuple[str, ...]
    text: str


def check_rules(rules: Sequence[Rule], facts: ProductFacts, active: Mask | None = None) -> list[Finding]:
    """All findings, errors first; none means that nothing was found. ``active`` (n_products,): what is on sale."""
    active = np.ones(facts.n_products, bool) if active is None else active
    found = [
        finding for rule in rules for finding in (*_unknown_names(rule, facts), *_never_fires(rule, facts))
    ]
    for one, other in itertools.combinations(rules, 2):
        found += _pair(one, other, facts)
    found += _removes(rules, facts, active)
    return sorted(found, key=lambda finding: _ORDER.index(finding.level))


def _unknown_names(rule: Rule, facts: ProductFacts) -> list[Finding]:
    """Fields that no product has, values that no product has, relations that the graph has not."""
    found = []
    for atom in dict.fromkeys(tests_of([rule])):
        if isinstance(atom, Linked):
            if atom.relation not in facts.links:
                text = f"the shop's graph has no relation {atom.relation!r}"
                found.append(Finding("warning", "unknown_name", (rule.name,), text))
            continue
        for name in [atom.field.name] + ([atom.past.name] if isinstance(atom, Match) else []):
            if not facts.values(name).names:
                near = difflib.get_close_matches(name, list(facts.fields), n=1)
                hint = (
                    f"; did you mean {near[0]}?"
                    if near
                    else f"; known: {', '.join(sorted(facts.fields)[:20])}"
                )
                text = f"no product has {name}{hint}"
                found.append(Finding("warning", "unknown_name", (rule.name,), text))
        if isinstance(atom, Compare) and facts.values(atom.field.name).names and atom.operator == "=":
            found += _unknown_values(rule, atom, facts)
    return found


def _unknown_values(rule: Rule, atom: Compare, facts: ProductFacts) -> list[Finding]:
    names = facts.values(atom.field.name)
    told = [value if isinstance(value, str) else f"{value:.12g}" for value in atom.values]
    found = []
    for value in told:
        if value not in names.code:
            near = difflib.get_close_matches(value, names.names, n=2)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            text = f"no product has {atom.field.name} {value!r}{hint}"
            found.append(Finding("warning", "unknown_name", (rule.name,), text))
    return found


def _never_fires(rule: Rule, facts: ProductFacts) -> list[Finding]:
    if situations([rule]) is None:
        text = "asks too much of the past to be checked: split it"
        return [Finding("note", "unchecked", (rule.name,), text)]
    worlds = [("can never touch a product, whatever the shop sells", imagined([rule]))]
    worlds.append(("can touch no product of this shop", facts))
    for text, world in worlds:
        if world is not None and not any(part.any() for part in _touches(rule, [rule], world)):
            return [Finding("warning", "never_fires", (rule.name,), text)]
    return []


def _pair(one: Rule, other: Rule, facts: ProductFacts) -> list[Finding]:
    both = [one, other]
    if situations(both) is None:
        alone = any(situations([rule]) is None for rule in both)  # said of the rule already
        text = "together ask too much of the past to be checked against each other"
        return [] if alone else [Finding("note", "unchecked", (one.name, other.name), text)]
    world = imagined(both)
    if one.hard and other.hard:
        for where, place in (("whatever the shop sells", world), ("among the products of this shop", facts)):
            if place is not None and (wrong := _contradiction(one, other, place)):
                return [Finding("error", "contradiction", (one.name, other.name), f"{wrong}, {where}")]
    return _overlap(one, other, world) if world is not None else []


def _contradiction(one: Rule, other: Rule, facts: ProductFacts) -> str | None:
    for wanted, against in ((one, other), (other, one)):
        if wanted.spec.action != "require":
            continue
        asked = survive = False
        for given in situations([one, other]) or ():
            meets = _binds(wanted, facts, given) & truth(wanted.condition, facts, given).true
            if against.spec.action == "require":
                meets = meets & _binds(against, facts, given)
            removed = _touched_in(against, facts, given)
            asked = asked or bool(np.any(meets))
            survive = survive or bool(np.any(meets & ~removed))
        if asked and not survive:
            verb = "forbids all" if against.spec.action == "forbid" else "rules out all"
            return f"{against.name!r} {verb} that {wanted.name!r} requires"
    return None


def _overlap(one: Rule, other: Rule, world: ProductFacts) -> list[Finding]:
    """Two rules that touch the same, or one that a stronger one makes idle."""
    pairs = list(zip(_touches(one, [one, other], world), _touches(other, [one, other], world), strict=True))
    if not any(a.any() for a, _ in pairs) or not any(b.any() for _, b in pairs):
        return []
    names = (one.name, other.name)
    equal = all(np.array_equal(a, b) for a, b in pairs)
    if one.hard and other.hard:
        if equal:
            return [Finding("warning", "duplicate", names, "both remove exactly the same")]
        for small, large, inside in (
            (one, other, all(not (a & ~b).any() for a, b in pairs)),
            (other, one, all(not (b & ~a).any() for a, b in pairs)),
        ):
            if inside:
                text = f"{large.name!r} removes all that {small.name!r} removes"
                return [Finding("note", "redundant", (small.name, large.name), text)]
    elif not one.hard and not other.hard and equal:
        if one.spec.action == other.spec.action:
            return [Finding("warning", "duplicate", names, "both move exactly the same")]
        return [Finding("warning", "opposed", names, "one moves up exactly what the other moves down")]
    return []


def _removes(rules: Sequence[Rule], facts: ProductFacts, active: Mask) -> list[Finding]:
    """Categories of which a shopper without a past sees nothing."""
    hard = [rule for rule in rules if rule.hard]
    verdict = CompiledRules(hard, facts)(Past(), active)
    if not active.any() or not hard:
        return []
    if not verdict.allowed.any():
        names = tuple(binding.rule.name for binding in verdict.bindings)
        text = f"together remove all {int(active.sum())} products for a shopper without a past"
        return [Finding("error", "removes_everything", names, text)]
    categories = facts.values("category")
    emptied: dict[tuple[str, ...], list[str]] = {}
    for code, name in enumerate(categories.names):
        ours = categories.having(np.arange(len(categories.names)) == code) & active
        if ours.any() and not (verdict.allowed & ours).any():
            names = tuple(b.rule.name for b in verdict.bindings if (b.products & ours).any())
            emptied.setdefault(names, []).append(name)
    return [_emptied(names, gone, len(categories.names)) for names, gone in emptied.items()]


def _emptied(names: tuple[str, ...], gone: Sequence[str], of: int) -> Finding:
    shown = ", ".join(repr(name) for name in gone[:5]) + (" …" if len(gone) > 5 else "")
    text = f"remove all products of {len(gone)} of {of} categories for a shopper without a past: {shown}"
    return Finding("warning", "removes_category", names, text)


def _touches(rule: Rule, among: Sequence[Rule], facts: ProductFacts) -> list[Mask]:
    return [_touched_in(rule, facts, given) for given in situations(among) or ()]


def _touched_in(rule: Rule, facts: ProductFacts, given: Mapping[Atom, Truth]) -> Mask:
    found = touched(rule, truth(rule.condition, facts, given)) & _binds(rule, facts, given)
    return np.broadcast_to(found, facts.n_products)


def _binds(rule: Rule, facts: ProductFacts, given: Mapping[Atom, Truth]) -> Mask:
    found = truth(rule.when, facts, given).true if rule.when is not None else np.bool_(True)
    return np.broadcast_to(found, facts.n_products)
