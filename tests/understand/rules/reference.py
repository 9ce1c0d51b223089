"""A slow interpreter of rules, one product at a time, written from docs/rules.md and sharing no code with the
fast one beyond the parsed conditions."""

from __future__ import annotations

from dataclasses import dataclass

from storewise.understand.rules.condition import And, Compare, Condition, Known, Linked, Match, Not, Or
from storewise.understand.rules.spec import Rule

Product = dict[str, list[str]]
"""Field → its values as text, in lower case."""


@dataclass
class Shopper:
    bought: list[tuple[int, float]]
    seen: list[tuple[int, float]]
    now: float

    def products(self, side: str, within_s: float | None) -> list[int]:
        found = self.bought if side == "bought" else self.seen if side == "seen" else self.bought + self.seen
        return [what for what, at in found if within_s is None or at >= self.now - within_s]


def holds(value: str, operator: str, constant: str | float) -> bool:
    if operator == "=" and isinstance(constant, str):
        return value == constant
    try:
        left = float(value)
    except ValueError:
        return False
    right = float(constant)
    return {
        "=": left == right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]


def same(left: str, operator: str, right: str) -> bool:
    try:
        return holds(left, operator, float(right))
    except ValueError:
        return operator == "=" and left == right


def truth(
    condition: Condition,
    candidate: int,
    shop: list[Product],
    links: set[tuple[int, str, int]],
    shopper: Shopper,
) -> bool | None:
    """True, false, or None for unknown."""

    def of(part: Condition) -> bool | None:
        return truth(part, candidate, shop, links, shopper)

    if isinstance(condition, Not):
        inner = of(condition.part)
        return None if inner is None else not inner
    if isinstance(condition, And):
        parts = [of(part) for part in condition.parts]
        return False if False in parts else None if None in parts else True
    if isinstance(condition, Or):
        parts = [of(part) for part in condition.parts]
        return True if True in parts else None if None in parts else False
    if isinstance(condition, Linked):
        past = shopper.products(condition.side, condition.within_s)
        if not past or not any(relation == condition.relation for _, relation, _ in links):
            return None
        if condition.outward:
            return any((candidate, condition.relation, other) in links for other in past)
        return any((other, condition.relation, candidate) in links for other in past)
    if isinstance(condition, Match):
        ours = shop[candidate].get(condition.field.name, [])
        past = shopper.products(condition.past.side, condition.within_s)
        theirs = [value for other in past for value in shop[other].get(condition.past.name, [])]
        if condition.operator != "=":
            theirs = [value for value in theirs if value.replace(".", "").isdigit()]
        if not theirs or not ours:
            return None
        return any(same(a, condition.operator, b) for a in ours for b in theirs)
    return alone(condition, candidate, shop, shopper)


def alone(condition: Compare | Known, candidate: int, shop: list[Product], shopper: Shopper) -> bool | None:
    name = condition.field.name
    if condition.field.side == "candidate":
        values = shop[candidate].get(name, [])
        if isinstance(condition, Known):
            return bool(values)
        if not values:
            return None
    else:
        past = shopper.products(condition.field.side, condition.within_s)
        if not past:
            return False
        values = [value for other in past for value in shop[other].get(name, [])]
        if isinstance(condition, Known):
            return bool(values)
        if not values:
            return None
    return any(
        holds(value, condition.operator, constant) for value in values for constant in condition.values
    )


def removed(
    rule: Rule, candidate: int, shop: list[Product], links: set[tuple[int, str, int]], shopper: Shopper
) -> bool:
    """Whether a rule touches a candidate."""
    if rule.when is not None and truth(rule.when, candidate, shop, links, shopper) is not True:
        return False
    found = truth(rule.condition, candidate, shop, links, shopper)
    if found is None:
        return rule.spec.strict
    return found is False if rule.spec.action == "require" else found
