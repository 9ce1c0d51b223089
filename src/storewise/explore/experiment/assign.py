"""Assignment by hash: no table of who saw what, the same answer on every machine, independent between experiments."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from storewise.core.errors import ConfigError

TOTAL = 2.0**64


@dataclass(frozen=True)
class Assignment:
    """``shares``: variant → its share of the units; they sum to at most 1, the rest takes no part.

    A unit's place in [0, 1) is a hash of salt and unit; variants lie side by side there in the order of
    ``shares``. Widening the last variant into free space moves nobody who is in already.

    >>> split = Assignment("new-ranking", {"control": 0.5, "treated": 0.5})
    >>> split("c:4f1a") == split("c:4f1a")
    True
    """

    salt: str
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        bad = [name for name, share in self.shares.items() if not 0 < share <= 1]
        total = sum(self.shares.values())
        if bad or not 0 < total <= 1 + 1e-9:
            raise ConfigError(
                f"The shares of the variants are {dict(self.shares)}, together {total:g}.",
                next_step="Give each variant a share above 0; together they may be 1 at most.",
            )

    def __call__(self, unit: str) -> str | None:
        """The unit's variant, None when it takes no part."""
        place, edge = self.place(unit), 0.0
        last = None
        for variant, share in self.shares.items():
            edge += share
            last = variant
            if place < edge:
                return variant
        return last if edge >= 1 - 1e-9 else None  # shares of 1/3 need not sum to 1 exactly

    def place(self, unit: str) -> float:
        """The unit's place in [0, 1), uniform over units."""
        key = f"{self.salt}\x1f{unit}".encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") / TOTAL
