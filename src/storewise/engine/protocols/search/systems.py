"""What the protocol compares: each system gives every query a list, its settings chosen on the other queries."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress
from storewise.core.rng import derive_seed, spawn
from storewise.engine.protocols.search import peer
from storewise.engine.protocols.search.folds import (
    INNER_FOLDS,
    Values,
    cross_chosen,
    fold_of,
    measured,
    ranked,
)
from storewise.engine.protocols.search.judged import Judged
from storewise.recommend.search.analyser import query_words
from storewise.recommend.search.bm25f import Bm25f, Bm25fConfig
from storewise.recommend.search.features import FeatureMaker, Pairs
from storewise.recommend.search.lexical import score
from storewise.recommend.search.ranker import BlendConfig, TreeRanker, TreesConfig, blend

BM25F_TRIALS = 40
BLENDS = tuple(
    BlendConfig(core=core, all=2 - core, meaning=meaning, coverage=coverage)
    for core, meaning, coverage in product((0.5, 1.0, 1.5), (0.0, 0.25, 0.5, 1.0, 2.0), (0.0, 0.5, 1.0, 2.0))
)
TREES = (TreesConfig(),)


@dataclass(frozen=True)
class Outcome:
    """``values``: (n_queries, n_metrics), each query answered as a test. ``config``: the setting that most folds
    took; ``trials``: how many settings were compared; ``chosen``: how often each setting (by its text) was taken."""

    name: str
    values: Values
    config: Mapping[str, Any]
    trials: int
    seconds: float
    chosen: Mapping[str, int]


def _outcome(
    name: str, settings: Sequence[Mapping[str, Any]], trials: Sequence[Values], fold: Any, started: float
) -> Outcome:
    values, taken = cross_chosen(trials, fold)
    texts = [_text(settings[t]) for t in taken]
    often = {text: texts.count(text) for text in dict.fromkeys(texts)}
    most = max(taken, key=taken.count)
    return Outcome(name, values, settings[most], len(trials), time.perf_counter() - started, often)


def bm25s(judged: Judged, fold: npt.NDArray[np.int64], progress: Progress) -> Outcome:
    """The library's BM25: fields, stemmer, k1 and b."""
    started, settings, values = time.perf_counter(), [], []
    for setting, lists in peer.trials(judged.fields, judged.queries, progress):
        settings.append(setting)
        values.append(measured(lists, judged.grades.values()))
    return _outcome("bm25s", settings, values, fold, started)


def bm25f(
    judged: Judged,
    maker: FeatureMaker,
    fold: npt.NDArray[np.int64],
    *,
    seed: int,
    budget_s: float,
    progress: Progress,
) -> Outcome:
    """Our BM25F with corrected, completed and compound words: weights of fields, k1 and b by random search."""
    started, settings, values = time.perf_counter(), [], []
    rng = spawn(seed, "search", "bm25f")
    wanted = [maker.speller(query_words(query)) for query in judged.queries]
    for number in progress.track(range(BM25F_TRIALS), label="tuning BM25F"):
        if number and time.perf_counter() - started > budget_s:
            break
        config = _random_bm25f(list(judged.fields), rng) if number else Bm25fConfig()
        weighed = Bm25f.of(maker.index, config)
        lists = [ranked(score(weighed, words).scores) for words in wanted]
        settings.append(config.model_dump(mode="json"))
        values.append(measured(lists, judged.grades.values()))
    return _outcome("search.bm25f", settings, values, fold, started)


def _random_bm25f(fields: Sequence[str], rng: np.random.Generator) -> Bm25fConfig:
    weights = {name: round(float(4.0 * rng.random() ** 2), 3) for name in fields}
    weights |= {"title": round(float(1 + 4 * rng.random()), 3)} if "title" in fields else {}
    lengths: Literal["each", "whole"] = "each" if rng.random() < 0.5 else "whole"
    return Bm25fConfig(
        k1=round(float(rng.uniform(0.3, 3)), 3), b=round(float(rng.uniform(0.1, 0.9)), 3),
        lengths=lengths, weights=weights,
    )  # fmt: skip


