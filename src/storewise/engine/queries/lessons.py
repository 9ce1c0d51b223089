"""Whether clicks teach search a better blend: learned before a border, compared after it, taken only if better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from storewise.core.artifact import Artifact
from storewise.core.progress import Progress, step
from storewise.core.rng import derive_seed
from storewise.data.dataset import Dataset
from storewise.engine.content import Encoded
from storewise.engine.history import History
from storewise.engine.queries.episodes import Episode, episodes_of
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.content import NONSENSE
from storewise.engine.serving.search_index import BLEND, index_of
from storewise.metrics import ranking
from storewise.metrics.intervals import mean, paired_difference
from storewise.recommend.search.learned import (
    TERMS,
    LearnedBlend,
    default_weights,
    learn_weights,
    priors_of,
)
from storewise.recommend.search.searcher import Searcher

LEAST_QUERIES, LEAST_LATER = 100, 50  # different ones with a click, before and after the border
BEFORE, UNTIL = (
    0.4,
    0.75,
)  # of the searches: priors from the first part, weights from the next, the rest validates
K, DEPTH, MOST_LATER = 10, 20, 2_000
MOST_SEARCHES = 10_000  # the latest; more take long and change little
KEPT = 500  # queries whose terms stay in memory
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SearchChoice:
    """``blend``: what ranks search, None where the default does. ``facts``: the report's section ``search``."""

    blend: LearnedBlend | None
    facts: dict[str, Any] = field(default_factory=dict)

    def artifact(self, facts: Mapping[str, Any]) -> dict[str, Artifact]:
        """By role; nothing where the default serves."""
        if self.blend is None:
            return {}
        return {BLEND: Artifact(BLEND, {**facts, "weights": self.blend.named()}, self.blend.state())}


def choose_blend(
    shop: Dataset, history: History, events: pl.DataFrame, encoded: Encoded | None, *, seed: int,
    progress: Progress,
) -> SearchChoice:  # fmt: skip
    """The learned blend where validation says that it is better, else the default, and why."""
    searches = episodes_of(list(shop.product_ids), events)[-MOST_SEARCHES:]
    if not searches:
        return _default("no click, cart or purchase names a query")
    cut = searches[int(UNTIL * (len(searches) - 1))].at
    earlier = [one for one in searches if one.at < cut]
    later = [one for one in searches if one.at >= cut]
    n = [len({one.query for one in part}) for part in (earlier, later)]
    if n[0] < LEAST_QUERIES or n[1] < LEAST_LATER:
        return _default(
            f"{n[0]:,} different queries with a click before the border and {n[1]:,} after it; {LEAST_QUERIES} and "
            f"{LEAST_LATER} are needed"
        )
    with step(progress, "learning search from clicks"):
        return _compare(Lessons(shop, history, searches, encoded), earlier, later, cut, seed)


