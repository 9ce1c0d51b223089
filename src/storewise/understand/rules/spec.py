"""The rule file: named rules with one action each, read from TOML, errors with the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from storewise.core.config import Config, parse, read_toml
from storewise.core.errors import ConfigError, LimitExceeded
from storewise.understand.rules.condition import Condition
from storewise.understand.rules.parse import KEYWORDS, parse_condition

Action = Literal["forbid", "require", "prefer", "avoid"]
ACTIONS: tuple[Action, ...] = ("forbid", "require", "prefer", "avoid")
MOST_RULES = 200


class RuleSpec(Config):
    """One rule as the file says it; exactly one of the four actions holds a condition.

    ``when``: the rule binds only where this is true. ``strict``: what is unknown counts against a candidate (hard
    rules only). ``weight``: how far a preference moves a product, in lengths of the list. ``say_en``, ``say_zh``:
    the rule in words.
    """

    name: str = Field(pattern=r"^\S[^\n\r]{0,79}$")
    when: str | None = None
    forbid: str | None = None
    require: str | None = None
    prefer: str | None = None
    avoid: str | None = None
    weight: float = Field(default=0.5, gt=0, le=10)
    strict: bool = False
    say_en: str | None = Field(default=None, max_length=300)
    say_zh: str | None = Field(default=None, max_length=300)

    @property
    def action(self) -> Action:
        return next(action for action in ACTIONS if getattr(self, action) is not None)

    @property
    def text(self) -> str:
        """The action's condition as written."""
        return str(getattr(self, self.action))


class RuleFile(Config):
    """The content of a rule file: what a snapshot carries."""

    define: Mapping[str, str] = Field(default_factory=dict)
    rule: tuple[RuleSpec, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A parsed rule."""

    spec: RuleSpec
    condition: Condition
    when: Condition | None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def hard(self) -> bool:
        return self.spec.action in ("forbid", "require")


def read_rules(path: Path) -> RuleFile:
    """Read and check a rule file.

    Raises:
        ConfigError: for an unknown key, a wrong value, a condition that cannot be read, or a name used twice,
            with the line.
        LimitExceeded: for more than 200 rules.
    """
    values = read_toml(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    rules = values.get("rule", [])
    if not isinstance(rules, list):
        raise ConfigError(f"{path}: 'rule' is not a list.", next_step="Write [[rule]] above each rule.")
    found = [
        _spec(row, f"{path}{_at(_line_of(lines, number, None))}, rule {number + 1}")
        for number, row in enumerate(rules)
    ]
    file = parse(RuleFile, values | {"rule": tuple(found)}, where=str(path))
    parse_rules(file, where=lambda number, key: f"{path}{_at(_line_of(lines, number, key))}")
    return file


def parse_rules(file: RuleFile, *, where: Any = None) -> list[Rule]:
    """Parse the conditions of a rule file. ``where``: (number of the rule, key) → how errors name the place.

    Raises:
        ConfigError: for a condition that cannot be read or a name used twice.
        LimitExceeded: for more than 200 rules.
    """
    at = where or (
        lambda number, key: f"rule {file.rule[number].name!r}" if number is not None else "[define]"
    )
    if len(file.rule) > MOST_RULES:
        raise LimitExceeded(
            f"There are {len(file.rule)} rules, {MOST_RULES} are allowed.", next_step="Join rules with `or`."
        )
    _check_definitions(file, at)
    found: list[Rule] = []
    for number, spec in enumerate(file.rule):
        if any(rule.name == spec.name for rule in found):
            raise ConfigError(
                f"{at(number, 'name')}: a rule named {spec.name!r} stands above already.",
                next_step="Give each rule its own name.",
            )
        place = f"{at(number, spec.action)} ({spec.action})"
        condition = parse_condition(spec.text, where=place, defined=file.define)
        when = None
        if spec.when is not None:
            when = parse_condition(spec.when, where=f"{at(number, 'when')} (when)", defined=file.define)
        found.append(Rule(spec, condition, when))
    return found


def _spec(row: Any, where: str) -> RuleSpec:
    if not isinstance(row, dict):
        raise ConfigError(f"{where} is {row!r}.", next_step="Write [[rule]] and its keys below.")
    spec = parse(RuleSpec, row, where=where)
    given = [action for action in ACTIONS if getattr(spec, action) is not None]
    if len(given) != 1:
        told = " and ".join(given) or "no action"
        raise ConfigError(
            f"{where} ({spec.name!r}) has {told}.", next_step=f"Give exactly one of {', '.join(ACTIONS)}."
        )
    if spec.strict and spec.action not in ("forbid", "require"):
        raise ConfigError(
            f"{where} ({spec.name!r}) is strict, but {spec.action} only moves products.",
            next_step="Leave strict out, or use forbid or require.",
        )
    return spec


def _check_definitions(file: RuleFile, at: Any) -> None:
    for name, text in file.define.items():
        place = f"{at(None, name)} (definition {name!r})"
        if not re.fullmatch(r"[^\W\d]\w*", name) or name in KEYWORDS:
            raise ConfigError(
                f"{place}: {name!r} cannot name a condition.",
                next_step="Use letters, digits and _, and no word of the language.",
            )
        parse_condition(name, where=place, defined=file.define)
        assert text is not None


def _at(line: int | None) -> str:
    return f", line {line}" if line else ""


def _line_of(lines: list[str], number: int | None, key: str | None) -> int | None:
    """The 1-based line of a key of the n-th rule, of the rule itself (no key), or of a definition (no rule)."""
    seen, inside = -1, False
    for place, line in enumerate(lines, start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            seen += header[1] == "rule"
            inside = header[1] == ("define" if number is None else "rule") and number in (None, seen)
            if inside and key is None:
                return place
        elif inside and key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return place
    return None
