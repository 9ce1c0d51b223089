"""Search as it serves: words with their typos, meaning where vectors are there, the shop's rules as a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.recommend.search.analyser import query_words
from storewise.recommend.search.bm25f import Bm25f, views
from storewise.recommend.search.explain import Match, explain
from storewise.recommend.search.index import TextIndex
from storewise.recommend.search.learned import LearnedBlend
from storewise.recommend.search.lexical import Lexical, score
from storewise.recommend.search.ranker import BlendConfig
from storewise.recommend.search.shares import share
from storewise.recommend.search.spelling import Speller, Wanted

Floats = npt.NDArray[np.float32]
MOST_WORDS = 64  # of a query; what follows is not read
NEAR = (
    3.0  # standard deviations above the catalogue's mean likeness: nearer products count as found by meaning
)
TOGETHER = ("core", "all")


@dataclass(frozen=True, slots=True)
class Hit:
    """``matches``: the words that it holds; empty: found by its meaning alone. ``similarity``: cosine to the query,
    None without vectors."""

    product: int
    score: float
    matches: tuple[Match, ...]
    similarity: float | None = None


@dataclass(frozen=True)
class Found:
    """``hits``: best first; ``total``: how many products were found; ``wanted``: how the query was read."""

    hits: tuple[Hit, ...]
    total: int
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True)
class Searcher:
    """Answers queries over one catalogue. ``vectors``: (n_products, d) unit rows, None where there is no encoder.
    ``floor``: a cosine that words without any meaning reach too; nothing below it is found by meaning alone.

    >>> searcher = Searcher.of(TextIndex.build({"title": ["Red lamp", "Blue lamp", "Shoe"]}))
    >>> [(hit.product, hit.matches[0].kind) for hit in searcher("red lampp").hits]
    [(0, 'exact'), (1, 'corrected')]
    """

    index: TextIndex
    weighed: dict[str, Bm25f]
    speller: Speller
    vectors: Floats | None = None
    config: BlendConfig = field(default_factory=BlendConfig)
    floor: float = -1.0
    learned: LearnedBlend | None = None

    @classmethod
    def of(
        cls,
        index: TextIndex,
        *,
        vectors: Floats | None = None,
        config: BlendConfig | None = None,
        floor: float = -1.0,
        learned: LearnedBlend | None = None,
    ) -> Searcher:
        """Weigh an index. ``learned``: the blend that ranks instead of ``config``'s.

        Raises:
            DataError: when there is not one vector, or not one row of the learned blend, for each product.
        """
        if learned is not None and len(learned.priors) != index.n_products:
            raise DataError(
                f"The learned blend knows {len(learned.priors)} products, the index {index.n_products}.",
                next_step="Train again.",
            )
        if vectors is not None and len(vectors) != index.n_products:
            raise DataError(
                f"{len(vectors)} vectors for {index.n_products} products.",
                next_step="Encode the catalogue again.",
            )
        looks = views(index.counts)
        weighed = {name: Bm25f.of(index, looks[name]) for name in TOGETHER}
        return cls(index, weighed, Speller(index), vectors, config or BlendConfig(), floor, learned)

    def with_vectors(self, vectors: Floats) -> Searcher:
        """The same search with meaning."""
        return replace(self, vectors=vectors)

    def __call__(
        self,
        query: str,
        n: int = 20,
        *,
        vector: Floats | None = None,
        eligible: npt.NDArray[np.bool_] | None = None,
        complete: bool = True,
    ) -> Found:
        """The n best of the products that hold a word of the query or are near it in meaning.

        ``vector``: (d,) the query's; None: words alone. ``eligible``: (n_products,) bool, False is never shown.
        ``complete``: the last word may be unfinished.
        """
        wanted, products, terms, meaning = self._read(query, vector, eligible, complete)
        scores = self._blend(terms, products)
        order = _top(scores, n)
        hits = [self._hit(int(products[i]), float(scores[i]), wanted, meaning) for i in order.tolist()]
        return Found(tuple(hits), len(products), wanted)

    def terms(self, query: str, *, vector: Floats | None = None) -> tuple[npt.NDArray[np.int64], Floats]:
        """(m,) the products found and (m, 5) what the blend adds up: ``learned.TERMS``."""
        _, products, terms, _ = self._read(query, vector, None, False)
        return products, terms

    def _read(
        self, query: str, vector: Floats | None, eligible: npt.NDArray[np.bool_] | None, complete: bool
    ) -> tuple[tuple[Wanted, ...], npt.NDArray[np.int64], Floats, Floats | None]:
        wanted = tuple(self.speller(query_words(query)[:MOST_WORDS], complete=complete))
        core, everything = (score(self.weighed[name], wanted) for name in TOGETHER)
        meaning = None if vector is None or self.vectors is None else self.vectors @ vector
        found = everything.scores > 0
        if meaning is not None:
            found |= _near(meaning) & (meaning > self.floor)
        if eligible is not None:
            found &= eligible
        products = np.flatnonzero(found)
        return wanted, products, _terms(core, everything, meaning, products), meaning

    def _blend(self, terms: Floats, products: npt.NDArray[np.int64]) -> Floats:
        """(m,): see :func:`storewise.recommend.search.ranker.blend`; the learned one where there is one."""
        if self.learned is not None:
            return self.learned(terms, products)
        c = self.config
        weights = np.array([c.core, c.all, c.meaning, c.coverage, c.coverage], np.float32)
        return np.asarray(terms @ weights, np.float32)

    def _hit(self, product: int, value: float, wanted: Sequence[Wanted], meaning: Floats | None) -> Hit:
        like = None if meaning is None else float(meaning[product])
        return Hit(product, value, explain(self.index, wanted, product), like)


def _terms(
    core: Lexical, everything: Lexical, meaning: Floats | None, products: npt.NDArray[np.int64]
) -> Floats:
    near = np.zeros(len(products), np.float32)
    if meaning is not None:
        near = share(np.maximum(meaning[products], 0))
    words = [share(core.scores[products]), share(everything.scores[products])]
    covered = [core.coverage[products], everything.coverage[products]]
    return np.column_stack([*words, near, *covered]).astype(np.float32)


def _near(meaning: Floats) -> npt.NDArray[np.bool_]:
    """Products much nearer to the query than the catalogue's mean. Cosines of one encoder lie around 0, of another
    around 0.8, so that a fixed border would not do."""
    spread = float(meaning.std())
    if spread < 1e-6:
        return np.zeros(len(meaning), bool)
    found: npt.NDArray[np.bool_] = (meaning - meaning.mean()) / spread >= near_border(len(meaning))
    return found


def near_border(n_products: int) -> float:
    """Standard deviations that one of ``n_products`` passes by chance, ``NEAR`` at most: a handful of products cannot
    be three standard deviations away from their own mean.

    >>> round(near_border(30), 2), near_border(10_000)
    (1.83, 3.0)
    """
    return min(NEAR, NormalDist().inv_cdf(1 - 1 / max(n_products, 2)))


def _top(scores: Floats, n: int) -> npt.NDArray[np.int64]:
    """Places of the n highest, ties by place."""
    places = np.arange(len(scores))
    if len(scores) > n > 0:
        border = np.partition(scores, len(scores) - n)[len(scores) - n]
        places = np.flatnonzero(scores >= border)
    return places[np.argsort(-scores[places], kind="stable")][:n]
