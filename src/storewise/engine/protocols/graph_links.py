"""``graph-links``: which products will newly be bought together, told from the knowledge graph of the past."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import ConfigError, DataError
from storewise.core.progress import Progress
from storewise.data import split
from storewise.data.dataset import Dataset
from storewise.engine.history import History, read_history
from storewise.engine.protocols import base
from storewise.engine.protocols.inputs import Inputs
from storewise.metrics import intervals, ranking
from storewise.understand.graph import EmbedConfig, Graph, GraphConfig, build_graph, embed
from storewise.understand.graph.pairs import frequent_pairs, visits
from storewise.understand.graph.shop import Shop
from storewise.understand.graph.together import bought_with, pairs_together

Scores = npt.NDArray[np.floating[Any]]
Scorer = Callable[[npt.NDArray[np.int64]], Scores]
SIMPLE = "popularity"
ADAMIC_ADAR = "adamic-adar"
JOINED = " + adamic-adar"
K = 20
BATCH = 512
WINDOW_DAYS = 84.0
METRICS = ("ndcg", "recall", "hit")
FACTS_WEIGHTS = (0.0, 0.1, 1.0)
KINDS: tuple[tuple[Literal["ppmi", "spectral"], tuple[int, ...]], ...] = (
    ("ppmi", (32, 64, 128)),
    ("spectral", (64,)),
)
EMBEDDINGS: dict[str, EmbedConfig] = {
    f"embedding {method} {size}, facts {weight}": EmbedConfig(
        method=method,
        dimensions=size,
        relations={"bought_with": 1.0, "in_category": weight, "has_brand": weight, "has_attribute": weight},
    )
    for method, sizes in KINDS
    for size in sizes
    for weight in FACTS_WEIGHTS
}


@dataclass(frozen=True)
class Question:
    """``asked`` (q,): products with new partners; ``partners`` (q, n_products): who they are; ``known``
    (n_products, n_products): pairs that the past links already and that are no answer."""

    past: Dataset
    graph: Graph
    asked: npt.NDArray[np.int64]
    partners: sparse.csr_matrix
    known: sparse.csr_matrix


class GraphLinks:
    """Pairs that become bought_with edges in the last 12 weeks, of products already sold and not yet linked.

    For each product with such a partner all others are ranked. The graph is built from the time before; the 12
    weeks before the test choose the embedding's kind and size and the selected row.
    """

    name = "graph-links"
    about = (
        "new bought-with links of the last 12 weeks (84 days before: validation), all products ranked, k = 20"
    )
    reads = ("data",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`.

        Raises:
            ConfigError: when ``models`` are given: this protocol has its own rows.
            DataError: when the shop has too little behaviour for two windows of 12 weeks.
        """
        if models is not None:
            raise ConfigError(f"{self.name} compares its own rows.", next_step="Leave --models out.")
        history = read_history(inputs.data)
        behaviour = history.whole.interactions
        windows = split.by_time(behaviour.at, test_days=WINDOW_DAYS, validation_days=WINDOW_DAYS)
        found = self._validate(history, windows, seed, progress)
        best = max(EMBEDDINGS, key=lambda name: found[name])
        names = [SIMPLE, "common neighbours", ADAMIC_ADAR, "co-counts", best, best + JOINED]
        chosen = max(names, key=lambda name: found[name])
        test = question(history, windows.test_from, float("inf"), progress)
        rows = self._rows(test, names, chosen, found, seed, progress)
        reason = (
            f"{chosen} has the best ndcg@{K} on validation, {found[chosen]:.4f}; of {len(EMBEDDINGS)} embeddings {best} "
            f"has, {found[best]:.4f}"
        )
        data = f"{base.span(history.whole)}; {len(test.asked)} products with {test.partners.nnz} new links"
        return {
            "data": data,
            "about": self.about,
            "question": "new links",
            "reason": reason,
            "rows": rows,
            "others": [],
        }

    def _validate(
        self, history: History, windows: split.Windows, seed: int, progress: Progress
    ) -> dict[str, float]:
        asked = question(history, windows.validation_from, windows.test_from, progress)
        scorers = simple_scorers(asked)
        found = {name: _mean(measure(asked, scorer)) for name, scorer in scorers.items()}
        for name, config in progress.track(
            EMBEDDINGS.items(), label="embeddings on validation", total=len(EMBEDDINGS)
        ):
            alone = embedding_scorer(asked, config, seed)
            found[name] = _mean(measure(asked, alone))
            found[name + JOINED] = _mean(measure(asked, joined(alone, scorers[ADAMIC_ADAR])))
        return found

    def _rows(
        self, test: Question, names: Sequence[str], chosen: str, validation: dict[str, float], seed: int,
        progress: Progress,
    ) -> list[dict[str, Any]]:  # fmt: skip
        simple = simple_scorers(test)
        values: dict[str, npt.NDArray[np.float64]] = {}
        spent: dict[str, float] = {}
        for name in progress.track(names, label="new links, test", total=len(names)):
            started = time.perf_counter()
            values[name] = measure(test, _scorer(test, name, simple, seed))
            spent[name] = time.perf_counter() - started
        rows = []
        for name in sorted(names, key=lambda name: (name != chosen, -_mean(values[name]))):
            figures = zip(METRICS, intervals.mean(values[name], seed=seed), strict=True)
            above = {
                other: intervals.paired_difference(
                    values[name][:, 0], values[other][:, 0], seed=seed
                ).as_dict()
                for other in (SIMPLE, "common neighbours", ADAMIC_ADAR)
                if other != name
            }
            rows.append(
                {
                    "model": name,
                    "selected": name == chosen,
                    "simple": name == SIMPLE,
                    "seconds": round(spent[name], 2),
                    "metrics": {f"{metric}@{K}": interval.as_dict() for metric, interval in figures},
                    "above": {f"ndcg@{K} above {other}": interval for other, interval in above.items()},
                    "validation": validation[name],
                }
            )
        return rows