def vectors(judged: Judged, products: npt.NDArray[np.float32], asked: npt.NDArray[np.float32]) -> Outcome:
    """Cosine alone: nothing to choose."""
    started = time.perf_counter()
    lists = [ranked(scores) for scores in asked @ products.T]
    values = measured(lists, judged.grades.values())
    return Outcome("search.vectors", values, {}, 1, time.perf_counter() - started, {})


def blended(judged: Judged, pairs: Sequence[Pairs], fold: npt.NDArray[np.int64]) -> Outcome:
    """Words and meaning as a weighted sum."""
    started = time.perf_counter()
    values = [measured(_by_blend(pairs, config), judged.grades.values()) for config in BLENDS]
    return _outcome("search.blend", [c.model_dump(mode="json") for c in BLENDS], values, fold, started)


def learned(
    name: str,
    judged: Judged,
    pairs: Sequence[Pairs],
    fold: npt.NDArray[np.int64],
    *,
    seed: int,
    choose: bool,
    progress: Progress,
) -> Outcome:
    """Trees over the features. With ``choose``, an inner cross-validation over the other queries of each fold takes
    the weighted sum instead where the trees do not beat it."""
    started, texts = time.perf_counter(), []
    grades = list(judged.grades.values())
    sums = [measured(_by_blend(pairs, config), grades) for config in BLENDS]
    lists: dict[int, list[int]] = {}
    for number in progress.track(range(int(fold.max()) + 1), label=f"{name}: learning and asking by folds"):
        others, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        inside = derive_seed(seed, name, number)
        kind = _take(judged, pairs, others, sums, seed=inside) if choose else TREES[0]
        texts.append(_text(kind.model_dump(mode="json")))
        for query, found in zip(held, _answers(kind, pairs, grades, others, held, seed=inside), strict=True):
            lists[int(query)] = found
    values = measured([lists[i] for i in range(len(grades))], grades)
    often = {text: texts.count(text) for text in dict.fromkeys(texts)}
    told = {"taken_in_folds": often}
    return Outcome(name, values, told, len(TREES) + len(BLENDS), time.perf_counter() - started, often)


Kind = BlendConfig | TreesConfig


def _take(
    judged: Judged,
    pairs: Sequence[Pairs],
    others: npt.NDArray[np.int64],
    sums: Sequence[Values],
    *,
    seed: int,
) -> Kind:
    """The setting with the best inner cross-validated NDCG over ``others``."""
    grades = list(judged.grades.values())
    inner = fold_of([judged.queries[i] for i in others], INNER_FOLDS, seed=seed)
    by_sum, _ = cross_chosen([one[others] for one in sums], inner)
    best_sum = BLENDS[int(np.stack([one[others, 0] for one in sums]).mean(axis=1).argmax())]
    found: list[tuple[float, Kind]] = [(float(by_sum[:, 0].mean()), best_sum)]
    for config in TREES:
        values: list[float] = []
        for number in range(int(inner.max()) + 1):
            fit, held = others[inner != number], others[inner == number]
            lists = _answers(config, pairs, grades, fit, held, seed=seed)
            values += measured(lists, [grades[i] for i in held])[:, 0].tolist() if len(held) else []
        found.append((float(np.mean(values)), config))
    return max(found, key=lambda one: one[0])[1]


def _answers(
    kind: Kind,
    pairs: Sequence[Pairs],
    grades: Sequence[Mapping[int, float]],
    fit: Any,
    held: Any,
    *,
    seed: int,
) -> list[list[int]]:
    """Lists for the ``held`` queries, learned from the ``fit`` ones."""
    asked = [pairs[i] for i in held]
    if isinstance(kind, BlendConfig):
        return _by_blend(asked, kind)
    ranker = TreeRanker(kind)
    ranker.train([pairs[i] for i in fit], [grades[i] for i in fit], seed=seed)
    return [ranked(ranker(one), one.products) for one in asked]


def _by_blend(pairs: Sequence[Pairs], config: BlendConfig) -> list[list[int]]:
    return [ranked(blend(one, config), one.products) for one in pairs]


def _text(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in setting.items())
