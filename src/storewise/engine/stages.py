"""The pipeline's sections for what comes after retrieving: ranking, what a place is for, rules, exploring."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from storewise.core.config import Config


class RankConfig(Config):
    """The ranker. ``use``: ``auto`` serves it where it is better on validation by more than chance, ``never`` and
    ``always`` say so. ``moments``: past moments that are replayed, a validation window apart; ``shoppers``: at most
    so many of each, spread evenly; ``depth``: candidates that each retriever gives; ``sources``: ``wide`` asks iALS and
    EASE for candidates too, where the selection tried them: each past moment trains them anew, each request asks them."""

    use: Literal["auto", "never", "always"] = "auto"
    component: str = "rank.lambdamart.v1"
    config: dict[str, Any] = Field(default_factory=dict)
    moments: int = Field(default=4, ge=2, le=52)
    shoppers: int = Field(default=2_000, ge=10)
    depth: int = Field(default=150, ge=10, le=1000)
    sources: Literal["cheap", "wide"] = "cheap"


class ObjectiveConfig(Config):
    """What a place in the list is for. ``value``: the dial, 0 what the shopper wants, 1 expected margin (needs a
    ranker). ``dials``: those that training measures on validation, so that the owner can choose."""

    value: float = Field(default=0.0, ge=0, le=1)
    dials: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


class ExploreConfig(Config):
    """The last ``places`` of a list by a policy, off without one. ``use``: its registered name. ``pool``: it chooses
    among the best so many that did not make the head. ``strength``: how many looks the ranker's chance counts for.
    Training learns from decisions of the last ``days`` and the ``reward`` within ``hours``, each look counting
    ``trust``; a running service does so every ``refresh_minutes`` (0: never)."""

    use: str | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    places: int = Field(default=2, ge=1, le=20)
    pool: int = Field(default=50, ge=1, le=1000)
    strength: float = Field(default=20.0, ge=2.0, le=10_000.0)
    reward: Literal["click", "cart", "purchase"] = "click"
    hours: float = Field(default=24.0, gt=0.0, le=24.0 * 60)
    days: float = Field(default=90.0, gt=0.0, le=3650.0)
    trust: float = Field(default=1.0, gt=0.0, le=1.0)
    refresh_minutes: float = Field(default=0.0, ge=0.0, le=24.0 * 60)