def question(history: History, start: float, stop: float, progress: Progress) -> Question:
    """The links that appear in [start, stop) between products that were sold before and not linked then.

    Raises:
        DataError: when there are none.
    """
    past = history.until(start)
    graph = build_graph(past, progress=progress)
    later = history.whole.interactions
    window = history.whole.with_interactions(later.select((later.at >= start) & (later.at < stop)))
    window = Dataset(window.products, window.customer_ids, window.interactions)
    config = GraphConfig()
    shop = Shop.of(window, config)
    edges = bought_with(shop, pairs_together(shop, config), config)
    sold = past.interactions.popularity > 0
    n = past.n_products
    a, b = edges["source"].to_numpy(), edges["target"].to_numpy()
    known = graph.partners("bought_with")
    linked = np.asarray(known[a, b]).ravel() != 0 if len(a) else np.zeros(0, bool)
    fresh = sold[a] & sold[b] & ~linked
    links = sparse.csr_matrix((np.ones(int(fresh.sum()), np.float32), (a[fresh], b[fresh])), shape=(n, n))
    links = (links + links.T).tocsr()
    asked = np.flatnonzero(np.diff(links.indptr) > 0)
    if not len(asked):
        raise DataError(
            "No new pair of products was bought together in the window.",
            next_step="Give a shop with more baskets over at least 24 weeks.",
        )
    return Question(past, graph, asked, links[asked], known)


def simple_scorers(question: Question) -> dict[str, Scorer]:
    """The rules that an embedding has to beat: how often a product sells at all, how many partners the two
    share (each counting less the more partners it has: Adamic and Adar 2003), and in how many past
    baskets the two lay together without being a significant pair."""
    popular = question.past.interactions.popularity.astype(np.float32)
    linked = question.known.copy()
    linked.data[:] = 1.0
    degree = np.diff(linked.indptr)
    rare = linked @ sparse.diags(1 / np.log(np.maximum(degree, 2)))
    config = GraphConfig()
    found = visits(question.past.interactions, config.gap_s, config.max_lines)
    a, b, both = frequent_pairs(found, 1)
    counts = sparse.csr_matrix((both.astype(np.float32), (a, b)), shape=linked.shape)
    counts = (counts + counts.T).tocsr()
    return {
        SIMPLE: lambda rows: np.tile(popular, (len(rows), 1)),
        "common neighbours": lambda rows: (linked[rows] @ linked.T).toarray(),
        ADAMIC_ADAR: lambda rows: (rare[rows] @ linked.T).toarray(),
        "co-counts": lambda rows: counts[rows].toarray(),
    }


def embedding_scorer(question: Question, config: EmbedConfig, seed: int) -> Scorer:
    """Cosine of the products' vectors."""
    vectors = embed(question.graph, config, seed=seed)
    return lambda rows: vectors[rows] @ vectors.T


def joined(one: Scorer, other: Scorer) -> Scorer:
    """The sum of two scores, each in standard deviations of its own row."""
    return lambda rows: _standard(one(rows)) + _standard(other(rows))


def _standard(scores: Scores) -> Scores:
    spread = scores.std(axis=1, keepdims=True)
    standard: Scores = (scores - scores.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9)
    return standard


def _scorer(question: Question, name: str, simple: Mapping[str, Scorer], seed: int) -> Scorer:
    if name in simple:
        return simple[name]
    alone = embedding_scorer(question, EMBEDDINGS[name.removesuffix(JOINED)], seed)
    return joined(alone, simple[ADAMIC_ADAR]) if name.endswith(JOINED) else alone


def measure(question: Question, scorer: Scorer) -> npt.NDArray[np.float64]:
    """(q, 3): ndcg, recall and hit of each asked product's list; itself, known partners and products that were
    never sold before are masked."""
    unsold = question.past.interactions.popularity == 0
    values = []
    for start in range(0, len(question.asked), BATCH):
        rows = question.asked[start : start + BATCH]
        scores = np.array(scorer(rows), np.float32)
        scores[:, unsold] = -np.inf
        scores[np.arange(len(rows)), rows] = -np.inf
        known = question.known[rows].tocoo()
        scores[known.row, known.col] = -np.inf
        relevant = question.partners[start : start + BATCH]
        top = ranking.top_k(scores, K, relevant)
        values.append(np.stack([ranking.METRICS[metric](top, relevant) for metric in METRICS], axis=1))
    return np.concatenate(values)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(np.nanmean(values[:, 0]))
