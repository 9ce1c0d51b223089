"""LambdaMART over the union of several retrievers' candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from storewise.recommend.rank.tree_shap import TreeShap
from storewise.recommend.rank.words import said
from storewise.recommend.request import ItemList, Reason, Request

AT_A_TIME = 256
"""Shoppers whose columns are in memory at once."""


class LambdaMartConfig(Config):
    """Gradient-boosted trees. ``truncation``: places from the top that pairs are counted at; ``contenders``: only the
    first so many of the retrieved order and the first sixth as many of each retriever are learned from, bought or not:
    who stands far below them is no rival for a place in the list; ``negatives``: at most so many of them a shopper
    that were not bought, drawn evenly: drawing leaves the order of chances as it is and training is faster."""

    trees: int = Field(default=120, ge=1, le=2000)
    leaves: int = Field(default=8, ge=2, le=255)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    least_rows_in_leaf: int = Field(default=100, ge=1)
    feature_share: float = Field(default=0.5, gt=0, le=1)
    regularization: float = Field(default=5.0, ge=0)
    truncation: int = Field(default=20, ge=1)
    contenders: int = Field(default=60, ge=6)
    negatives: int = Field(default=100, ge=1)
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
        self._lifts: TreeShap
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
        if not any(labels.any() for _, labels, _ in drawn):
            raise DataError(
                f"Nothing was bought of the first {self.config.contenders} candidates of any past moment.",
                next_step='Raise contenders of the ranker, or leave it out: [rank] use = "never".',
            )
        if len(drawn) > 1:
            with step(watching, "calibrating the ranker"):
                earlier = self._fit(drawn[:-1], seed)
                last = moments[-1]
                told = self._scored(earlier, last.histories, last.candidates, last.facts)
                self._knots = isotonic(told, last.bought)
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
        return self._scored(self._trees, histories, candidates, self._ready())

    def chances(self, scores: Scores) -> Scores:
        return chances(scores, self._knots)

    def contributions(
        self, histories: Histories, candidates: Candidates
    ) -> tuple[tuple[str, ...], Columns, Columns]:
        """Names (f,), TreeSHAP contributions (m, f) in units of the score (Lundberg et al. 2020), values (m, f)."""
        facts = self._ready()
        columns = features(histories, candidates.over(self.sources), facts)
        names = names_of(self.sources)
        return names, self._lifts(columns).astype(np.float32), columns

    def reasons(self, request: Request, items: ItemList) -> list[Reason | None]:
        """The feature that lifts each item most, in words; None where that is a retriever's score."""
        candidates = items.candidates if isinstance(items, Shortlist) else of_items(items)
        names, lifts, values = self.contributions(request.history, candidates)
        return said(names, lifts, values, items.products)

    def _scored(
        self, trees: Any, histories: Histories, candidates: Candidates, facts: ProductFacts
    ) -> Scores:
        """(m,) a part of the shoppers at a time: the columns of all of them would fill the memory."""
        made, known = [np.empty(0)], candidates.over(self.sources)
        if len(known) and len(histories) <= AT_A_TIME:
            return np.asarray(trees.predict(features(histories, known, facts), num_threads=1))
        for first in range(0, len(histories), AT_A_TIME):
            start, stop = np.searchsorted(known.row, (first, first + AT_A_TIME))
            if start == stop:
                continue
            part = replace(known.part(np.arange(start, stop)), row=known.row[start:stop] - first)
            some = histories.part(first, min(first + AT_A_TIME, len(histories)))
            made.append(trees.predict(features(some, part, facts), num_threads=1))
        return np.concatenate(made)

    def _rows(
        self, moment: Moment, rng: np.random.Generator
    ) -> tuple[Columns, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Columns, labels and group sizes of a moment: of the contenders all that was bought, and some of the rest;
        shoppers who bought none of them teach nothing."""
        row, bought = moment.candidates.row, moment.bought
        rival = contenders(moment.candidates.ranks, self.config.contenders)
        left_over = np.bincount(row[rival & ~bought], minlength=len(moment.histories))
        share = self.config.negatives / np.maximum(left_over, 1)
        teaches = np.bincount(row[rival & bought], minlength=len(moment.histories)) > 0
        kept = np.flatnonzero(rival & teaches[row] & (bought | (rng.random(len(row)) < share[row])))
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
        self._lifts = TreeShap(self._trees)

    def _ready(self) -> ProductFacts:
        self.require(self.facts is not None)
        assert self.facts is not None
        return self.facts


def contenders(ranks: npt.NDArray[np.float32], first: int) -> npt.NDArray[np.bool_]:
    """(m,): among the ``first`` of the retrieved order (column 0), or the first sixth as many of any other source.

    ``ranks`` (m, s) places from 0, NaN where a source did not give the candidate.

    >>> contenders(np.array([[11, 5], [np.nan, 1], [12, np.nan], [40, 2]], np.float32), 12).tolist()
    [True, True, False, False]
    """
    found: npt.NDArray[np.bool_] = (ranks[:, 0] < first) | (ranks[:, 1:] < first / 6).any(axis=1)
    return found
