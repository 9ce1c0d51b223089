"""What is measured, on which data, and which figures others have published for the same protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Goal:
    """``reach``: the figure to reach (at most it for errors, at least it otherwise; None: report only).
    ``published``: the best published figure for the protocol, in words. ``model``: the row whose figure it is
    (None: the one that validation chose), ``section``: the question it belongs to (None: the claim)."""

    metric: str
    reach: float | None
    published: str = ""
    model: str | None = None
    section: str | None = None

    def met_by(self, value: float) -> bool:
        """Errors have to be small, everything else large."""
        if self.reach is None:
            return True
        return value <= self.reach if self.metric in ("rmse", "mae") else value >= self.reach


@dataclass(frozen=True)
class Quality:
    """One run of ``storewise benchmark``. ``data``: folder under the data root, None for embedded data.
    ``files``: option → path under that folder, for protocols that read several; ``options``: plain options."""

    name: str
    protocol: str
    title: str
    data: str | None
    goals: tuple[Goal, ...]
    minutes: float = 30.0
    files: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Name of the result under ``results/``."""
        return Path(f"{self.name}.json")


QUALITY = (
    Quality(
        "ml100k-ms",
        "ml100k-ms",
        "MovieLens 100K, per-item 75/25",
        "ml-100k",
        (Goal("ndcg@10", 0.484, "BiVAE .4751"), Goal("map@10", 0.150, "BiVAE .1461")),
    ),
    Quality(
        "ml100k-5fold",
        "ml100k-5fold",
        "MovieLens 100K, 5-fold",
        "ml-100k",
        (Goal("ndcg@10", 0.443, ".4161"),),
    ),
    Quality(
        "ml100k-811", "ml100k-811", "MovieLens 100K, 8:1:1 per user", "ml-100k", (Goal("ndcg@10", 0.329),)
    ),
    Quality(
        "ml100k-rmse",
        "ml100k-rmse",
        "MovieLens 100K, rating prediction",
        "ml-100k",
        (Goal("rmse", 0.920, "SVD++ .92, SVD .9355"), Goal("mae", 0.725)),
    ),
    Quality(
        "amazon-beauty",
        "leave-last-out",
        "Amazon Beauty, last item out",
        "amazon-2014-5core-s3rec",
        (
            Goal("recall@10", 0.091, "TIGER .0648 (unmasked)"),
            Goal("ndcg@10", 0.057, "TIGER .0384 (unmasked)"),
        ),
    ),
    Quality(
        "amazon-cds",
        "lists",
        "Amazon CDs, fixed split",
        "amazon-cds-m1",
        (Goal("recall@20", 0.178, ".1763"), Goal("ndcg@20", 0.118, ".1145")),
    ),
    Quality(
        "online-retail",
        "online-retail",
        "Online Retail II, next 28 days",
        None,
        (Goal("ndcg@10", None), Goal("recall@10", None)),
    ),
    Quality(
        "cold-items",
        "cold-items",
        "Online Retail II, products first sold in the last 12 weeks",
        None,
        (
            Goal("recall@20", None),
            Goal("recall@20 ratio", 1.25, model="fine-tuned over frozen", section="differences"),
            Goal("recall@20 difference", None, model="frozen over tfidf", section="differences"),
            Goal("recall@20 difference", None, model="frozen over tfidf_svd", section="differences"),
            Goal("kept", 0.97, model="lora", section="methods"),
            Goal("kept", 0.97, model="adalora", section="methods"),
            Goal("kept", 0.97, model="adapter", section="methods"),
        ),
    ),
)
