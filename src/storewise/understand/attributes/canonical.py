"""One spelling for values that mean the same, so that given, extracted and asked values can be compared."""

from __future__ import annotations

import re
from functools import cache

from storewise.understand.attributes.gazetteer import BUILT_IN, lists_of
from storewise.understand.attributes.measure import measurements, normalise
from storewise.understand.attributes.names import known_name
from storewise.understand.attributes.number import parse, write
from storewise.understand.attributes.quantity import quantities
from storewise.understand.attributes.text import plain
from storewise.understand.attributes.value import MEASURES

TRANSLATED = frozenset(BUILT_IN) - {"type"}


def canonical(name: str, text: str) -> tuple[str, str | None]:
    """Value and unit of ``text`` as a value of ``name``.

    >>> canonical("colour", "Navy Blue"), canonical("weight", "0.5kg"), canonical("quantity", "12"), canonical("brand", " Sony ")
    (('navy', None), ('500', 'g'), ('12', 'piece'), ('sony', None))
    """
    bare = " ".join(text.split())
    if name in MEASURES:
        return _measure(name, bare)
    if name in TRANSLATED and (found := _listed(name, bare)):
        return found, None
    return re.sub(r"\s+", " ", plain(bare)).strip(" .,;"), None


def asked(name: str, value: str) -> tuple[str, str]:
    """A filter's name and value as extracted values spell them.

    >>> asked("Color", "红色"), asked("volume", "3L")
    (('colour', 'red'), ('volume', '3000 ml'))
    """
    own = known_name(name) or name.lower()
    told, unit = canonical(own, value)
    return own, f"{told} {unit}".lower() if unit else told


def _measure(name: str, text: str) -> tuple[str, str | None]:
    told = normalise(text)
    if told is not None and told[0] == name:
        return told[1], told[2]
    for one in (*measurements(text), *quantities(text)):
        if one.name == name:
            return one.value, one.unit
    value = parse(text)
    if value is None:
        return text.lower(), None
    return write(value), "piece" if name == "quantity" else None


@cache
def _listed(name: str, text: str) -> str | None:
    """The value whose phrase is the whole text, or the only one in it."""
    found = list(lists_of(name).find(text))
    values = {m.entry.value for m in found}
    if len(values) == 1 and max(m.end - m.start for m in found) >= 0.5 * len(text):
        return values.pop()
    return None
