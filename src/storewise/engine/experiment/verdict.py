"""What may be concluded of a variant, as a code for programs and in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storewise.explore.experiment.checks import Split


def verdict(
    name: str,
    primary: Mapping[str, Any],
    guarded: Mapping[str, Mapping[str, Mapping[str, Any]]],
    split: Split,
    shoppers: int,
) -> dict[str, Any]:
    """``code``: ``broken_split``, ``harmed``, ``worse``, ``better``, ``better_if_safe`` (a guard rail is not yet
    known to hold) or ``undecided``; ``more``: about how many shoppers are still needed (None: can't be said)."""
    rails = {metric: differences[name]["guard"] for metric, differences in guarded.items()}
    harmed = [metric for metric, rail in rails.items() if rail == "harmed"]
    open_rails = [metric for metric, rail in rails.items() if rail == "open"]
    value, more = primary["value"], None
    if split.broken:
        code = "broken_split"
    elif harmed:
        code = "harmed"
    elif primary["clear"] and value is not None:
        code = "worse" if value < 0 else ("better_if_safe" if open_rails else "better")
    else:
        code = "undecided"
        if primary["needed"] is not None:
            more = rounded(max(primary["needed"] - shoppers, 0))
    rail = next(iter([*harmed, *open_rails]), None)
    return {"code": code, "more": more, "rail": rail, "text": say(name, code, more, rail)}


def say(name: str, code: str, more: int | None, rail: str | None) -> str:
    """One English sentence."""
    if code == "undecided":
        if more is None:
            return "no decision yet: too little is known to say how many more shoppers it needs"
        if more == 0:
            return "no decision yet: what difference there is, is smaller than the one that was to be found"
        return f"no decision yet: needs about {more:,} more shoppers"
    return {
        "broken_split": "the split is not the planned one: assignment or logging is broken, trust no figure",
        "harmed": f"stop {name}: it harms {rail} by more than was allowed",
        "worse": f"{name} is worse than the control",
        "better": f"{name} is better than the control",
        "better_if_safe": f"{name} is better than the control, but it is not yet sure that {rail} does not suffer",
    }[code]


def rounded(n: int) -> int:
    """Two digits, because more would be a lie.

    >>> rounded(12_345), rounded(7)
    (13000, 7)
    """
    scale = 10 ** max(len(str(n)) - 2, 0)
    return -(-n // scale) * scale if n > 99 else n
