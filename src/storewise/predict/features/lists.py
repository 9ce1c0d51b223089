"""What is known of lists at a moment: how often each product was clicked on against what its places would bring.

Clicks over expected clicks (Zhang and Jones, 2007): a product that stood first is expected to be clicked on more. An
expectation is of the place as the shop filled it, so that good products in good places are expected more too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.predict.features.events import CODE, DAY_S, EventLog, Floats, Ints
from storewise.predict.features.follow import followed

IMPRESSION, CLICK = CODE["impression"], CODE["click"]
LIST_DAYS = 91.0
CLICK_S = 1_800.0  # how long after an impression a click still counts as its
PRIOR = 20.0  # impressions that draw a rate to the shop's
REFERENCE_POSITION = 0.0  # where a product is taken to stand when nobody says where: the first place
SEPARATOR = "\x1f"


@dataclass(frozen=True)
class ListFacts:
    """``shown``, ``clicked``, ``expected`` (n_products,): impressions of the last 91 days, those clicked on, and as many
    as their places would bring. ``rate``: clicks an impression. ``slot``, ``source``: the commonest codes, -1 for none;
    ``priced``: whether impressions say a price."""

    shown: Floats
    clicked: Floats
    expected: Floats
    rate: float
    slot: int
    source: int
    priced: bool

    @classmethod
    def of(cls, log: EventLog, now: float) -> ListFacts:
        """As of ``now``; an impression so late that its click may yet come is left out."""
        given = log.before(now, IMPRESSION)
        slot, source = _commonest(given.slots), _commonest(given.sources)
        priced = bool(np.isfinite(given.spend_minor).any())
        given = given.select((given.at >= now - LIST_DAYS * DAY_S) & (given.at < now - CLICK_S))
        n = log.n_products
        clicks = followed(given, given.customers, log.before(now, CLICK), CLICK_S).astype(np.float64)
        shown = np.bincount(given.products, minlength=n).astype(np.float64)
        clicked = np.bincount(given.products, clicks, minlength=n)
        rate = float(clicks.mean()) if len(clicks) else float("nan")
        places = places_of(given)
        at_place = np.bincount(places).astype(np.float64)
        by_place = (np.bincount(places, clicks) + PRIOR * np.nan_to_num(rate)) / (at_place + PRIOR)
        expected = np.bincount(given.products, by_place[places], minlength=n)
        return cls(shown, clicked, expected, rate, slot, source, priced)

    @property
    def gain(self) -> Floats:
        """(n_products,) ``ln((clicked + a)/(expected + a))``, a the clicks of 20 impressions; NaN without impressions."""
        prior = PRIOR * self.rate
        known = (self.shown > 0) & (prior > 0)
        ratio = np.divide(
            self.clicked + prior, self.expected + prior, out=np.ones(len(self.shown)), where=known
        )
        return np.where(known, np.log(ratio), np.nan)


def places_of(given: EventLog) -> Ints:
    """(n,) numbers of the different (slot, position) of events; an unknown one is a place too."""
    slots = np.full(len(given), -1, np.int64) if given.slots is None else given.slots.astype(np.int64)
    positions = np.full(len(given), np.nan) if given.positions is None else given.positions.astype(np.float64)
    keys = (slots + 1) * 100_000 + np.where(np.isnan(positions), 0, np.minimum(positions, 99_998) + 1).astype(
        np.int64
    )
    return np.unique(keys, return_inverse=True)[1].ravel().astype(np.int64)


def _commonest(codes: npt.NDArray[np.int16] | None) -> int:
    if codes is None or not (codes >= 0).any():
        return -1
    return int(np.bincount(codes[codes >= 0]).argmax())


def packed(names: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    """Names as bytes, as artifacts hold them.

    >>> unpacked(packed(("home", "cart")))
    ('home', 'cart')
    """
    return np.frombuffer(SEPARATOR.join(names).encode(), np.uint8)


def unpacked(text: npt.NDArray[np.uint8]) -> tuple[str, ...]:
    """What :func:`packed` packed."""
    return tuple(text.tobytes().decode().split(SEPARATOR)) if len(text) else ()
