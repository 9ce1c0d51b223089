"""Words, numbers, texts and signs of a condition, with where they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from storewise.core.errors import ConfigError

LONGEST = 2_000
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<word>[^\W\d]\w*)
    |(?P<sign><=|>=|!=|[=<>()\[\],.]))""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """``value`` without quotes; ``column`` from 1."""

    kind: Literal["text", "number", "word", "sign", "end"]
    value: str
    column: int


def tokens(text: str, where: str) -> list[Token]:
    """All tokens and one for the end.

    Raises:
        ConfigError: for a sign that the language does not have, an open quote, or a text beyond the limit.

    >>> [token.value for token in tokens('candidate.brand = "Acme"', "x")]
    ['candidate', '.', 'brand', '=', 'Acme', '']
    """
    if len(text) > LONGEST:
        raise ConfigError(
            f"{where}: the condition has {len(text)} characters, {LONGEST} are allowed.",
            next_step="Split it into several rules, or name parts under [define].",
        )
    found: list[Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise ConfigError(
                f"{where}: {text[start : start + 12]!r} at column {start + 1} cannot be read.",
                next_step="Texts stand in double quotes, numbers are plain (1200 or 0.5), signs are = != < <= > >= ( ) [ ] ,",
            )
        kind = str(match.lastgroup)
        value = match[kind][1:-1] if kind == "text" else match[kind]
        found.append(Token(kind, value, match.start(kind) + 1))  # type: ignore[arg-type]
        place = match.end()
    return [*found, Token("end", "", len(text) + 1)]
