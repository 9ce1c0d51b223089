"""Which values and pairs of values are counted, and their rates as features of training rows and of later ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import orjson

from storewise.core.component import Arrays
from storewise.predict.tables import rates
from storewise.predict.tables.hashing import Hashes, paired
from storewise.predict.tables.rates import Floats, Table

Hashed = Mapping[str, Hashes]
Key = tuple[str, ...]
MOST_PAIRS = 12
MOST_SINGLES = 40
LEAST_GAIN = 1.002
"""A pair is counted when its rates alone predict better than those of both its parts by this factor."""


@dataclass(frozen=True)
class KeyRates:
    """Frozen tables of the keys that are counted, a name or a pair of names each."""

    tables: dict[Key, Table]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, two a key."""
        return tuple(f"{what} of {' × '.join(key)}" for key in self.tables for what in ("rate", "count"))

    @classmethod
    def learn(
        cls,
        hashes: Hashed,
        labels: Floats,
        *,
        moments: npt.NDArray[np.int64],
        crossed: int,
    ) -> tuple[KeyRates, npt.NDArray[np.float32]]:
        """The tables after (n,) training rows, and the features of those rows at their own of ``moments`` (n,)."""
        base = rates.overall(labels, moments)

        tables: dict[Key, Table] = {}
        blocks: list[npt.NDArray[np.float32]] = []
        losses: dict[Key, float] = {}
        final = rates.smoothed_base(labels)
        for key, keys in _candidates(hashes, losses, crossed):
            seen = rates.earlier(keys, labels, moments, base)
            strength, loss = rates.best_strength(seen, labels)
            if len(key) == 1:
                losses[key] = loss
            elif not loss * LEAST_GAIN < min(losses[(key[0],)], losses[(key[1],)]):
                continue
            if len(key) == 2 and sum(len(k) == 2 for k in tables) >= MOST_PAIRS:
                continue
            tables[key] = Table.of(keys, labels, final, strength)
            blocks.append(rates.features(seen, strength))
        block = np.concatenate(blocks, axis=1) if blocks else np.zeros((len(labels), 0), np.float32)
        return cls(tables), block

    def after(self, hashes: Hashed, n: int) -> npt.NDArray[np.float32]:
        """(n, 2·keys) features of rows after training."""
        blocks = [
            rates.features(table.seen(_keys(hashes, key)), table.strength)
            for key, table in self.tables.items()
        ]
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((n, 0), np.float32)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        about = [
            {"key": key, "base": table.base, "strength": table.strength} for key, table in self.tables.items()
        ]
        found: dict[str, npt.NDArray[np.generic]] = {"rates": np.frombuffer(orjson.dumps(about), np.uint8)}
        for number, table in enumerate(self.tables.values()):
            found[f"rates.{number}.keys"] = table.keys
            found[f"rates.{number}.rows"] = table.rows
            found[f"rates.{number}.events"] = table.events
        return found

    @classmethod
    def restore(cls, state: Arrays) -> KeyRates:
        tables = {}
        for number, about in enumerate(orjson.loads(state["rates"].tobytes())):
            keys, rows, events = (state[f"rates.{number}.{part}"] for part in ("keys", "rows", "events"))
            tables[tuple(about["key"])] = Table(keys, rows, events, about["base"], about["strength"])
        return cls(tables)


def _candidates(hashes: Hashed, losses: Mapping[Key, float], crossed: int) -> Iterator[tuple[Key, Hashes]]:
    """Single columns first; then, when their losses are known, the pairs of the ``crossed`` best ones."""
    for name in list(hashes)[:MOST_SINGLES]:
        yield (name,), hashes[name]
    best = sorted(losses, key=lambda key: losses[key])[:crossed]
    for (left,), (right,) in combinations(best, 2):
        yield (left, right), paired(hashes[left], hashes[right])


def _keys(hashes: Hashed, key: Key) -> Hashes:
    return hashes[key[0]] if len(key) == 1 else paired(hashes[key[0]], hashes[key[1]])
