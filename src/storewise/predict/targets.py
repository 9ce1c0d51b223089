"""What is predicted: for each target the cases to learn from, their outcome, and the data it cannot do without.

Cases are asked at a moment and labelled by what happened from it on; their features are what was known before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from storewise.predict.features.events import CODE, DAY_S, PURCHASE, RETURN, EventLog
from storewise.predict.features.facts import ShopFacts
from storewise.predict.features.follow import followed
from storewise.predict.features.pair import bought_pairs
from storewise.predict.features.shown import Shown

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Unit = Literal["customer", "pair", "moment"]

CHURN_QUANTILE = 0.9  # of the gaps between orders: whoever stays away longer has probably left
CHURN_DAYS = (14.0, 365.0)
RETURN_DAYS = 60.0
VALUE_DAYS = 90.0
MOST_BOUGHT = 60  # different products of a shopper, the latest, that are asked about
MOST_NEAR = 20  # products bought together with those
MOST_OTHER = 10  # products drawn by popularity, so that unlikely ones are known too
LISTED = ("impression", "click")  # events of a product in a list
REACTION_S = {"click": 1_800.0, "cart": 1_800.0, "purchase": DAY_S}
"""How long after an impression or a click an event still counts as caused by it."""


@dataclass(frozen=True)
class Target:
    """``unit``: one row a customer, a (customer, product) pair at a common moment, or a pair at a moment of its own
    (a purchase line, an impression). ``amount``: an expected amount of money and no probability. ``given``: the event
    that a case is, for units of kind ``moment``; ``outcome``: the kind of event that counts as yes; ``sessions``: the
    cases of anonymous sessions count beside those of customers."""

    name: str
    unit: Unit
    about: str
    needs: tuple[str, ...]
    outcome: str
    given: str | None = None
    amount: bool = False
    sessions: bool = False

    def missing(self, log: EventLog) -> str | None:
        """Why a shop cannot have this target, None when it can.

        >>> log = EventLog.build([0], [0], [1.0], n_customers=1, n_products=1)
        >>> TARGETS["click"].missing(log)
        'not predictable from this shop: no impressions and no clicks'
        """
        known = log.kinds[(log.customers >= 0) & (log.customers < self.actors(log))]
        lacking = [kind for kind in self.needs if not (known == CODE[kind]).any()]
        if lacking:
            listed = " and ".join(f"no {kind}s" for kind in lacking)
            return f"not predictable from this shop: {listed}"
        if self.amount and not np.isfinite(log.spend_minor[log.kinds == PURCHASE]).any():
            return "not predictable from this shop: no prices"
        return None

    def actors(self, log: EventLog) -> int:
        """Actors below it are asked about: customers, and sessions where they count."""
        return log.n_actors if self.sessions else log.n_customers


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("purchase", "customer", "buys anything within the horizon", ("purchase",), "purchase"),
        Target("churn", "customer", "does not buy within the shop's own long gap", ("purchase",), "purchase"),
        Target("value", "customer", "spends within 90 days", ("purchase",), "purchase", amount=True),
        Target("product", "pair", "buys this product within the horizon", ("purchase",), "purchase"),
        Target("return", "moment", "sends a bought product back within 60 days", ("purchase", "return"),
               "return", "purchase"),
        Target("click", "moment", "clicks on a product that is shown", ("impression", "click"), "click",
               "impression", sessions=True),
        Target("cart", "moment", "puts a product that is shown in the cart", ("impression", "cart"), "cart",
               "impression", sessions=True),
        Target("purchase_shown", "moment", "buys a product that is shown within a day",
               ("impression", "purchase"), "purchase", "impression", sessions=True),
        Target("purchase_clicked", "moment", "buys a product that was clicked on within a day",
               ("click", "purchase"), "purchase", "click", sessions=True),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Cases:
    """n cases: ``customers`` (actors of the log, as known at the moment) and ``products`` (-1 where the target is of the
    customer alone), asked at ``at``, with ``labels`` (0 or 1, or an amount); ``shown``: how, where a case is a product
    in a list."""

    customers: Ints
    products: Ints
    at: Floats
    labels: Floats
    shown: Shown | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: npt.NDArray[np.bool_] | Ints) -> Cases:
        """The cases of a mask or of indices."""
        shown = None if self.shown is None else self.shown.part(rows)
        return Cases(self.customers[rows], self.products[rows], self.at[rows], self.labels[rows], shown)


def churn_days(log: EventLog) -> float:
    """The gap between orders that 9 of 10 do not exceed, in whole weeks, within bounds and a third of the history.

    >>> log = EventLog.build([0] * 4, [0] * 4, [0.0, 20 * DAY_S, 40 * DAY_S, 400 * DAY_S], n_customers=1, n_products=1)
    >>> churn_days(log)
    133.0
    """
    orders = log.trails(np.arange(log.n_customers), np.inf).orders
    inside = orders.rows[1:] == orders.rows[:-1]
    gaps = np.diff(orders.at)[inside] / DAY_S
    span = (log.end - log.start) / DAY_S
    if not len(gaps):
        return CHURN_DAYS[0]
    wanted = float(np.quantile(gaps, CHURN_QUANTILE))
    return float(max(7.0, np.floor(np.clip(wanted, CHURN_DAYS[0], min(CHURN_DAYS[1], span / 3)) / 7) * 7))


def horizon_of(target: Target, horizon_days: float, churn: float) -> float:
    """How many days after a case its outcome is known."""
    days = {"churn": churn, "value": VALUE_DAYS, "return": RETURN_DAYS}
    reaction = REACTION_S.get(target.outcome, 0.0) / DAY_S
    return days.get(target.name, horizon_days if target.unit != "moment" else reaction)


def known_customers(log: EventLog, moment: float) -> Ints:
    """Customers with an order before ``moment``."""
    rows = (log.kinds == PURCHASE) & (log.customers >= 0) & (log.customers < log.n_customers)
    return np.unique(log.customers[rows & log.holds(moment)])


def customer_cases(target: Target, log: EventLog, moment: float, days: float) -> Cases:
    """Every customer with an order before ``moment``, labelled by [moment, moment + days)."""
    who = known_customers(log, moment)
    window = log.between(moment, moment + days * DAY_S)
    kept = (window.customers >= 0) & (window.customers < log.n_customers)
    mine = window.customers[kept]
    if target.amount:
        spent = np.bincount(mine, np.nan_to_num(window.spend_minor[kept]), minlength=log.n_customers)
        labels = spent[who].astype(np.float64)
    else:
        labels = (np.bincount(mine, minlength=log.n_customers)[who] > 0).astype(np.float64)
        labels = 1 - labels if target.name == "churn" else labels
    return Cases(who, np.full(len(who), -1), np.full(len(who), moment), labels)


def pair_cases(
    log: EventLog,
    facts: ShopFacts,
    moment: float,
    days: float,
    *,
    most: int | None = None,
    rng: np.random.Generator,
) -> Cases:
    """Candidate products of customers with an order before ``moment``: the latest that they bought, the best that
    are bought together with those, and some by popularity. ``most``: customers, drawn at random."""
    who = known_customers(log, moment)
    if most is not None and len(who) > most:
        who = np.sort(rng.choice(who, most, replace=False))
    rows, products = candidates(log, facts, who, moment, rng=rng)
    window = log.between(moment, moment + days * DAY_S)
    bought = np.unique(window.customers * log.n_products + window.products)
    labels = np.isin(who[rows] * log.n_products + products, bought).astype(np.float64)
    return Cases(who[rows], products, np.full(len(rows), moment), labels)


def candidates(
    log: EventLog, facts: ShopFacts, who: Ints, moment: float, *, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """(rows of ``who``, products): see :func:`pair_cases`."""
    trails = log.trails(who, moment)
    rows, products = bought_pairs(trails, most=MOST_BOUGHT)
    near_rows, near = _near(rows, products, facts, len(who))
    sold = np.nan_to_num(facts.buyers_91) + np.nan_to_num(facts.buyers_365)
    parts = [(rows, products), (near_rows, near)]
    if sold.sum() > 0:
        n = MOST_OTHER * len(who)
        drawn = rng.choice(len(sold), n, p=sold / sold.sum())
        parts.append((np.repeat(np.arange(len(who)), MOST_OTHER), drawn.astype(np.int64)))
    keys = np.concatenate([r * log.n_products + p for r, p in parts])
    kept = np.unique(keys)
    return kept // log.n_products, kept % log.n_products


def _near(rows: Ints, products: Ints, facts: ShopFacts, n: int) -> tuple[Ints, Ints]:
    """The products that go best with a shopper's, theirs left out."""
    from scipy import sparse

    own = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, products)), shape=(n, facts.n_products))
    found_rows, found = [], []
    for start in range(0, n, 500):
        part = own[start : start + 500]
        scores = (part @ facts.near).toarray()
        scores[part.nonzero()] = 0
        best = np.argpartition(-scores, min(MOST_NEAR, scores.shape[1] - 1), axis=1)[:, :MOST_NEAR]
        good = np.take_along_axis(scores, best, axis=1) > 0
        found_rows.append(np.repeat(np.arange(len(best)) + start, best.shape[1])[good.ravel()])
        found.append(best.ravel()[good.ravel()])
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(found_rows).astype(np.int64), np.concatenate(found).astype(np.int64)


def moment_cases(
    target: Target,
    log: EventLog,
    start: float,
    stop: float,
    *,
    most: int | None = None,
    rng: np.random.Generator,
) -> Cases:
    """The given events in [start, stop) of whom the target is about, each with a moment of its own and asked of its actor
    as known then; yes where the outcome follows for the same product within the target's time, by the same actor or in
    the same session (somebody who signs in to pay is who clicked)."""
    given, actors = log.asked(start, stop, CODE[str(target.given)])
    places = np.flatnonzero((actors >= 0) & (actors < target.actors(log)))
    if most is not None and len(places) > most:
        places = np.sort(rng.choice(places, most, replace=False))
    given, who = given.select(places), actors[places]
    within = RETURN_DAYS * DAY_S if target.outcome == "return" else REACTION_S[target.outcome]
    labels = followed(given, who, log.select(log.kinds == CODE[target.outcome]), within)
    shown = Shown.of(given, who) if target.given in LISTED else None
    return Cases(who, given.products, given.at, labels.astype(np.float64), shown)


__all__ = [
    "RETURN",
    "TARGETS",
    "Cases",
    "Target",
    "candidates",
    "churn_days",
    "customer_cases",
    "horizon_of",
    "moment_cases",
    "pair_cases",
]
