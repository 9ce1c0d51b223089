"""Confidence that means something: how often a method was right where the shop tells the truth itself.

A candidate's confidence c, set by its rule, is the prior of its group g = (name, method, source, c to one decimal).
Of n candidates of the group on labelled products k were right: p = (k + m c) / (n + m), m = 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from storewise.understand.attributes.canonical import canonical
from storewise.understand.attributes.value import MEASURES, AttributeValue

PRIOR_WEIGHT = 10.0
LEAST_LABELS = 20


def group(value: AttributeValue) -> str:
    """The group whose share of right answers is counted."""
    return f"{value.name}|{value.method}|{value.source}|{value.field}|{value.confidence:.1f}"


@dataclass
class Calibration:
    """Right and all answers of each group.

    >>> calibration = Calibration({"colour|gazetteer||title|0.8": (90, 110)})
    >>> value = AttributeValue("colour", "red", None, "red", "title", 0, 3, 0.8, "gazetteer")
    >>> round(calibration(value).confidence, 3)
    0.817
    """

    counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __call__(self, value: AttributeValue) -> AttributeValue:
        right, all_ = self.counts.get(group(value), (0, 0)) if self.counts else (0, 0)
        if all_ < LEAST_LABELS:
            return value
        sure = (right + PRIOR_WEIGHT * value.confidence) / (all_ + PRIOR_WEIGHT)
        return replace(value, confidence=min(sure, 0.99))

    def add(self, candidates: Iterable[AttributeValue], given: Mapping[str, tuple[str, ...]]) -> None:
        """Count the candidates of one product whose name has a given value; each value of a group once."""
        truth = {name: {canonical(name, v) for v in values} for name, values in given.items()}
        seen = set()
        for one in candidates:
            key = (group(one), one.value)
            if one.name in truth and key not in seen:
                seen.add(key)
                right, all_ = self.counts.get(key[0], (0, 0))
                self.counts[key[0]] = (right + agrees(one, truth[one.name]), all_ + 1)


def agrees(value: AttributeValue, truth: Iterable[tuple[str, str | None]]) -> bool:
    """True when the value is one of the canonical ones; measures within 2 %, whatever the truth's unit is when it
    does not tell it."""
    own = canonical(value.name, value.value)[0] if value.name not in MEASURES else value.value
    for told, unit in truth:
        if own == told and (unit is None or value.unit in (None, unit)):
            return True
        if value.name in MEASURES and unit in (None, value.unit) and close(own, told):
            return True
    return False


def close(one: str, other: str) -> bool:
    """Numbers within 2 % of each other."""
    try:
        a, b = float(one), float(other)
    except ValueError:
        return False
    return abs(a - b) <= 0.02 * max(abs(a), abs(b))
