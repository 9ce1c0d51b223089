"""``warm-text``: does reading the products help for products that have behaviour too?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from storewise.core.progress import Progress
from storewise.data.dataset import Dataset
from storewise.engine import content, measure
from storewise.engine.content import ContentConfig, Encoded
from storewise.engine.history import read_history
from storewise.engine.protocols import base
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.shop import ShopByTime
from storewise.engine.protocols.user_shares import UserShares
from storewise.engine.registry import component_names, registry
from storewise.metrics.intervals import paired_difference
from storewise.recommend.choose.select import CONTENT as CONTENT_MODEL
from storewise.recommend.choose.select import FUSION, Selection, automatic, select

TEXT = (CONTENT_MODEL, FUSION)


@dataclass(frozen=True)
class _Side:
    """A selection with or without text, and its answers to the test."""

    name: str
    selection: Selection
    answers: measure.Answers
    seconds: float


class WarmText:
    """The question of ``shop`` (next purchases of known customers by time; of MovieLens that of ``ml100k-811``), asked
    twice with the same time for trying: among models of behaviour alone, and among those and content. Joint vectors are learned on the part
    that a model may know. Both choose on validation; the test is asked once each, shoppers in pairs."""

    name = "warm-text"
    about = "products with behaviour ranked with and without content among the models, k = 10"
    reads = ("data",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`. ``models``: of behaviour, beside which content and
        a fusion stand.

        Raises:
            DataError: for data that cannot be read or split.
        """
        asked = questions(inputs.data, seed)
        encoded = content.encode(asked.products, ContentConfig(), registry(), seed=seed, progress=progress)
        assert encoded is not None
        sections = []
        share = budget_s / (2 * len(asked.questions))
        for question in asked.questions:
            sides = [
                _side(question, texts, asked.metrics, models, share, seed, progress)
                for texts in (None, encoded)
            ]
            sections.append(
                {"question": question.name, "reason": _reason(sides, encoded), "rows": _rows(sides, seed)}
            )
        return {"data": asked.questions[0].data, "about": self.about, **sections[0], "others": sections[1:]}


@dataclass(frozen=True)
class _Asked:
    """``products``: the catalogue with its texts, in the order of the datasets of all ``questions``."""

    questions: Sequence[base.Question]
    products: pl.DataFrame
    metrics: Sequence[str]


def questions(path: Path | None, seed: int) -> _Asked:
    """Of a shop's folder or the embedded data by time; of a folder of MovieLens ratings, whose shoppers hardly come
    back, by shares of each user."""
    if path is not None and (path / "u.data").is_file():
        from storewise.data.sources import load_source

        protocol = UserShares()
        found = protocol.questions(path, seed=seed)
        titles = load_source("movielens", path).products
        ids = pl.DataFrame({"product_id": found[0].train.product_ids})
        return _Asked(
            found, ids.join(titles, on="product_id", how="left", maintain_order="left"), protocol.metrics
        )
    history, by_time = read_history(path), ShopByTime("warm-text")
    return _Asked(by_time.questions_of(history), history.whole.products, by_time.metrics)


def _side(
    question: base.Question, encoded: Encoded | None, metrics: Sequence[str], models: Sequence[str] | None,
    budget_s: float, seed: int, progress: Progress,
) -> _Side:  # fmt: skip
    started = time.perf_counter()

    def told(dataset: Dataset) -> Dataset:
        return content.with_content(dataset, encoded, ContentConfig(), seed=seed, progress=progress)[0]

    train = told(question.train)
    names = (
        automatic(train, question.validation)[0]
        if models is None
        else component_names([*models, *TEXT], "retrieve")
    )
    if encoded is None:
        names = [name for name in names if name != CONTENT_MODEL]
    chosen = select(
        train, question.validation, candidates=names, budget_s=budget_s, seed=seed, progress=progress
    )
    fold = next(iter(_folds(question, told)))
    trained = chosen.refit(fold.train, seed=seed, progress=progress, names=[chosen.selected])[chosen.selected]
    name = "behaviour and text" if encoded is not None else "behaviour"
    answers = measure.answer(trained, fold.test, fold.train, metrics, label=name, progress=progress)
    return _Side(name, chosen, answers, time.perf_counter() - started)


def _folds(question: base.Question, told: Any) -> Iterator[base.Fold]:
    for fold in question.folds():
        yield replace(fold, train=told(fold.train))


def _rows(sides: Sequence[_Side], seed: int) -> list[dict[str, Any]]:
    without, with_text = sides
    better = _validation(with_text) > _validation(without)
    rows = []
    for side in sides:
        figures = measure.figures([side.answers], seed=seed)
        metrics = measure.as_json(figures)
        if side is with_text:
            for place, name in enumerate(side.answers.names[:2]):
                ours, theirs = (np.nan_to_num(one.answers.values[:, place]) for one in (with_text, without))
                gain = paired_difference(ours, theirs, seed=seed)
                metrics |= measure.as_json({f"{name} gained": gain})
        choice = next(c for c in side.selection.choices if c.name == side.selection.selected)
        rows.append({
            "model": side.name, "selected": (side is with_text) == better, "simple": side is without,
            "seconds": round(side.seconds, 1), "metrics": metrics, "component": choice.name,
            "config": choice.config.model_dump(mode="json"), "validation": choice.validation,
        })  # fmt: skip
    return sorted(rows, key=lambda row: not row["selected"])


def _validation(side: _Side) -> float:
    return next(c.validation for c in side.selection.choices if c.name == side.selection.selected)


def _reason(sides: Sequence[_Side], encoded: Encoded) -> str:
    without, with_text = (f"{one.name}: {one.selection.reason}" for one in sides)
    return f"{without} {with_text} Texts are read by {encoded.name}: {encoded.note}."
