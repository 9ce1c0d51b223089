"""One request, from who asks to the list with its reasons.

The current snapshot is read once, so that a swap in the middle of a request is not seen. What fails steps
down the ladder: the trained components, the popular products of the shopper's category, the popular ones.
"""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import structlog

from storewise.core.clock import Clock, seconds
from storewise.data.interactions import Floats, Histories, Ints, Weights
from storewise.engine.experiment.variants import assigned
from storewise.engine.serving.live import WEIGHTS, Live, LiveEvent, customer_key, session_key
from storewise.engine.serving.rules import POOL, Bound, guard_rail, past_of, reorder
from storewise.engine.serving.rules import bound as bound_rules
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Filters, Mask
from storewise.recommend.request import ItemList, Reason, Request
from storewise.understand.rules import Past

log = structlog.get_logger(__name__)
HOUR_S, DAY_S = 3_600.0, 86_400.0
NO_FILTERS = Filters()
ELIGIBILITY = "eligibility"  # the guard-rail that only a faulty component can run into
RECENT = 20  # how many of the latest products say which category a shopper is in

Step = Literal["full", "popular_in_category", "popular", "none"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks for what. ``customer`` and ``session`` are pseudonyms, products are the shop's ids."""

    customer: str | None = None
    session: str | None = None
    context: tuple[str, ...] = ()
    slot: str = "home"
    n: int | None = None
    filters: Filters = NO_FILTERS
    exclude: tuple[str, ...] = ()
    personal: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One place of the list; ``source`` is the component or the rung that put it there."""

    product: int
    score: float
    source: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Answer:
    """The list and how it came about; ``step`` is the rung of the first item, ``variant`` that of an experiment."""

    decision_id: str
    at: datetime
    snapshot: Snapshot
    ask: Ask
    step: Step
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    guard_rail: str | None = None
    rules: tuple[Bound, ...] = ()
    variant: str | None = None


@dataclass
class _Draft:
    """The list while it is being made."""

    eligible: Mask
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rules: tuple[Bound, ...] = ()
    shift: npt.NDArray[np.float64] | None = None

    def pool(self, n: int) -> int:
        """How many to retrieve for n places."""
        return n if self.shift is None else POOL * n

    def take(self, items: list[Item]) -> None:
        self.items.extend(items)
        self.eligible[[item.product for item in items]] = False


@dataclass(frozen=True, slots=True)
class _Shopper:
    """``history``: all that is known up to now; ``fresh``: the live part alone, when there is more besides;
    ``past``: what rules ask about, in a shop that has some."""

    history: Histories
    fresh: Histories | None
    past: Past | None = None


class Recommender:
    """Answers requests; safe to call from several threads.

    ``current`` gives the serving snapshot (and raises when there is none); ``record`` takes each answer for
    the decision log and must not block.
    """

    def __init__(
        self,
        current: Callable[[], Snapshot],
        *,
        live: Live,
        clock: Clock,
        record: Callable[[Answer], None] = lambda answer: None,
    ) -> None:
        self._current = current
        self._live = live
        self._clock = clock
        self._record = record
        self._boot = secrets.token_hex(6)
        self._count = itertools.count(1)

    def __call__(self, ask: Ask) -> Answer:
        """The list for one request.

        Raises:
            NothingPublished: when no snapshot serves.
        """
        snapshot, variant = assigned(self._current(), ask)
        now = self._clock()
        allowed = snapshot.eligibility.mask(ask.filters).copy()
        _hide(allowed, snapshot, (*ask.exclude, *ask.context))
        draft = _Draft(allowed.copy())
        n = ask.n if ask.n is not None else snapshot.pipeline.n
        shopper = self._shopper(snapshot, ask, seconds(now), draft)
        _apply_rules(snapshot, ask, shopper, seconds(now), draft)
        allowed &= draft.eligible  # products that rest are as hard a rule as the others
        if shopper is not None:
            _personal(snapshot, ask, shopper, n, draft)
        _fill(snapshot, ask, shopper, n, draft)
        items, bound = _checked(draft.items, allowed)
        answer = Answer(
            f"{self._boot}-{next(self._count):08x}", now, snapshot, ask, _step(items), items,
            tuple(draft.notes), bound or guard_rail(draft.rules), draft.rules, variant,
        )  # fmt: skip
        self._record(answer)
        return answer

    def _shopper(self, snapshot: Snapshot, ask: Ask, now: float, draft: _Draft) -> _Shopper | None:
        """What is known of the shopper up to now, or None when it may not be used."""
        if not ask.personal:
            draft.notes.append("a list without personal data was asked for")
            return None
        if ask.customer is not None and ask.customer in snapshot.private:
            draft.notes.append("no consent to a personal list")
            return None
        live = self._live.of(
            customer_key(ask.customer) if ask.customer is not None else None,
            session_key(ask.session) if ask.session is not None else None,
        )
        return _join(snapshot, ask, live, now, draft.eligible)


def _apply_rules(snapshot: Snapshot, ask: Ask, shopper: _Shopper | None, now: float, draft: _Draft) -> None:
    """Take away what the shop's rules forbid, and note what they prefer."""
    if snapshot.rules is None:
        return
    if shopper is not None and shopper.past is not None:
        past = shopper.past
    else:
        looked_at = np.array(_context(snapshot, ask), np.int64)
        past = Past(seen=looked_at, seen_at=np.full(len(looked_at), now), now=now)
    verdict = snapshot.rules(past, draft.eligible)
    draft.eligible &= verdict.allowed
    draft.rules, draft.shift = bound_rules(verdict), verdict.shift


def _hide(mask: Mask, snapshot: Snapshot, product_ids: tuple[str, ...]) -> None:
    index = snapshot.catalogue.index
    for name in product_ids:
        if (product := index.get(name)) is not None:
            mask[product] = False


def _join(snapshot: Snapshot, ask: Ask, live: tuple[LiveEvent, ...], now: float, eligible: Mask) -> _Shopper:
    """Trained history, live events and the products being looked at; applies the rules on repeats."""
    policy, index = snapshot.pipeline.policy, snapshot.catalogue.index
    customer = snapshot.customer_index.get(ask.customer, -1) if ask.customer is not None else -1
    rows = snapshot.history(customer) if customer >= 0 else slice(0, 0)
    trained = snapshot.histories
    products, at, weight = trained.products[rows], trained.at[rows], trained.weight[rows]
    bought, bought_at = products, at
    signs = [(index[e.product_id], e.at, e.kind) for e in live if e.kind in WEIGHTS and e.product_id in index]
    signs += [(index[name], now, "view") for name in ask.context if name in index]
    fresh: Histories | None = None
    if signs:
        new = np.array([sign[0] for sign in signs], np.int32)
        new_at = np.array([sign[1] for sign in signs])
        new_weight = np.array([WEIGHTS[sign[2]] for sign in signs], np.float32)
        recent = new_at >= now - policy.live_hours * HOUR_S
        if len(products) and recent.any():
            fresh = _single(snapshot, -1, now, new[recent], new_at[recent], new_weight[recent])
        purchase = np.array([sign[2] == "purchase" for sign in signs])
        bought = np.concatenate([bought, new[purchase]])
        bought_at = np.concatenate([bought_at, new_at[purchase]])
        products, at = np.concatenate([products, new]), np.concatenate([at, new_at])
        weight = np.concatenate([weight, new_weight])
        if np.any(np.diff(at) < 0):
            order = np.argsort(at, kind="stable")
            products, at, weight = products[order], at[order], weight[order]
    if policy.repeats == "hide":
        eligible[bought] = False
    elif policy.rest_days:
        eligible[bought[bought_at > now - policy.rest_days * DAY_S]] = False
    known = customer if customer < snapshot.n_trained else -1
    past = None
    if snapshot.rules is not None:
        looks = [sign for sign in signs if sign[2] != "purchase"]
        seen = np.array([sign[0] for sign in looks], np.int64), np.array([sign[1] for sign in looks])
        kept = (bought.astype(np.int64), bought_at)
        past = past_of(snapshot.counted, kept, seen, now)
    return _Shopper(_single(snapshot, known, now, products, at, weight), fresh, past)


def _single(
    snapshot: Snapshot, customer: int, now: float, products: Ints, at: Floats, weight: Weights
) -> Histories:
    return Histories.single(
        products, n_products=len(snapshot.catalogue), at=at, weight=weight, now=now, customer=customer
    )


def _personal(snapshot: Snapshot, ask: Ask, shopper: _Shopper, n: int, draft: _Draft) -> None:
    """The trained components. Whatever goes wrong in them must not cost the shopper the list."""
    context = _context(snapshot, ask)

    pool = draft.pool(n)

    def retrieve(history: Histories) -> list[Item]:
        request = Request(history, eligible=draft.eligible, context=context, slot=ask.slot)
        return _items(snapshot.retriever(request, pool), snapshot.retriever_name)

    try:
        items = retrieve(shopper.history)
        if shopper.fresh is not None:
            items = _interleave(items, retrieve(shopper.fresh), snapshot.pipeline.policy.live_share, pool)
        if new := _newcomers(snapshot, shopper.history, draft.eligible, pool):
            items = _interleave(items, new, snapshot.pipeline.policy.new_share, pool)
    except Exception:
        log.exception("retriever failed", snapshot=snapshot.id, component=snapshot.retriever_name)
        draft.notes.append(f"{snapshot.retriever_name} failed")
        return
    draft.take(reorder(items, draft.shift, n))


def _newcomers(snapshot: Snapshot, history: Histories, eligible: Mask, n: int) -> list[Item]:
    """New products that are like what the shopper chose, enough for their share of the list."""
    policy, content = snapshot.pipeline.policy, snapshot.content
    places = round(policy.new_share * n)
    if content is None or not places or not len(history.products):
        return []
    allowed = eligible & content.new(policy.new_customers)
    found = _items(content.retriever(Request(history, eligible=allowed), places), content.source)
    return [item for item in found if item.score >= policy.new_similarity]


def _interleave(main: list[Item], fresh: list[Item], share: float, n: int) -> list[Item]:
    """Every 1/share-th place goes to ``fresh``, the others to ``main``; a product stands once."""
    found: dict[int, Item] = {}
    queues = (iter(main), iter(fresh))
    taken = 0
    while len(found) < n:
        turn = taken + 1 <= share * (len(found) + 1) + 0.5
        item = _next(queues[turn], found) or _next(queues[not turn], found)
        if item is None:
            break
        taken += turn
        found[item.product] = item
    return list(found.values())


def _next(queue: Iterator[Item], found: Mapping[int, Item]) -> Item | None:
    return next((item for item in queue if item.product not in found), None)


def _context(snapshot: Snapshot, ask: Ask) -> tuple[int, ...]:
    index = snapshot.catalogue.index
    return tuple(index[name] for name in ask.context if name in index)


def _items(found: ItemList, source: str) -> list[Item]:
    reasons = found.reasons or (Reason("popular"),) * len(found)
    triples = zip(found.products.tolist(), found.scores.tolist(), reasons, strict=True)
    return [Item(product, score, source, reason) for product, score, reason in triples]


def _fill(snapshot: Snapshot, ask: Ask, shopper: _Shopper | None, n: int, draft: _Draft) -> None:
    """Rung after rung until the list has n items or nothing is left."""
    for rung in snapshot.pipeline.fallback.ladder:
        missing = n - len(draft.items)
        if missing <= 0:
            return
        eligible, category = draft.eligible, None
        if rung == "popular_in_category":
            category = _category(snapshot, ask, shopper)
            if category is None:
                continue
            eligible = eligible & (snapshot.catalogue.category_codes == category)
        best = _most_popular(snapshot, eligible, draft.pool(missing), category)
        draft.take(reorder(_items(best, rung), draft.shift, missing))


def _most_popular(snapshot: Snapshot, eligible: Mask, n: int, category: int | None = None) -> ItemList:
    """The same list for everybody, with the category in the reason when there is one."""
    found = snapshot.popular(Request(_nobody(len(eligible)), eligible=eligible), n)
    if category is None:
        return found
    name = snapshot.catalogue.category_names[category]
    reasons = tuple(Reason("popular_in", value=reason.value, text=name) for reason in found.reasons)
    return ItemList(found.products, found.scores, reasons)


def _nobody(n_products: int) -> Histories:
    return Histories.single([], n_products=n_products)


def _category(snapshot: Snapshot, ask: Ask, shopper: _Shopper | None) -> int | None:
    """The one asked for, or the commonest among the shopper's latest products (ties: the later one)."""
    catalogue = snapshot.catalogue
    if ask.filters.categories:
        name = ask.filters.categories[0]
        return catalogue.category_names.index(name) if name in catalogue.category_names else None
    recent = shopper.history.products[::-1][:RECENT] if shopper is not None else np.empty(0, np.int32)
    codes = [code for code in catalogue.category_codes[recent].tolist() if code >= 0]
    return Counter(codes).most_common(1)[0][0] if codes else None


def _step(items: tuple[Item, ...]) -> Step:
    if not items:
        return "none"
    source = items[0].source
    return source if source in ("popular_in_category", "popular") else "full"  # type: ignore[return-value]


def _checked(items: list[Item], allowed: Mask) -> tuple[tuple[Item, ...], str | None]:
    """The last look: whatever made the list, nothing that may not be shown leaves, and nothing twice."""
    seen: set[int] = set()
    kept = []
    for item in items:
        if allowed[item.product] and item.product not in seen:
            seen.add(item.product)
            kept.append(item)
    if len(kept) == len(items):
        return tuple(kept), None
    log.error("a component returned products that may not be shown", dropped=len(items) - len(kept))
    return tuple(kept), ELIGIBILITY
