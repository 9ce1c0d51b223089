"""One request, from who asks to the list with its reasons.

The current snapshot is read once, so that a swap in the middle of a request is not seen. What fails, or would come
too late, steps down the ladder: everything, without reranking, the retrieved order, the popular products of the
shopper's category, the popular ones.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from datetime import datetime

import numpy as np
import structlog

from storewise.core.clock import Clock, seconds
from storewise.engine.experiment.variants import assigned
from storewise.engine.recommend.answer import Answer, Ask, Draft, Item, Shopper, Step
from storewise.engine.recommend.deadline import Deadline
from storewise.engine.recommend.fallback import fill
from storewise.engine.recommend.finish import explore, rerank
from storewise.engine.recommend.personal import Personal
from storewise.engine.recommend.shopper import context_of, join
from storewise.engine.serving.customers import UNKNOWN
from storewise.engine.serving.exposures import Exposures
from storewise.engine.serving.live import Live, customer_key, session_key
from storewise.engine.serving.rules import bound as bound_rules
from storewise.engine.serving.rules import guard_rail
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Mask
from storewise.understand.rules import Past

log = structlog.get_logger(__name__)
ELIGIBILITY = "eligibility"  # the guard-rail that only a faulty component can run into


class Recommender:
    """Answers requests; safe to call from several threads.

    ``current`` gives the serving snapshot (and raises when there is none); ``record`` takes each answer for
    the decision log and must not block. ``exposures``: what shoppers were shown lately, for frequency caps.
    ``deadline`` makes the clock of one request's budget.
    """

    def __init__(
        self,
        current: Callable[[], Snapshot],
        *,
        live: Live,
        clock: Clock,
        record: Callable[[Answer], None] = lambda answer: None,
        exposures: Exposures | None = None,
        deadline: Callable[[float], Deadline] = Deadline,
    ) -> None:
        self._current = current
        self._live = live
        self._clock = clock
        self._record = record
        self._exposures = exposures
        self._deadline = deadline
        self._boot = secrets.token_hex(6)
        self._count = itertools.count(1)

    def __call__(self, ask: Ask) -> Answer:
        """The list for one request.

        Raises:
            NothingPublished: when no snapshot serves.
        """
        snapshot, variant = assigned(self._current(), ask)
        now = self._clock()
        deadline = self._deadline(ask.budget_ms or snapshot.pipeline.fallback.deadline_ms)
        allowed = snapshot.eligibility.mask(ask.filters).copy()
        _hide(allowed, snapshot, (*ask.exclude, *ask.context))
        draft = Draft(allowed.copy())
        n = ask.n if ask.n is not None else snapshot.pipeline.n
        shopper = self._shopper(snapshot, ask, seconds(now), draft)
        _apply_rules(snapshot, ask, shopper, seconds(now), draft)
        draft.eligible &= _allowed_to(snapshot, ask, shopper, now)
        allowed &= draft.eligible  # products that rest are as hard a rule as the others
        number = f"{self._boot}-{next(self._count):08x}"
        items, made = self._made(snapshot, ask, shopper, n, draft, deadline, f"{now:%Y-%m-%d}")
        items, bound = _checked(items, allowed)
        if made is not None:
            items = made.explained(items)
            draft.retrieved = made.explained(draft.retrieved[:n])
            draft.shadow = made.explained(draft.shadow[:n])
        answer = Answer(
            number, now, snapshot, ask, _step(items, draft), tuple(items), tuple(draft.notes),
            bound or guard_rail(draft.rules), draft.rules, tuple(draft.retrieved), variant,
            tuple(draft.shadow),
        )  # fmt: skip
        self._record(answer)
        if self._exposures is not None:
            self._exposures.add(answer)
        return answer

    def _made(
        self, snapshot: Snapshot, ask: Ask, shopper: Shopper | None, n: int, draft: Draft, deadline: Deadline,
        day: str,
    ) -> tuple[list[Item], Personal | None]:  # fmt: skip
        """The list of n, and what made the personal part of it."""
        longer = bool(snapshot.rerankers) or snapshot.explorer is not None
        wanted = draft.pool(n, rerank=True) if longer else n
        made = None
        if shopper is not None:
            made = Personal(snapshot, ask, shopper, draft, deadline)
            made.fill(draft.pool(n, rerank=longer), wanted)
        fill(snapshot, ask, shopper, wanted, draft)
        items = rerank(snapshot, ask, shopper, draft, n, deadline)
        return explore(snapshot, ask, shopper, draft, items, n, day), made

    def _shopper(self, snapshot: Snapshot, ask: Ask, now: float, draft: Draft) -> Shopper | None:
        """What is known of the shopper up to now, or None when it may not be used."""
        if not ask.personal:
            draft.notes.append("a list without personal data was asked for")
            return None
        if ask.customer is not None and ask.customer in snapshot.private:
            draft.notes.append("no consent to a personal list")
            return None
        keys = [
            customer_key(ask.customer) if ask.customer is not None else None,
            session_key(ask.session) if ask.session is not None else None,
        ]
        found = join(snapshot, ask, self._live.of(*keys), now, draft.eligible)
        if self._exposures is not None and snapshot.exposure_days:
            found.shown.update(self._exposures.of(snapshot, [key for key in keys if key is not None], now))
        return found


def _apply_rules(snapshot: Snapshot, ask: Ask, shopper: Shopper | None, now: float, draft: Draft) -> None:
    """Take away what the shop's rules forbid, and note what they prefer."""
    if snapshot.rules is None:
        return
    if shopper is not None and shopper.past is not None:
        past = shopper.past
    else:
        looked_at = np.array(context_of(snapshot, ask), np.int64)
        past = Past(seen=looked_at, seen_at=np.full(len(looked_at), now), now=now)
    verdict = snapshot.rules(past, draft.eligible)
    draft.eligible &= verdict.allowed
    draft.rules, draft.shift = bound_rules(verdict), verdict.shift


def _allowed_to(snapshot: Snapshot, ask: Ask, shopper: Shopper | None, now: datetime) -> Mask:
    """Market, age and goods that nobody buys twice; what is not known of somebody is not assumed."""
    rules = snapshot.shopper_rules
    if rules is None:
        return np.ones(len(snapshot.catalogue), bool)
    known = snapshot.customers.get(ask.customer or "", UNKNOWN)
    bought = shopper.bought if shopper is not None else np.empty(0, np.int32)
    country = ask.country if ask.country is not None else known.country
    return rules.mask(country=country, age_years=known.age_years(now), bought=bought)


def _hide(mask: Mask, snapshot: Snapshot, product_ids: tuple[str, ...]) -> None:
    index = snapshot.catalogue.index
    for name in product_ids:
        if (product := index.get(name)) is not None:
            mask[product] = False


def _step(items: list[Item], draft: Draft) -> Step:
    if not items:
        return "none"
    source = items[0].source
    return source if source in ("popular_in_category", "popular") else draft.step  # type: ignore[return-value]


def _checked(items: list[Item], allowed: Mask) -> tuple[list[Item], str | None]:
    """The last look: whatever made the list, nothing that may not be shown leaves, and nothing twice."""
    seen: set[int] = set()
    kept = []
    for item in items:
        if allowed[item.product] and item.product not in seen:
            seen.add(item.product)
            kept.append(item)
    if len(kept) == len(items):
        return kept, None
    log.error("a component returned products that may not be shown", dropped=len(items) - len(kept))
    return kept, ELIGIBILITY
