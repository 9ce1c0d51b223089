"""``search``: does a query find the products that people judged relevant?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError, DataError, MissingExtra, UnknownName
from storewise.core.progress import Progress, step
from storewise.core.rng import spawn
from storewise.engine.content import automatic
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.search import judged as files
from storewise.engine.protocols.search import peer, systems
from storewise.engine.protocols.search.folds import FOLDS, INNER_FOLDS, METRICS, K, fold_of
from storewise.engine.protocols.search.judged import Judged
from storewise.engine.protocols.search.systems import Outcome
from storewise.engine.registry import component_names, registry
from storewise.metrics import intervals
from storewise.recommend.search.features import FeatureMaker
from storewise.recommend.search.index import TextIndex
from storewise.understand.base import TextEncoder, Vectors

ALWAYS = "encode.tfidf_svd.v1"
LEAST_QUERIES = 4
DESCRIPTION_CHARACTERS = 200  # of the text that is encoded; a title says most


class Search:
    """Ten-fold cross-validation over queries: whatever a system has to choose or to learn, it takes from the queries
    of the other nine folds; every query is asked once. Baseline and ours use the same folds."""

    name = "search"
    about = (
        f"{FOLDS}-fold cross-validation over queries, all products ranked; NDCG@{K} with gain 2^grade − 1, what was "
        f"not judged counts 0 (judged_ndcg@{K}: is left out)"
    )
    reads = ("catalogue", "judgements")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`. ``models``: one encoder; None takes MiniLM, or E5 for
        text that is not Latin, or TF-IDF where the extra is missing.

        Raises:
            DataError: for files that cannot be read, or fewer than four queries with a relevant product.
            ConfigError: for more than one encoder.
        """
        with step(progress, "reading catalogue and judgements"):
            data = files.read(inputs.path("catalogue"), inputs.path("judgements"))
        if len(data.grades) < LEAST_QUERIES:
            raise DataError(
                f"{len(data.grades)} queries have a relevant product, cross-validation needs {LEAST_QUERIES}.",
                next_step="Judge more queries.",
            )
        encoder, notes = _encoder(models, data)
        products, asked, spent_s = _encode(encoder, data, seed=seed, progress=progress)
        fold = fold_of(data.queries, min(FOLDS, len(data.grades)), seed=seed)
        outcomes = _compare(data, products, asked, fold, budget_s=budget_s, seed=seed, progress=progress)
        if not peer.available():
            notes.append(
                "bm25s is not installed: ratios are to our BM25F (pip install 'storewise[benchmarks]')"
            )
        return {
            "data": data.told,
            "about": self.about,
            "question": "search",
            "reason": " ".join(
                [_reason(outcomes), f"Vectors: {encoder[0]}, {spent_s:.0f} s to encode.", *notes]
            ),
            "rows": _rows(outcomes, seed),
            "others": [],
        }


def _encoder(models: Sequence[str] | None, data: Judged) -> tuple[tuple[str, TextEncoder[Any]], list[str]]:
    """The encoder with its name, and what has to be said about it."""
    if models is not None and len(models) != 1:
        raise ConfigError(
            f"{len(models)} models are named.", next_step="Name one encoder, for example minilm."
        )
    if models is not None:
        name = component_names(models, "encode")[0]
        return (name, _create(name)), []
    name, note = automatic(encoded_texts(data))
    try:
        return (name, _create(name)), [f"{note[0].upper()}{note[1:]}."]
    except (MissingExtra, UnknownName) as error:
        return (ALWAYS, _create(ALWAYS)), [
            f"{name} is not here ({error.problem}), so TF-IDF + SVD stands in."
        ]


def _create(name: str) -> TextEncoder[Any]:
    found = registry().create(name)
    assert isinstance(found, TextEncoder)
    return found


def _encode(
    encoder: tuple[str, TextEncoder[Any]], data: Judged, *, seed: int, progress: Progress
) -> tuple[Vectors, Vectors, float]:
    """Vectors of products and queries, and the seconds they took."""
    started = time.perf_counter()
    name, model = encoder
    texts = encoded_texts(data)
    if hasattr(model, "train"):
        with step(progress, f"training {name}"):
            model.train(texts, rng=spawn(seed, name))
    starts = progress.track(range(0, len(texts), 1024), label=f"encoding with {name}")
    found = [model(texts[start : start + 1024]) for start in starts]
    return np.concatenate(found), model.queries(data.queries), time.perf_counter() - started


def encoded_texts(data: Judged) -> list[str]:
    """What is encoded of a product: its title, its category and the beginning of its description.

    >>> encoded_texts(Judged(["a"], {"title": ["Lamp"], "category": ["Lighting"], "id": ["a"]}, {}, ""))
    ['Lamp. Lighting']
    """
    used = [data.fields[name] for name in ("title", "category") if name in data.fields]
    if "description" in data.fields and "category" not in data.fields:
        used.append([text[:DESCRIPTION_CHARACTERS] for text in data.fields["description"]])
    used = used or [next(iter(data.fields.values()))]
    return [". ".join(part for part in parts if part) for parts in zip(*used, strict=True)]


def _compare(
    data: Judged, products: Vectors, asked: Vectors, fold: npt.NDArray[np.int64], *, budget_s: float, seed: int,
    progress: Progress,
) -> list[Outcome]:  # fmt: skip
    index = TextIndex.build(data.fields, progress=progress)
    titles = data.fields.get("title", data.ids)
    maker = FeatureMaker(index, titles, products)
    queries = progress.track(list(zip(data.queries, asked, strict=True)), label="features of all queries")
    pairs = [maker(query, vector) for query, vector in queries]
    words = FeatureMaker(index, titles)
    bare = [words(query) for query in data.queries]
    found = [systems.bm25s(data, fold, progress)] if peer.available() else []
    return [
        *found,
        systems.bm25f(data, maker, fold, seed=seed, budget_s=budget_s / 4, progress=progress),
        systems.vectors(data, products, asked),
        systems.blended(data, pairs, fold),
        systems.learned("search.words", data, bare, fold, choose=False, seed=seed, progress=progress),
        systems.learned("search.hybrid", data, pairs, fold, choose=True, seed=seed, progress=progress),
    ]


def _rows(outcomes: Sequence[Outcome], seed: int) -> list[dict[str, Any]]:
    base = outcomes[0]
    rows: list[dict[str, Any]] = []
    for one in outcomes:
        figures = dict(zip(METRICS, intervals.mean(one.values, seed=seed), strict=True))
        ratios = intervals.ratio(one.values, base.values, seed=seed)
        figures["ratio"], figures["judged_ratio"] = ratios[0], ratios[1]
        rows.append(
            {
                "model": one.name,
                "selected": one.name == "search.hybrid",
                "simple": one is base,
                "seconds": round(one.seconds, 2),
                "metrics": {name: figure.as_dict() for name, figure in figures.items()},
                "config": dict(one.config),
                "trials": one.trials,
                "chosen_in_folds": dict(one.chosen),
            }
        )
    rows.sort(key=lambda row: (not row["selected"], -row["metrics"][METRICS[0]]["value"]))
    return rows


def _reason(outcomes: Sequence[Outcome]) -> str:
    hybrid = outcomes[-1]
    trees = sum(often for text, often in hybrid.chosen.items() if "trees" in text)
    folds = sum(hybrid.chosen.values())
    return (
        f"The hybrid is what an inner {INNER_FOLDS}-fold cross-validation takes on the other queries: learned trees in "
        f"{trees} of {folds} folds, a weighted sum in {folds - trees}. ratio: paired, to {outcomes[0].name}."
    )