@dataclass(frozen=True)
class Lessons:
    """A shop's searches, and what a blend reads of them."""

    shop: Dataset
    history: History
    searches: Sequence[Episode]
    encoded: Encoded | None

    @cached_property
    def searcher(self) -> Searcher:
        index = index_of(Catalogue.of(self.shop.products))
        if self.encoded is None:
            return Searcher.of(index)
        vectors = self.encoded.vectors
        floor = float((self.encoded.encoder.queries(NONSENSE) @ vectors.T).max(initial=-1.0))
        return Searcher.of(index, vectors=vectors, floor=floor)

    @cached_property
    def _read(self) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        return {}

    def terms(self, query: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Products found for a query and their terms."""
        if query not in self._read:
            if len(self._read) >= KEPT:
                self._read.clear()
            vector = None if self.encoded is None else self.encoded.encoder.queries([query])[0]
            self._read[query] = self.searcher.terms(query, vector=vector)
        return self._read[query]

    def priors(self, moment: float) -> npt.NDArray[np.float32]:
        """(n_products, p) of what was known strictly before ``moment``."""
        known = [one for one in self.searches if one.at < moment]
        pairs = np.array(sorted({(p, one.who) for one in known for p in one.clicked}), np.int64).reshape(
            -1, 2
        )
        clicked = np.bincount(pairs[:, 0], minlength=self.shop.n_products)
        popularity = self.history.until(moment).interactions.popularity
        return priors_of(popularity, clicked, Catalogue.of(self.shop.products).frame["brand"].to_list())

    def learn(self, start: float, end: float) -> LearnedBlend:
        """Weights from the searches in [start, end) over priors from before ``start``; the blend has priors of ``end``."""
        priors, rows, of = self.priors(start), [], []
        numbers = {query: i for i, query in enumerate(dict.fromkeys(one.query for one in self.searches))}
        for one in self.searches:
            if start <= one.at < end:
                part = self._differences(one, priors)
                rows.append(part)
                of += [numbers[one.query]] * len(part)
        found = np.concatenate(rows) if rows else np.zeros((0, len(default_weights())))
        return LearnedBlend(learn_weights(found, np.array(of, np.int64)), self.priors(end))

    def _differences(self, one: Episode, priors: npt.NDArray[np.float32]) -> Values:
        products, terms = self.terms(one.query)
        features = np.hstack([terms, priors[products]]).astype(np.float64)
        place = {int(product): i for i, product in enumerate(products)}
        if one.passed is not None:
            pairs = [(place[a], place[b]) for a, b in one.passed if a in place and b in place]
        else:  # nobody said what was listed: the first of the default blend stand for it, above and below alike
            best = np.argsort(-(terms @ default_weights()[: len(TERMS)]), kind="stable")[:DEPTH].tolist()
            others = [i for i in best if int(products[i]) not in one.clicked]
            pairs = [(place[a], b) for a in sorted(one.clicked) if a in place for b in others]
        if not pairs:
            return np.zeros((0, features.shape[1]))
        left, right = np.array(pairs).T
        return np.asarray(features[left] - features[right])

    def values(self, later: Sequence[Episode], score: Callable[[Any, Any], Any]) -> tuple[Values, Values]:
        """NDCG@10 and MRR@10 (q,) of later queries; what was not found counts as missed."""
        wanted: dict[str, set[int]] = {}
        for one in later:
            wanted.setdefault(one.query, set()).update(one.clicked)
        found = []
        for query, clicked in list(wanted.items())[:MOST_LATER]:
            products, terms = self.terms(query)
            scores = np.full((1, self.shop.n_products), -np.inf, np.float32)
            scores[0, products] = score(terms, products)
            row = sparse.csr_matrix(
                (np.ones(len(clicked)), ([0] * len(clicked), sorted(clicked))), shape=scores.shape
            )
            # Equal scores as they serve, by index: counted against the default, any noise that parts them would win.
            top = ranking.top_k(scores, min(K, scores.shape[1]))
            found.append((ranking.ndcg(top, row)[0], ranking.reciprocal_rank(top, row)[0]))
        both = np.array(found)
        return both[:, 0], both[:, 1]


def _compare(
    lessons: Lessons, earlier: Sequence[Episode], later: Sequence[Episode], cut: float, seed: int
) -> SearchChoice:  # fmt: skip
    every = lessons.searches
    learned = lessons.learn(every[int(BEFORE * (len(every) - 1))].at, cut)
    plain = LearnedBlend(default_weights().astype(np.float32), learned.priors)
    old, new = lessons.values(later, plain), lessons.values(later, learned)
    draw = derive_seed(seed, "search", "blend") % 2**32
    figures = {
        f"{name}@{K}": {
            "default": mean(a[:, None], seed=draw)[0].as_dict(),
            "learned": mean(b[:, None], seed=draw)[0].as_dict(),
            "gained": paired_difference(b, a, seed=draw).as_dict(),
        }
        for name, a, b in zip(("ndcg", "mrr"), old, new, strict=True)
    }
    gained = figures[f"ndcg@{K}"]["gained"]
    better = gained["low"] > 0
    told = f"NDCG@{K} of later queries {gained['value']:+.4f} [{gained['low']:+.4f}, {gained['high']:+.4f}]"
    facts = {
        "served": "learned" if better else "default",
        "reason": f"learned from clicks: {told}" if better else f"the blend learned from clicks is not better: {told}",
        "queries": {"before": len({e.query for e in earlier}), "after": len(old[0])},
        "positions": any(e.passed is not None for e in every), "metrics": figures, "weights": learned.named(),
    }  # fmt: skip
    if not better:
        return SearchChoice(None, facts)
    end = float(np.nextafter(every[-1].at, np.inf))
    final = lessons.learn(every[int((1 - UNTIL + BEFORE) * (len(every) - 1))].at, end)
    return SearchChoice(final, facts | {"weights": final.named()})


def _default(why: str) -> SearchChoice:
    return SearchChoice(None, {"served": "default", "reason": why})
