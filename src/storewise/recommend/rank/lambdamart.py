"""LambdaMART over the union of several retrievers' candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.core.progress import Progress, Silent, step
from storewise.data.interactions import Histories
from storewise.recommend.rank.base import Moment, Ranker, Scores
from storewise.recommend.rank.calibrate import chances, isotonic
from storewise.recommend.rank.candidates import Candidates, Shortlist, of_items
from storewise.recommend.rank.features import Columns, features, names_of
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.rank.words import said
from storewise.recommend.request import ItemList, Reason, Request


class LambdaMartConfig(Config):
    """Gradient-boosted trees. ``truncation``: places from the top that pairs are counted at; ``negatives``: at most
    so many candidates a shopper that were not bought are learned from, drawn evenly: drawing leaves the order of
    chances as it is and training is faster."""

    trees: int = Field(default=100, ge=1, le=2000)
    leaves: int = Field(default=15, ge=2, le=255)
    learning_rate: float = Field(default=0.08, gt=0, le=1)
    least_rows_in_leaf: int = Field(default=100, ge=1)
    feature_share: float = Field(default=0.5, gt=0, le=1)
    regularization: float = Field(default=5.0, ge=0)
    truncation: int = Field(default=20, ge=1)
    negatives: int = Field(default=60, ge=1)
    bins: int = Field(default=63, ge=2, le=255)


class LambdaMart(Ranker[LambdaMartConfig]):
    """Trees on the gradient of NDCG (Burges 2010; LightGBM, Ke et al. 2017).

    For a shopper's candidates i bought, j not, with scores s and places by score,

        λ_ij = -|ΔNDCG_ij| / (1 + exp(s_i - s_j)),

    summed over j is the gradient of i. What the trees read is in ``features``. The chance of a purchase is the
    isotonic map of the scores that trees of all moments but the last give to the last one.
    """

    Config = LambdaMartConfig

    def __init__(self, config: LambdaMartConfig | None = None) -> None:
        super().__init__(config)
        self._trees: Any = None
        self._text = ""
        self.sources: tuple[str, ...] = ()
        self.facts: ProductFacts | None = None
        self._knots = np.zeros((2, 0))

    def train(
        self,
        moments: Sequence[Moment],
        *,
        facts: ProductFacts,
        rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:
        watching = progress or Silent()
        if not moments or not any(moment.bought.any() for moment in moments):
            raise DataError(
                "No candidate of any past moment was bought afterwards.",
                next_step='Give a longer history, or leave the ranker out: [rank] use = "never".',
            )
        if all(moment.bought.all() for moment in moments):
            raise DataError(
                "Every candidate was bought, there is nothing to tell apart.",
                next_step="Retrieve more candidates: [rank] depth.",
            )
        self.sources = moments[0].candidates.sources
        seed = int(rng.integers(2**31 - 1))
        drawn = [self._rows(moment, rng) for moment in moments]
        if len(drawn) > 1:
            with step(watching, "calibrating the ranker"):
                earlier = self._fit(drawn[:-1], seed)
                last = moments[-1]
                columns = features(last.histories, last.candidates.over(self.sources), last.facts)
                self._knots = isotonic(earlier.predict(columns, num_threads=1), last.bought)
        with step(watching, "training the ranker"):
            self._text = self._fit(drawn, seed).model_to_string()
        self._load()
        self.facts = facts

    def state(self) -> Arrays:
        """Trees in LightGBM's text form, sources' names, knots of the calibration, ``facts.*``."""
        facts = self._ready()
        texts = {"trees": self._text, "sources": "\n".join(self.sources)}
        arrays = {name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}
        return {**arrays, "knots": self._knots, **{f"facts.{n}": a for n, a in facts.state().items()}}

    def restore(self, state: Arrays) -> None:
        self._text = bytes(state["trees"]).decode()
        self.sources = tuple(bytes(state["sources"]).decode().split("\n"))
        self._knots = state["knots"]
        start = "facts."
        self.facts = ProductFacts.restored(
            {name.removeprefix(start): a for name, a in state.items() if name.startswith(start)}
        )
        self._load()

    def scores(self, histories: Histories, candidates: Candidates) -> Scores:
        facts = self._ready()
        if not len(candidates):
            return np.empty(0)
        return self._predict(features(histories, candidates.over(self.sources), facts))

    def chances(self, scores: Scores) -> Scores:
        return chances(scores, self._knots)

    def contributions(
        self, histories: Histories, candidates: Candidates
    ) -> tuple[tuple[str, ...], Columns, Columns]:
        """Names (f,), TreeSHAP contributions (m, f) in units of the score (Lundberg et al. 2020), values (m, f)."""
        facts = self._ready()
        columns = features(histories, candidates.over(self.sources), facts)
        names = names_of(self.sources)
        if not len(candidates):
            return names, columns, columns
        found = np.asarray(self._trees.predict(columns, pred_contrib=True, num_threads=1))
        return names, found[:, :-1].astype(np.float32), columns

    def reasons(self, request: Request, items: ItemList) -> list[Reason | None]:
        """The feature that lifts each item most, in words; None where that is a retriever's score."""
        candidates = items.candidates if isinstance(items, Shortlist) else of_items(items)
        names, lifts, values = self.contributions(request.history, candidates)
        return [
            said(names, lifts[place], values[place], int(product))
            for place, product in enumerate(items.products)
        ]

    def _predict(self, columns: Columns) -> Scores:
        return np.asarray(self._trees.predict(columns, num_threads=1), np.float64)

    def _rows(
        self, moment: Moment, rng: np.random.Generator
    ) -> tuple[Columns, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Columns, labels and group sizes of a moment: everything bought, and some of the rest."""
        row, bought = moment.candidates.row, moment.bought
        share = self.config.negatives / np.maximum(np.bincount(row), 1)
        kept = np.flatnonzero(bought | (rng.random(len(row)) < share[row]))
        chosen = moment.candidates.over(self.sources).part(kept)
        columns = features(moment.histories, chosen, moment.facts)
        return columns, bought[kept], np.unique(chosen.row, return_counts=True)[1]

    def _fit(self, drawn: Sequence[tuple[Any, Any, Any]], seed: int) -> Any:
        import lightgbm

        columns, labels, groups = (np.concatenate(part) for part in zip(*drawn, strict=True))
        c = self.config
        parameters = {
            "objective": "lambdarank", "num_leaves": c.leaves, "learning_rate": c.learning_rate,
            "min_data_in_leaf": c.least_rows_in_leaf, "feature_fraction": c.feature_share,
            "lambda_l2": c.regularization, "lambdarank_truncation_level": c.truncation, "max_bin": c.bins,
            "force_col_wise": True, "deterministic": True, "num_threads": 1, "seed": seed, "verbose": -1,
        }  # fmt: skip
        names = [name.replace(".", "_") for name in names_of(self.sources)]
        data = lightgbm.Dataset(columns, labels.astype(np.int8), group=groups, feature_name=names)
        return lightgbm.train(parameters, data, c.trees)

    def _load(self) -> None:
        import lightgbm

        self._trees = lightgbm.Booster(model_str=self._text)

    def _ready(self) -> ProductFacts:
        self.require(self.facts is not None)
        assert self.facts is not None
        return self.facts
