"""The shop's rules while lists are made: asked once a request, explained in the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.engine.pipeline import Pipeline
from storewise.engine.serving.catalogue import Catalogue
from storewise.understand.graph import Graph
from storewise.understand.rules import CompiledRules, Past, ProductFacts, RuleSpec, Verdict, parse_rules

POOL = 3  # lists of how many times the length preferences choose from


class Placed(Protocol):
    """Anything that stands for a product."""

    @property
    def product(self) -> int: ...


PlacedT = TypeVar("PlacedT", bound=Placed)


@dataclass(frozen=True, slots=True)
class Bound:
    """A rule that bound a request: how many eligible products it removed or moved."""

    rule: RuleSpec
    products: int


def compiled(pipeline: Pipeline, catalogue: Catalogue, graph: Graph | None) -> CompiledRules | None:
    """The pipeline's rules for today's catalogue; None where there are none, so that a shop without rules pays
    nothing."""
    if not pipeline.rules.rule:
        return None
    return CompiledRules(parse_rules(pipeline.rules), ProductFacts.of(catalogue.frame, graph))


def bound(verdict: Verdict) -> tuple[Bound, ...]:
    """What the answer says of the rules that bound."""
    return tuple(Bound(binding.rule.spec, int(binding.products.sum())) for binding in verdict.bindings)


def reorder(items: Sequence[PlacedT], shift: npt.NDArray[np.float64] | None, n: int) -> list[PlacedT]:
    """The first n after each item has moved by its shift, in lengths of the list; equal places keep their order.

    >>> from storewise.engine.recommend import Item
    >>> from storewise.recommend.request import Reason
    >>> items = [Item(product, 0.0, "x", Reason("popular")) for product in (4, 2, 0)]
    >>> [item.product for item in reorder(items, np.array([0.5, 0, 0, 0, -1.0]), 2)]
    [2, 0]
    """
    if shift is None:
        return list(items[:n])
    place = np.arange(len(items)) - n * shift[[item.product for item in items]]
    return [items[i] for i in np.argsort(place, kind="stable")[:n]]


def guard_rail(rules: Sequence[Bound]) -> str | None:
    """The hard rules that bound, as the decision log keeps them."""
    names = [one.rule.name for one in rules if one.rule.action in ("forbid", "require")]
    return f"rules: {', '.join(names)}" if names else None


Dated = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


def past_of(counted: frozenset[str], kept: Dated, seen: Dated, now: float) -> Past:
    """What rules ask about. ``kept``: what the shop's histories are made of, with live purchases; ``seen``: other
    live signs, each as products and times. Where histories are made of views, nothing of them was bought."""
    if counted & {"purchase", "rating"}:
        return Past(*kept, *seen, now=now)
    products, at = (np.concatenate(pair) for pair in zip(kept, seen, strict=True))
    return Past(seen=products, seen_at=at, now=now)
