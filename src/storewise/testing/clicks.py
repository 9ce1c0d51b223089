"""A shop of lists whose clicks follow a known model, for tests of what learns from impressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.data.dataset import Dataset
from storewise.data.schema import EVENTS, PRODUCTS
from storewise.data.shop import build

DAYS = 240.0
START_S = 1.7e9


@dataclass(frozen=True)
class ClickWorld:
    """P(click on product a at place j) = ``examination[j]`` × ``attraction[a]`` (the position-based model).

    ``sorting``: 0 shuffles each list, more of it puts attractive products first, as a shop's own ranking would.
    """

    examination: npt.NDArray[np.float64]
    attraction: npt.NDArray[np.float64]
    sorting: float = 0.0

    @classmethod
    def of(
        cls, *, products: int = 20, places: int = 6, decay: float = 1.0, sorting: float = 0.0
    ) -> ClickWorld:
        """Examination 1/(1 + j)^decay, attractions evenly from .1 to .6."""
        return cls((1.0 + np.arange(places)) ** -decay, np.linspace(0.1, 0.6, products), sorting)

    def shop(self, sessions: int, *, signed: float = 0.0, seed: int = 0) -> Dataset:
        """``sessions`` that each see one list; a share ``signed`` of them by customers who come again."""
        rng = np.random.default_rng(seed)
        places, products = len(self.examination), len(self.attraction)
        rows: list[dict[str, Any]] = []
        for session, at in enumerate(np.sort(rng.uniform(0, DAYS * 86_400, sessions))):
            liking = self.sorting * self.attraction + rng.gumbel(size=products) * 0.1
            shown = np.argsort(-liking, kind="stable")[:places]
            who = {"session_id": f"s{session}"}
            if rng.random() < signed:
                who = {"customer_id": f"c{rng.integers(max(sessions // 20, 1))}"}
            clicked = rng.random(places) < self.examination * self.attraction[shown]
            for place, product in enumerate(shown):
                seen = {"product_id": f"p{product:03d}", "slot": "home", "position": place, **who}
                rows.append({"at": START_S + at, "kind": "impression", **seen})
                if clicked[place]:
                    rows.append({"at": START_S + at + 30 + place, "kind": "click", **seen})
        events = pl.DataFrame(
            rows, schema_overrides={"customer_id": pl.String}, infer_schema_length=None
        ).with_columns(
            pl.from_epoch((pl.col("at") * 1e6).cast(pl.Int64), time_unit="us").dt.replace_time_zone("UTC")
        )
        catalogue = pl.DataFrame({"product_id": [f"p{a:03d}" for a in range(products)]})
        return build(
            PRODUCTS.conform(catalogue.with_columns(pl.col("product_id").alias("title"))),
            EVENTS.conform(events).sort("at", maintain_order=True),
        )
