"""The shop's ids and pseudonyms side by side: either may be given, only pseudonyms go further."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

FORM = re.compile(r"[0-9a-f]{32}")
REMEMBERED = 100_000


class Keyed(Protocol):
    """What makes pseudonyms; see :class:`storewise.data.privacy.Pseudonyms`."""

    def customer(self, customer_id: str, /) -> str: ...

    def session(self, session_id: str, /) -> str: ...


class Shoppers:
    """Turns what a caller sends into a pseudonym.

    A text of a pseudonym's form passes unchanged only if it is one that the shop knows or that was handed
    out before: some shops' own ids look the same, and those must be turned like all others.

    >>> from storewise.data.privacy import Pseudonyms
    >>> shoppers = Shoppers(Pseudonyms(bytes(32)), known=lambda key: False)
    >>> made = shoppers.customer("12345")
    >>> shoppers.customer(made) == made
    True
    """

    def __init__(self, keyed: Keyed, *, known: Callable[[str], bool]) -> None:
        self._keyed = keyed
        self._known = known
        self._made: dict[str, None] = {}

    def customer(self, given: str) -> str:
        """The pseudonym of a customer."""
        return self._turn("c:", given, self._keyed.customer)

    def session(self, given: str) -> str:
        """The pseudonym of a session."""
        return self._turn("s:", given, self._keyed.session)

    def _turn(self, kind: str, given: str, make: Callable[[str], str]) -> str:
        if FORM.fullmatch(given) and (kind + given in self._made or self._known(kind + given)):
            return given
        made = make(given)
        self._made[kind + made] = None
        if len(self._made) > REMEMBERED:
            self._made.pop(next(iter(self._made)), None)
        return made
