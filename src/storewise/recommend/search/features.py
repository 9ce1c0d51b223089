"""What a ranking knows of a (query, product) pair: words by field, meaning, place in the title, kind of product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.recommend.search.analyser import index_words, query_words
from storewise.recommend.search.bm25f import Bm25f, views
from storewise.recommend.search.index import TextIndex
from storewise.recommend.search.lexical import Lexical, score
from storewise.recommend.search.shares import share
from storewise.recommend.search.spelling import Speller, Wanted

Floats = npt.NDArray[np.float32]
DEPTH = {"core": 100, "all": 100, "title": 60}  # candidates that each view brings
MEANING_DEPTH = 60
FEEDBACK = 20  # best products whose mean says what kind of product is meant
NOWHERE = 30.0  # place in the title of a word that is not there


@dataclass(frozen=True)
class Pairs:
    """One query's candidates: ``products`` (m,), ``values`` (m, n_features) with ``names``, and what it was read as."""

    products: npt.NDArray[np.int64]
    values: Floats
    names: tuple[str, ...]
    wanted: tuple[Wanted, ...]

    def column(self, name: str) -> Floats:
        """(m,): one feature."""
        found: Floats = self.values[:, self.names.index(name)]
        return found


@dataclass(frozen=True)
class FeatureMaker:
    """Makes :class:`Pairs` for a catalogue.

    ``titles``: (n_products,) texts; ``vectors``: (n_products, d) unit rows, None where there is no encoder.

    >>> index = TextIndex.build({"title": ["red lamp", "blue lamp", "shoe"]})
    >>> maker = FeatureMaker(index, ["red lamp", "blue lamp", "shoe"])
    >>> pairs = maker("lamp")
    >>> pairs.products.tolist(), pairs.column("phrase").tolist()
    ([0, 1], [1.0, 1.0])
    """

    index: TextIndex
    titles: Sequence[str]
    vectors: Floats | None = None

    @cached_property
    def weighed(self) -> Mapping[str, Bm25f]:
        """BM25F under each view of the fields."""
        return {name: Bm25f.of(self.index, config) for name, config in views(self.index.counts).items()}

    @cached_property
    def speller(self) -> Speller:
        return Speller(self.index)

    @cached_property
    def kinds(self) -> sparse.csr_matrix | None:
        """(n_products, n_words) unit rows over the names of what a product has: laptops share them, bags do not."""
        if "features" not in self.index.counts:
            return None
        counts = self.index.counts["features"].astype(bool).astype(np.float32)
        held = np.diff(counts.indptr)
        rare = np.log(counts.shape[1] / np.maximum(held, 1)).astype(np.float32)
        found = (sparse.diags(rare) @ counts).T.tocsr()
        length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
        return sparse.csr_matrix(sparse.diags(1 / np.maximum(length, 1e-9)) @ found, dtype=np.float32)

    def __call__(
        self, query: str, vector: Floats | None = None, eligible: npt.NDArray[np.bool_] | None = None
    ) -> Pairs:
        """Candidates of a query and their features. ``vector``: (d,) the query's, None without an encoder;
        ``eligible``: (n_products,) bool, False products are no candidates."""
        wanted = tuple(self.speller(query_words(query)))
        found = {name: score(one, wanted) for name, one in self.weighed.items()}
        meaning = None
        if vector is not None and self.vectors is not None:
            meaning = np.asarray(self.vectors @ vector, np.float32)
        products = self._candidates(found, meaning, eligible)
        columns: dict[str, Floats] = {}
        for name, view in found.items():
            _relative(columns, name, view.scores[products])
            columns[f"{name}.coverage"] = view.coverage[products]
        best = _best(found["core"].scores + found["text"].scores, FEEDBACK)
        self._feedback(columns, "words", best, products)
        if meaning is not None:
            _relative(columns, "meaning", meaning[products])
            self._feedback(columns, "near", _best(meaning, FEEDBACK), products)
        self._places(columns, wanted, products)
        words = [self.index.number.get(word.text) for word in wanted]
        frequency = [float(self.index.frequency[w]) if w is not None else 0.0 for w in words]
        columns["query.words"] = np.full(len(products), len(wanted), np.float32)
        columns["query.rarity"] = np.full(len(products), float(-np.log1p(frequency).sum()), np.float32)
        for field, lengths in self.index.lengths.items():
            columns[f"{field}.length"] = lengths[products]
        values = np.column_stack([np.asarray(c, np.float32) for c in columns.values()])
        return Pairs(products, values, tuple(columns), wanted)

    def _candidates(
        self, found: Mapping[str, Lexical], meaning: Floats | None, eligible: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.int64]:
        allowed = np.ones(self.index.n_products, bool) if eligible is None else eligible
        scores = {name: np.where(allowed, one.scores, 0) for name, one in found.items()}
        lists = [_best(scores[name], depth) for name, depth in DEPTH.items() if name in scores]
        if meaning is not None:
            near = np.where(allowed, np.maximum(meaning, 0), 0)
            both = share(scores["core"]) + share(scores["all"]) + share(near)
            lists += [_best(near, MEANING_DEPTH), _best(both, MEANING_DEPTH)]
        return np.unique(np.concatenate(lists)) if lists else np.empty(0, np.int64)

    def _feedback(
        self,
        columns: dict[str, Floats],
        name: str,
        best: npt.NDArray[np.int64],
        products: npt.NDArray[np.int64],
    ) -> None:
        """Likeness of each candidate to the mean of the best products (pseudo-relevance feedback, Rocchio 1971)."""
        if self.vectors is not None:
            mean = (
                self.vectors[best].mean(axis=0) if len(best) else np.zeros(self.vectors.shape[1], np.float32)
            )
            _relative(columns, f"{name}.like", np.asarray(self.vectors[products] @ mean, np.float32))
        if self.kinds is not None:
            if len(best):
                kind = np.asarray(self.kinds[best].mean(axis=0), np.float32).ravel()
                like = np.asarray(self.kinds[products] @ kind, np.float32)
            else:
                like = np.zeros(len(products), np.float32)
            _relative(columns, f"{name}.kind", like)

    def _places(
        self, columns: dict[str, Floats], wanted: Sequence[Wanted], products: npt.NDArray[np.int64]
    ) -> None:
        """Whether the title holds the query as a phrase, and how far its words are from both ends."""
        asked = [word.text for word in wanted]
        known = set(asked) | {
            self.index.words[w] for word in wanted for a in word.alternatives for w in a.words
        }
        phrase, first, last = (np.zeros(len(products), np.float32) for _ in range(3))
        for i, product in enumerate(products.tolist()):
            title = self._title_words(product)
            hits = [j for j, word in enumerate(title) if word in known]
            first[i] = hits[0] if hits else NOWHERE
            last[i] = len(title) - hits[-1] if hits else NOWHERE
            phrase[i] = any(title[j : j + len(asked)] == asked for j in hits)
        columns |= {"phrase": phrase, "title.first": first, "title.last": last}

    def _title_words(self, product: int) -> list[str]:
        if (found := self._titles_read.get(product)) is None:
            found = self._titles_read[product] = index_words(self.titles[product])
        return found

    @cached_property
    def _titles_read(self) -> dict[int, list[str]]:
        return {}


def _relative(columns: dict[str, Floats], name: str, scores: Floats) -> None:
    """The score, its share of the query's highest, and its rank as a share of the candidates."""
    columns[name] = scores
    columns[f"{name}.share"] = share(scores)
    rank = np.empty(len(scores), np.float32)
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(scores)) / max(1, len(scores))
    columns[f"{name}.rank"] = rank


def _best(scores: Floats, n: int) -> npt.NDArray[np.int64]:
    """The n products with the highest positive scores, best first, ties by index."""
    found = np.flatnonzero(scores > 0)
    if len(found) > n:
        border = np.partition(scores[found], len(found) - n)[len(found) - n]
        found = found[scores[found] >= border]
    return found[np.argsort(-scores[found], kind="stable")][:n]
