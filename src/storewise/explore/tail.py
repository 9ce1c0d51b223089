"""A ranked list whose last places explore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.explore.base import Context, Floats, Ints, Policy

POOL = 50


@dataclass(frozen=True)
class Tail:
    """The list (n,) with the exact propensity of each item at its place (1 for the head), of being anywhere in
    the list, and of the whole list; ``explored`` (n,) is True where the policy chose."""

    items: Ints
    propensities: Floats
    inclusions: Floats
    slate_propensity: float
    explored: npt.NDArray[np.bool_]


def explore_tail(
    policy: Policy[Any],
    items: npt.ArrayLike,
    *,
    values: npt.ArrayLike,
    deviations: npt.ArrayLike | None = None,
    n: int,
    places: int,
    rng: np.random.Generator,
    features: npt.ArrayLike | None = None,
    pool: int = POOL,
) -> Tail:
    """The first n - ``places`` of ``items`` (m,), ranked best first, as they are; the last ``places`` by policy
    among the rest.

    ``values`` and ``deviations`` (m,): each item's probability of click or purchase and its standard error.
    Fewer items than places: what there is. ``pool``: the policy sees the best so many of the rest and no more, so
    that a long list costs little; what is beyond has propensity 0.

    Raises:
        DataError: when ``places`` is below 0 or above n, or for what :meth:`Context.of` refuses.

    >>> from storewise.explore.slate_thompson import SlateThompson
    >>> rng = np.random.default_rng(1)
    >>> tail = explore_tail(SlateThompson(), [9, 4, 7, 5], values=[0.4, 0.3, 0.2, 0.2], n=3, places=1, rng=rng)
    >>> tail.items[:2].tolist(), tail.propensities[:2].tolist(), tail.explored.tolist()
    ([9, 4], [1.0, 1.0], [False, False, True])
    """
    ranked = np.asarray(items, np.int64)
    if not 0 <= places <= n:
        raise DataError(
            f"{places} places of a list of {n} are to explore.", next_step=f"Explore with 0 to {n} places."
        )
    head = min(n - places, len(ranked))
    free = min(places, len(ranked) - head)
    ones = np.ones(head)
    if not free:
        return Tail(ranked[:head], ones, ones, 1.0, np.zeros(head, bool))
    end = head + max(pool, free)
    parts = [None if part is None else np.asarray(part)[head:end] for part in (values, deviations, features)]
    context = Context.of(
        ranked[head:end], places=free, values=parts[0], deviations=parts[1], features=parts[2]
    )
    decision = policy.decide(context, rng)
    return Tail(
        np.concatenate([ranked[:head], decision.arms]),
        np.concatenate([ones, decision.propensities]),
        np.concatenate([ones, decision.inclusions]),
        decision.slate_propensity,
        np.arange(head + free) >= head,
    )
