"""The knobs of the knowledge graph."""

from __future__ import annotations

from pydantic import Field

from storewise.core.config import Config


class GraphConfig(Config):
    """Thresholds of the inferred relations; the formulas are in docs/graph.md.

    ``gap_s``, ``max_lines``: what a basket is (purchases of one shopper with gaps of at most so many seconds)
    and from which size on it is a reseller's and left out. ``period_days``: chance is worked out within
    spans of this length, since what is sold at different times cannot meet. ``shrinkage``: pseudo-counts against small samples.
    ``min_customers``: different shoppers who must stand behind a pair. ``false_discovery``: the share of chance
    pairs that is accepted (Benjamini and Hochberg). ``neighbours``: partners kept of each product and relation.
    """

    gap_s: float = Field(default=1_800.0, ge=0)
    max_lines: int = Field(default=300, ge=2)
    period_days: float = Field(default=28.0, gt=0)
    shrinkage: float = Field(default=5.0, gt=0)
    min_customers: int = Field(default=3, ge=1)
    false_discovery: float = Field(default=0.01, gt=0, lt=1)
    neighbours: int = Field(default=30, ge=1)
    min_confidence: float = Field(default=0.3, ge=0, le=1)
    substitute_similarity: float = Field(default=0.5, gt=0, le=1)
    substitute_lift: float = Field(default=1.0, gt=0)
    complement_lift: float = Field(default=2.0, ge=1)
    complement_similarity: float = Field(default=0.15, ge=0, le=1)
    accessory_similarity: float = Field(default=0.15, ge=0, le=1)
    accessory_share: float = Field(default=0.3, gt=0, le=1)
    accessory_asymmetry: float = Field(default=2.0, ge=1)
    accessory_price: float = Field(default=0.5, gt=0, le=1)
