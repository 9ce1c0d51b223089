"""The policy to be judged, from whatever is known of it, as a distribution at each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.data.sources.bandit_log import ActionRows
from storewise.explore.evaluate.log import BanditLog
from storewise.explore.orders.independent import Independent
from storewise.explore.orders.scores import Betas

Floats = npt.NDArray[np.float64]

PUBLISHED_DRAWS, PUBLISHED_SEED = 100_000, 12345
CLOSE = 0.02  # how far rounded probabilities may sum from 1


@dataclass(frozen=True)
class Codes:
    """Actions and positions of log and policy as numbers from 0."""

    actions: dict[str, int]
    places: dict[str, int]

    @classmethod
    def of(cls, log: ActionRows, policy: ActionRows) -> Codes:
        """Positions are those of the log, in their own order (numbers as numbers).

        Raises:
            DataError: when the two have no action in common.
        """
        if not {*log.actions} & {*policy.actions}:
            raise DataError(
                f"No action of {policy.path} occurs in {log.path} (policy: {policy.actions[0]!r} …, log: "
                f"{log.actions[0]!r} …).",
                next_step="Name actions alike in both files, or say with --columns which column holds them.",
            )
        actions = sorted({*log.actions, *policy.actions}, key=_natural)
        places = sorted(set(log.positions or [""]), key=_natural)
        return cls(_numbered(actions), _numbered(places))

    @classmethod
    def of_names(cls, log: ActionRows, names: Sequence[str]) -> Codes:
        """Actions are ``names``; positions are those of the log."""
        places = sorted(set(log.positions or [""]), key=_natural)
        return cls(_numbered(sorted({*log.actions, *names}, key=_natural)), _numbered(places))

    @property
    def n_actions(self) -> int:
        return len(self.actions)

    @property
    def n_places(self) -> int:
        return len(self.places)

    def log(self, rows: ActionRows) -> BanditLog:
        """The log in numbers."""
        places = rows.positions or [""] * len(rows)
        return BanditLog.of(
            [self.actions[action] for action in rows.actions],
            rows.numbers["reward"],
            rows.numbers["propensity"],
            places=[self.places[place] for place in places],
            contexts=rows.contexts,
            n_actions=self.n_actions,
        )


def target_table(policy: ActionRows, codes: Codes) -> Floats:
    """(n_places, n_actions), or (1, n_actions) for a policy that does not know places.

    Probabilities are taken as they are (and made to sum to 1 when they are within 2 % of it); Beta posteriors are
    integrated (``explore.orders.independent``: Thompson sampling shows the best by one draw an arm, at the first
    place the largest); of a log the shares of actions at each place are taken.

    Raises:
        DataError: for an action twice, a place of the log that the policy lacks, and sums far from 1.
    """
    if "a" in policy.numbers:
        return integrated(policy, codes)
    if "probability" not in policy.numbers:
        return _shares(policy, codes)
    table = np.zeros((codes.n_places if policy.positions else 1, codes.n_actions))
    seen = np.zeros(table.shape, bool)
    for row, (action, chance) in enumerate(zip(policy.actions, policy.numbers["probability"], strict=True)):
        place = codes.places.get(policy.positions[row], -1) if policy.positions else 0
        if place < 0:
            continue
        at = place, codes.actions[action]
        if seen[at]:
            raise DataError(
                f"{policy.path}, line {policy.lines[row]}: action {action!r} stands twice.",
                next_step="Give each action once, or once a position.",
            )
        table[at], seen[at] = chance, True
    sums = table.sum(axis=1)
    if (np.abs(sums - 1) > CLOSE).any():
        place = int(np.argmax(np.abs(sums - 1)))
        name = f" at position {list(codes.places)[place]!r}" if policy.positions else ""
        raise DataError(
            f"{policy.path}: the probabilities{name} sum to {sums[place]:.4f}, not 1.",
            next_step="Give the probability of every action that the policy can take.",
        )
    found: Floats = table / sums[:, None]
    return found


def integrated(policy: ActionRows, codes: Codes) -> Floats:
    """Exact probabilities of Beta Thompson sampling by quadrature."""
    rows = _parameters(policy, codes)
    k = min(codes.n_places, len(rows))
    order = Independent(Betas(policy.numbers["a"], policy.numbers["b"]), k)
    return _spread(order.marginals.T, rows, codes)


def drawn_as_published(policy: ActionRows, codes: Codes) -> Floats:
    """The same by counting draws, with the generator that published figures used."""
    rows = _parameters(policy, codes)
    k = min(codes.n_places, len(rows))
    legacy = np.random.RandomState(PUBLISHED_SEED)
    counts = np.zeros((k, len(rows)))
    for _ in range(10):
        size = PUBLISHED_DRAWS // 10, len(rows)
        drawn = legacy.beta(policy.numbers["a"], policy.numbers["b"], size=size)
        best = np.argsort(-drawn, axis=1)[:, :k]
        for place in range(k):
            counts[place] += np.bincount(best[:, place], minlength=len(rows))
    return _spread(counts / PUBLISHED_DRAWS, rows, codes)


def _parameters(policy: ActionRows, codes: Codes) -> npt.NDArray[np.int64]:
    rows = np.array([codes.actions[action] for action in policy.actions], np.int64)
    if len(np.unique(rows)) < len(rows):
        raise DataError(f"{policy.path}: an action stands twice.", next_step="Give each action once.")
    if codes.n_places > len(rows):
        raise DataError(
            f"{policy.path} has {len(rows)} actions for {codes.n_places} places.",
            next_step="Give the posterior of every action.",
        )
    return rows


def _spread(marginals: Floats, rows: npt.NDArray[np.int64], codes: Codes) -> Floats:
    table = np.zeros((len(marginals), codes.n_actions))
    table[:, rows] = marginals / marginals.sum(axis=1, keepdims=True)
    return table


def _shares(policy: ActionRows, codes: Codes) -> Floats:
    table = np.zeros((codes.n_places if policy.positions else 1, codes.n_actions))
    for row, action in enumerate(policy.actions):
        place = codes.places.get(policy.positions[row], -1) if policy.positions else 0
        if place >= 0:
            table[place, codes.actions[action]] += 1
    empty = table.sum(axis=1) == 0
    if empty.any():
        name = list(codes.places)[int(np.argmax(empty))]
        raise DataError(
            f"{policy.path} has no row at position {name!r}, which the log has.",
            next_step="Name positions alike in both files.",
        )
    found: Floats = table / table.sum(axis=1, keepdims=True)
    return found


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _natural(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
