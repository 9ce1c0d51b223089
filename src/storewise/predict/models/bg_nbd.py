"""``predict.bg_nbd.v1``: the classic baseline for who buys again, who has left and what they will spend."""

from __future__ import annotations

from math import factorial
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.special import logit

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.predict.base import Contributions, Labelled, Predictor, Rows, Values
from storewise.predict.models.buy_till_you_die import UNIT_DAYS, BgNbd, GammaGamma

NEEDED = ("recency_days", "orders_log", "tenure_days")
VALUE = "order_value_log"
EDGE = 1e-6


class BgNbdConfig(Config):
    """``outcome``: at least one order within ``horizon_days``, none, or the amount spent; ``event`` is the one of the
    first two that training rows go with. ``penalty``: L2 on the logarithms of the parameters."""

    outcome: Literal["event", "purchase", "churn", "value"] = "event"
    horizon_days: float = Field(default=28.0, gt=0)
    penalty: float = Field(default=0.0, ge=0)


class BgNbdPredictor(Predictor[BgNbdConfig]):
    """Reads the columns ``recency_days``, ``orders_log`` (ln(1 + orders)), ``tenure_days`` and, for amounts,
    ``order_value_log``; labels give the overall rate alone. Rows of a table without these columns, and customers
    without an order, get that rate.

    >>> rng = np.random.default_rng(0)
    >>> tenure, orders = rng.uniform(50, 300, 200), rng.integers(1, 9, 200)
    >>> recency = np.where(orders > 1, tenure * rng.random(200), tenure)
    >>> rows = Rows.of(numbers=np.stack([recency, np.log1p(orders), tenure], axis=1), number_names=NEEDED)
    >>> model = BgNbdPredictor()
    >>> model.train(Labelled(rows, (orders > 3).astype(float)), rng=rng)
    >>> bool((model.scores(rows) > 0).all())
    True
    """

    Config = BgNbdConfig
    complexity = 5
    stops_early = False
    needs = NEEDED

    def __init__(self, config: BgNbdConfig | None = None) -> None:
        super().__init__(config)
        self._base = np.nan
        self._usual = np.zeros(len(NEEDED))  # the median customer, against whom others are explained
        self._absent = self.config.outcome == "churn"
        self._life: BgNbd | None = None
        self._spend: GammaGamma | None = None

    def train(
        self, data: Labelled, *, validation: Labelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        if self.config.outcome != "value":
            from storewise.predict.models.labels import require_event

            require_event(data)
        self._base = float(data.labels.mean())
        x, t_x, age, mean = _columns(data.rows)
        kept = np.isfinite(age)
        if kept.any():
            places = [data.rows.number_names.index(name) for name in NEEDED]
            self._usual = np.median(data.rows.numbers[kept][:, places].astype(float), axis=0)
        self._life = BgNbd.fit(x[kept], t_x[kept], age[kept], penalty=self.config.penalty)
        if self.config.outcome == "event":
            self._absent = False
            p = self.scores(data.rows)
            self._absent = bool(((p - p.mean()) * (data.labels - self._base)).sum() < 0)
        if self.config.outcome == "value":
            self._spend = GammaGamma.fit(x[kept] + 1, np.nan_to_num(mean[kept]))

    def settled(self) -> BgNbdConfig:
        return self.config

    def scores(self, rows: Rows) -> Values:
        self.require(not np.isnan(self._base))
        found = np.full(len(rows), self._base)
        x, t_x, age, mean = _columns(rows)
        known = np.isfinite(age)
        if self._life is None or not known.any():
            return found
        x, t_x, age, mean = x[known], t_x[known], age[known], mean[known]
        weeks = self.config.horizon_days / UNIT_DAYS
        if self.config.outcome == "value":
            if self._spend is None:
                return found
            value = self._spend.expected_value(x + 1, np.nan_to_num(mean))
            found[known] = self._life.expected_orders(x, t_x, age, weeks=weeks) * value
            return found
        p = self._life.p_purchase(x, t_x, age, weeks=weeks)
        found[known] = 1 - p if self._absent else p
        return found

    def contributions(self, rows: Rows) -> Contributions | None:
        """Exact Shapley values of the three columns against the median customer: for each, the mean change of the
        log odds when it joins the others, over all orders of joining. None for amounts."""
        self.require(not np.isnan(self._base))
        if self.config.outcome == "value" or any(name not in rows.number_names for name in NEEDED):
            return None
        places = [rows.number_names.index(name) for name in NEEDED]
        own = rows.numbers[:, places].astype(float)
        known = np.isfinite(own).all(axis=1)
        k = len(NEEDED)
        worth = []
        for members in range(1 << k):
            mixed = np.where([members >> j & 1 for j in range(k)], own, self._usual)
            mixed = np.where(known[:, None], mixed, self._usual)
            mixed[:, 2] = np.maximum(mixed[:, 2], mixed[:, 0])  # nobody's last order is before the first
            scores = self.scores(Rows.of(numbers=mixed, number_names=NEEDED))
            worth.append(logit(np.clip(scores, EDGE, 1 - EDGE)))
        values = np.zeros((len(rows), k))
        for j in range(k):
            for members in range(1 << k):
                if not members >> j & 1:
                    size = bin(members).count("1")
                    weight = factorial(size) * factorial(k - size - 1) / factorial(k)
                    values[:, j] += weight * (worth[members | 1 << j] - worth[members])
        usual = self.scores(Rows.of(numbers=self._usual[None], number_names=NEEDED))
        return Contributions(NEEDED, values, float(logit(np.clip(usual[0], EDGE, 1 - EDGE))))

    def state(self) -> Arrays:
        self.require(not np.isnan(self._base))
        life, spend = self._life, self._spend
        return {
            "base": np.array(self._base),
            "usual": self._usual,
            "absent": np.array(self._absent),
            "life": np.zeros(0) if life is None else np.array([life.r, life.alpha, life.a, life.b]),
            "spend": np.zeros(0) if spend is None else np.array([spend.p, spend.q, spend.gamma]),
        }

    def restore(self, state: Arrays) -> None:
        self._base, self._usual = float(state["base"]), state["usual"]
        self._absent = bool(state["absent"])
        self._life = BgNbd(*state["life"].tolist()) if len(state["life"]) else None
        self._spend = GammaGamma(*state["spend"].tolist()) if len(state["spend"]) else None


def _columns(rows: Rows) -> tuple[Values, Values, Values, Values]:
    """Repeat orders, weeks to the last one, weeks since the first, mean value; NaN where there is no order."""
    nothing = np.full(len(rows), np.nan)
    if any(name not in rows.number_names for name in NEEDED):
        return nothing, nothing, nothing, nothing
    columns = {name: rows.numbers[:, place].astype(float) for place, name in enumerate(rows.number_names)}
    orders = np.round(np.expm1(columns["orders_log"]))
    recency, tenure = columns["recency_days"], columns["tenure_days"]
    age = np.where((orders >= 1) & np.isfinite(recency), tenure, np.nan) / UNIT_DAYS
    t_x = np.maximum(tenure - recency, 0.0) / UNIT_DAYS
    mean = np.expm1(columns[VALUE]) if VALUE in columns else nothing
    return np.maximum(orders - 1, 0), np.where(orders > 1, t_x, 0.0), age, mean
