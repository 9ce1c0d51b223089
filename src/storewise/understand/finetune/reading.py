"""Examples for an encoder that reads what a customer bought: the history before an event, what came next, and what
did not.

An example is one event (customer c, product j, moment t): j is bought for the first time, the history holds what c
did strictly before t. Nothing at or after ``border`` is inside. A negative is a product that c bought at no time
before ``border``, and whose text differs from that of j.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import DataError
from storewise.data.interactions import Histories, Interactions
from storewise.understand.finetune.pairs import Ints

SEPARATOR = " ; "


@dataclass(frozen=True)
class Examples:
    """``histories`` (e shoppers, each at the moment of the event), ``wanted`` (e,): what was bought next; ``bought``
    (e, n_products): nonzero for all that the shopper bought before the border, later than the event too."""

    histories: Histories
    wanted: Ints
    bought: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.wanted)


def examples_of(
    behaviour: Interactions,
    *,
    since: float,
    border: float,
    most: int,
    a_customer: int,
    rng: np.random.Generator,
) -> Examples:
    """Up to ``most`` events of [``since``, ``border``) drawn at random, at most ``a_customer`` of one customer.

    Raises:
        DataError: when no event has anything before it.

    >>> shop = Interactions.build([0, 0, 0], [1, 2, 1], at=[0, 5, 6], n_customers=1, n_products=3)
    >>> found = examples_of(shop, since=0, border=9, most=9, a_customer=9, rng=np.random.default_rng(0))
    >>> found.histories.products.tolist(), found.wanted.tolist()
    ([1], [2])
    """
    known = behaviour.select(behaviour.at < border)
    first = np.zeros(len(known), bool)
    # Rows are sorted by customer and time, so that the first of each pair is the earliest.
    first[
        np.unique(known.customers.astype(np.int64) * known.n_products + known.products, return_index=True)[1]
    ] = True
    starts = known.indptr[known.customers]
    new_moment = np.ones(len(known), bool)
    new_moment[1:] = (np.diff(known.at) > 0) | (np.diff(known.customers) > 0)
    stops = np.maximum.accumulate(np.where(new_moment, np.arange(len(known)), 0))  # strictly before the event
    rows = np.flatnonzero(first & (stops > starts) & (known.at >= since))
    rows = rng.permutation(rows)
    rows = rows[_place(known.customers[rows]) < a_customer][:most]
    if not len(rows):
        raise DataError("No purchase has another one before it.", next_step="Give a longer history.")
    lengths = stops[rows] - starts[rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    flat = np.repeat(starts[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
    histories = Histories(
        indptr, known.products[flat], known.at[flat], known.weight[flat], known.customers[rows], known.at[rows],
        known.n_products,
    )  # fmt: skip
    return Examples(histories, known.products[rows].astype(np.int64), known.matrix[known.customers[rows]])


def _place(values: npt.NDArray[np.int32]) -> Ints:
    """(n,): how many equal values stand before each.

    >>> _place(np.array([3, 4, 3, 3], np.int32)).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    start = np.searchsorted(ranked, ranked, side="left")
    found = np.empty(len(values), np.int64)
    found[order] = np.arange(len(values)) - start
    return found


def history_texts(histories: Histories, titles: Sequence[str], *, most: int) -> list[str]:
    """The last ``most`` different titles of each shopper, the latest first.

    >>> history_texts(Histories.single([0, 1, 0], n_products=2), ["cup", "lamp"], most=5)
    ['cup ; lamp']
    """
    found = []
    for start, stop in zip(histories.indptr[:-1], histories.indptr[1:], strict=True):
        told = dict.fromkeys(titles[product] for product in histories.products[start:stop][::-1])
        found.append(SEPARATOR.join([title for title in told if title.strip()][:most]))
    return found


def negatives_of(
    examples: Examples, candidates: Ints, text_of: Ints, popularity: Ints, *, hard: int, random: int,
    rng: np.random.Generator,
) -> Ints:  # fmt: skip
    """(e, hard + random) negatives. ``candidates`` (e, depth): what a model that knew nothing of the event ranked
    highest, -1 where there is none; ``hard`` of them are drawn alike, ``random`` others in proportion to
    ``popularity`` (n_products,), which also fill up where the hard ones are too few."""
    share = np.cumsum(popularity + 1e-9)
    found = np.empty((len(examples), hard + random), np.int64)
    for row, wanted in enumerate(examples.wanted):
        bought = set(
            examples.bought.indices[examples.bought.indptr[row] : examples.bought.indptr[row + 1]].tolist()
        )

        def allowed(product: int, wanted: int = int(wanted), bought: set[int] = bought) -> bool:
            return product >= 0 and product not in bought and bool(text_of[product] != text_of[wanted])

        near = [int(product) for product in candidates[row] if allowed(int(product))]
        chosen = rng.permutation(near)[:hard].astype(np.int64).tolist()
        for _ in range(1000):
            if len(chosen) == hard + random:
                break
            drawn = min(int(np.searchsorted(share, rng.random() * share[-1], side="right")), len(share) - 1)
            if allowed(drawn) and drawn not in chosen:
                chosen.append(drawn)
        else:
            raise DataError(
                f"A customer bought nearly all of {len(share):,} products; there are no negatives.",
                next_step="Give data with more products.",
            )
        found[row] = chosen
    return found
