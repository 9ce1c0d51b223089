"""From the text of a condition to its parts. Nothing is ever evaluated as code.

::

    condition = both { "or" both }
    both      = single { "and" single }
    single    = "not" single | "(" condition ")" | NAME | test [ "within" NUMBER unit ]
    test      = field "is" ( "known" | "unknown" )
              | field ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) ( TEXT | NUMBER | field )
              | field "in" ( "[" constant { "," constant } "]" | field )
              | side relation side
    field     = side "." ( "product" | "category" | "brand" | "price_minor" | "attribute" "." ( WORD | TEXT ) )
    side      = "candidate" | "bought" | "seen" | "history"
    relation  = "bought_with" | "substitutes" | "complements" | "accessories_of"
    unit      = "minute" | "hour" | "day" | "week", also with s

``NAME`` is a condition from the file's ``[define]`` section.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from storewise.core.errors import ConfigError
from storewise.understand.rules.condition import (
    CANDIDATE,
    LINKS,
    PAST,
    PLAIN_FIELDS,
    SIDES,
    And,
    Compare,
    Condition,
    Field,
    Known,
    Linked,
    Literals,
    Match,
    Not,
    Operator,
    Or,
)
from storewise.understand.rules.lexer import Token, tokens

UNITS_S = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
MIRRORED: Mapping[str, Operator] = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "known", "unknown", "within", *SIDES})
DEEPEST = 40
MOST_TESTS = 300
INSIDE = ", in the definition of "


def parse_condition(
    text: str, *, where: str = "condition", defined: Mapping[str, str] | None = None
) -> Condition:
    """Parse a condition; ``where`` names it in errors, ``defined`` are the named conditions it may use.

    Raises:
        ConfigError: saying what stands where, and what could stand there.

    >>> parse_condition('candidate.brand = "Acme"')
    Compare(field=Field(side='candidate', name='brand'), operator='=', values=('acme',), within_s=None)
    >>> parse_condition("candidate substitute bought")
    Traceback (most recent call last):
    ...
    storewise.core.errors.ConfigError: condition: 'substitute' at column 11 is no relation (did you mean \
'substitutes'?). Relations: bought_with, substitutes, complements, accessories_of.
    """
    return _Parser(tokens(text, where), where, defined or {}).whole()


@dataclass
class _Parser:
    tokens: list[Token]
    where: str
    defined: Mapping[str, str]
    open_names: tuple[str, ...] = ()
    place: int = 0
    depth: int = 0
    left: list[int] = field(default_factory=lambda: [MOST_TESTS])
    """How many tests may still come, shared with the definitions: they could double each other up."""

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def at_end(self) -> bool:
        return self.now.kind == "end"

    def take(self) -> Token:
        token = self.now
        self.place += token.kind != "end"
        return token

    def accept(self, kind: str, *values: str) -> bool:
        found = self.now.kind == kind and self.now.value in values
        self.place += found
        return found

    def expect(self, sign: str) -> None:
        if not self.accept("sign", sign):
            self.fail(self.now, f"stands where {sign!r} has to", [])

    def fail(self, token: Token, problem: str, known: Iterable[str], what: str = "Possible") -> NoReturn:
        names = list(known)
        near = difflib.get_close_matches(token.value, names, n=1) if token.value else []
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        shown = f"{token.value!r} at column {token.column}" if token.kind != "end" else "the end"
        raise ConfigError(
            f"{self.where}: {shown} {problem}{hint}.",
            next_step=f"{what}: {', '.join(names)}." if names else "See docs/rules.md for the grammar.",
        )

    def whole(self) -> Condition:
        if self.at_end():
            self.fail(self.now, "comes at once: the condition is empty", [])
        found = self.either()
        if not self.at_end():
            self.fail(self.now, "does not continue the condition", ["and", "or", "within"])
        return found

    def either(self) -> Condition:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(self.now, f"lies deeper than {DEEPEST} brackets", [])
        parts = [self.both()]
        while self.accept("word", "or"):
            parts.append(self.both())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def both(self) -> Condition:
        parts = [self.single()]
        while self.accept("word", "and"):
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def single(self) -> Condition:
        negate = False
        while self.accept("word", "not"):
            negate = not negate
        if self.accept("sign", "("):
            found = self.either()
            self.expect(")")
        elif self.now.kind == "word" and self.now.value not in KEYWORDS:
            found = self.named(self.take())
        else:
            found = self.test()
        return Not(found) if negate else found

    def named(self, token: Token) -> Condition:
        if token.value not in self.defined:
            self.fail(token, "is no side and not defined", [*SIDES, *self.defined])
        if token.value in self.open_names:
            cycle = " → ".join([*self.open_names, token.value])
            self.fail(token, f"leads back to itself: {cycle}", [])
        where = f"{self.where.partition(INSIDE)[0]}{INSIDE}{token.value!r}"
        inner = _Parser(tokens(self.defined[token.value], where), where, self.defined)
        inner.open_names, inner.depth, inner.left = (*self.open_names, token.value), self.depth, self.left
        return inner.whole()

    def test(self) -> Condition:
        token = self.take()
        self.left[0] -= 1
        if self.left[0] < 0:
            self.fail(token, f"comes after {MOST_TESTS} tests, which is the limit", [])
        if token.kind != "word" or token.value not in SIDES:
            self.fail(token, "stands where a test has to begin", [*SIDES, "not", "(", *self.defined])
        if not self.accept("sign", "."):
            return self.linked(token)
        left = self.field_of(token)
        if self.accept("word", "is"):
            known = self.take()
            if known.value not in ("known", "unknown"):
                self.fail(known, "cannot follow 'is'", ["known", "unknown"])
            past = left.side in PAST
            test = Known(left, self.within(past))
            return Not(test) if known.value == "unknown" else test
        if self.accept("word", "in"):
            return self.among(left)
        operator = self.take()
        if operator.kind != "sign" or operator.value not in COMPARISONS:
            self.fail(operator, f"cannot follow {left}", [*COMPARISONS, "in", "is"])
        return self.compared(left, operator)

    def among(self, left: Field) -> Condition:
        if not self.accept("sign", "["):
            return self.compared(left, Token("sign", "=", self.now.column))
        values = [self.constant()]
        while self.accept("sign", ","):
            values.append(self.constant())
        self.expect("]")
        return Compare(left, "=", tuple(values), self.within(left.side in PAST))

    def compared(self, left: Field, operator: Token) -> Condition:
        if self.now.kind in ("text", "number"):
            return self.against_constant(left, operator)
        token = self.take()
        if token.kind != "word" or token.value not in SIDES or not self.accept("sign", "."):
            self.fail(
                token, "is neither a constant nor a field", ["TEXT", "NUMBER", *(f"{s}.…" for s in SIDES)]
            )
        right = self.field_of(token)
        if (left.side == CANDIDATE) == (right.side == CANDIDATE):
            self.fail(
                token, "compares two fields of one kind: one has to be the candidate's", PAST, "The past"
            )
        if operator.value == "!=":
            self.fail(operator, "is ambiguous over several products; write: not … = …", [])
        sign: Operator = operator.value  # type: ignore[assignment]
        if right.side == CANDIDATE:
            left, right, sign = right, left, MIRRORED[sign]
        return Match(left, sign, right, self.within(True))

    def against_constant(self, left: Field, operator: Token) -> Condition:
        token = self.now
        value = self.constant()
        past = left.side in PAST
        if operator.value == "!=":
            if past:
                self.fail(operator, "is ambiguous over several products; write: not … = …", [])
            return Not(Compare(left, "=", (value,)))
        if operator.value != "=" and isinstance(value, str):
            self.fail(token, f"is a text, and {operator.value} compares numbers", [])
        sign: Operator = operator.value  # type: ignore[assignment]
        return Compare(left, sign, (value,), self.within(past))

    def linked(self, subject: Token) -> Condition:
        relation = self.take()
        if relation.value not in LINKS:
            self.fail(relation, "is no relation", LINKS, "Relations")
        other = self.take()
        if other.kind != "word" or other.value not in SIDES:
            self.fail(other, "is no side", SIDES, "Sides")
        if (subject.value == CANDIDATE) == (other.value == CANDIDATE):
            self.fail(other, "cannot be: a relation joins the candidate with the past", SIDES, "Sides")
        outward = subject.value == CANDIDATE
        side = other.value if outward else subject.value
        return Linked(relation.value, side, outward, self.within(True))

    def field_of(self, side: Token) -> Field:
        token = self.take()
        if token.kind == "word" and token.value in PLAIN_FIELDS:
            return Field(side.value, token.value)
        if token.value != "attribute":
            self.fail(token, "is no field", [*PLAIN_FIELDS, "attribute.NAME"], "Fields")
        self.expect(".")
        name = self.take()
        if name.kind not in ("word", "text") or not name.value.strip():
            self.fail(name, "is no attribute's name", [])
        return Field(side.value, f"attribute.{name.value.strip().casefold()}")

    def constant(self) -> str | float:
        token = self.take()
        if token.kind not in ("text", "number"):
            self.fail(token, "is no constant", ["TEXT in quotes", "NUMBER"])
        return float(token.value) if token.kind == "number" else token.value.strip().casefold()

    def within(self, allowed: bool) -> float | None:
        token = self.now
        if not self.accept("word", "within"):
            return None
        if not allowed:
            self.fail(
                token, "needs a test on the past, and this one asks the candidate alone", PAST, "The past"
            )
        number = self.take()
        if number.kind != "number" or not float(number.value) > 0:
            self.fail(number, "is no positive number", [])
        unit = self.take()
        name = unit.value.removesuffix("s")
        if name not in UNITS_S:
            self.fail(unit, "is no unit of time", [f"{u}s" for u in UNITS_S], "Units")
        return float(number.value) * UNITS_S[name]


def only_values(values: Literals) -> Literals:
    """Constants, each once, in a fixed order.

    >>> only_values(("b", 2.0, "a", "b"))
    (2.0, 'a', 'b')
    """
    numbers = sorted({value for value in values if isinstance(value, float)})
    return (*numbers, *sorted({value for value in values if isinstance(value, str)}))


def normal(condition: Condition) -> Condition:
    """The same condition with parts in a fixed order, so that two ways of writing it are equal."""
    if isinstance(condition, Not):
        inner = normal(condition.part)
        return inner.part if isinstance(inner, Not) else Not(inner)
    if isinstance(condition, And | Or):
        parts = sorted({normal(part) for part in condition.parts}, key=repr)
        return parts[0] if len(parts) == 1 else type(condition)(tuple(parts))
    return (
        replace(condition, values=only_values(condition.values))
        if isinstance(condition, Compare)
        else condition
    )
