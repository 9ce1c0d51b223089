"""Attributes read from titles, measured where a catalogue tells them: precision, recall and F1 of each column.

Products are split in two halves by chance. Lists and calibration come from the first; on the second the columns are
hidden and only title and description are read. The best value of each name counts: right when it is one of the
column's (colours and the like by their canonical name, measures within 2 %). Beside it stands the simple rule: the
longest value of the column, known from the first half, that stands in the title word for word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError, UnknownName
from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.engine.protocols.attribute_truth import Catalogue, Truth, read_catalogue, truths
from storewise.engine.protocols.inputs import Inputs
from storewise.metrics.intervals import ratio
from storewise.understand.attributes.calibrate import agrees
from storewise.understand.attributes.extractor import Extractor
from storewise.understand.attributes.gazetteer import Entry, Gazetteer
from storewise.understand.attributes.product import Product
from storewise.understand.attributes.value import AttributeValue

MODELS = ("rules", "exact")
VALIDATION_SHARE = 0.2  # of the training half
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
Answers = list[dict[str, AttributeValue]]
Counts = npt.NDArray[np.float64]
"""(n_products, 4): right, answered, told, confidence where answered."""


class Attributes:
    """``storewise benchmark attributes --catalogue C``."""

    name = "attributes"
    about = (
        "attributes from titles: half the catalogue teaches, the other half's columns are hidden and asked"
    )
    reads = ("catalogue",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        wanted = _wanted(models)
        path = inputs.path("catalogue")
        catalogue = read_catalogue(path)
        order = spawn(seed, self.name).permutation(len(catalogue.products))
        train, test = order[: len(order) // 2], order[len(order) // 2 :]
        if len(train) < 40:
            raise DataError(f"{path} has {len(order)} products.", next_step="Give at least 80.")
        told = truths(catalogue, train.tolist())
        cut = int(len(train) * (1 - VALIDATION_SHARE))
        fit, validation = train[:cut], train[cut:]
        chosen = {}
        for model in wanted:
            answers = _trained(model, catalogue, told, fit, progress)(validation)
            chosen[model] = _thresholds(answers, told, validation)
        scores = {m: _f1(found[1]) for m, found in chosen.items()}
        selected = max(wanted, key=lambda m: scores[m])
        tables = {}
        for model in wanted:
            started = time.perf_counter()
            answers = _trained(model, catalogue, told, train, progress)(test)
            tables[model] = _counts(answers, told, test, chosen[model][0]), time.perf_counter() - started
        reason = ", ".join(f"{m} {scores[m]:.3f}" for m in wanted)
        return {
            "data": f"{len(order):,} products of {path.name}, {len(test):,} asked, {len(told)} columns",
            "about": self.about,
            "question": "all columns together",
            "reason": f"F1 on validation: {reason}",
            "rows": _rows(tables, selected, seed, None),
            "others": [
                {
                    "question": f"{one.column} as {one.name}",
                    "reason": _told_of(one, test),
                    "rows": _rows(tables, selected, seed, place),
                }
                for place, one in enumerate(told)
            ],
        }


def _wanted(models: Sequence[str] | None) -> list[str]:
    if unknown := [m for m in models or () if m not in MODELS]:
        raise UnknownName(f"There is no extraction {unknown[0]!r}.", next_step=f"Known: {', '.join(MODELS)}.")
    return list(models or MODELS)


def _trained(
    model: str, catalogue: Catalogue, told: Sequence[Truth], train: npt.NDArray[np.int64], progress: Progress
) -> Callable[[npt.NDArray[np.int64]], list[Answers]]:
    """A function from product indices to the answers for each column."""
    return (_exact if model == "exact" else _rules)(catalogue, told, train, progress)


def _rules(
    catalogue: Catalogue, told: Sequence[Truth], train: npt.NDArray[np.int64], progress: Progress
) -> Callable[[npt.NDArray[np.int64]], list[Answers]]:
    extractor = Extractor()
    extractor.train([_labelled(catalogue.products[i], told, i) for i in train.tolist()], progress=progress)

    def ask(products: npt.NDArray[np.int64]) -> list[Answers]:
        every = progress.track(products.tolist(), label="reading attributes")
        found = [_best(extractor([catalogue.products[i]])[0]) for i in every]
        return [found for _ in told]

    return ask


def _labelled(product: Product, told: Sequence[Truth], place: int) -> Product:
    """The product with its columns as given values."""
    given: dict[str, tuple[str, ...]] = {}
    for one in told:
        cell = one.raw[place]
        if one.values[place] and cell is not None:
            words = (cell,) if one.name == "brand" else None
            texts = words or tuple(f"{v} {u}" if u else v for v, u in sorted(one.values[place], key=str))
            if one.name == "type":
                texts = (cell,)
            given[one.name] = (*given.get(one.name, ()), *texts)
    return replace(product, given=given)


def _best(values: Sequence[AttributeValue]) -> dict[str, AttributeValue]:
    best: dict[str, AttributeValue] = {}
    for value in values:
        best.setdefault(value.name, value)
    return best


def _exact(
    catalogue: Catalogue, told: Sequence[Truth], train: npt.NDArray[np.int64], progress: Progress
) -> Callable[[npt.NDArray[np.int64]], list[Answers]]:
    """Any known value of the column that stands in the title; the longest, then the first."""
    lists = []
    for one in told:
        known = {(cell, place) for place in train.tolist() if (cell := one.raw[place]) and one.values[place]}
        value_of = {_spelled(cell): one.values[place] for cell, place in sorted(known)}
        lists.append((Gazetteer(Entry(one.name, c, c, 0.9, "shop") for c in value_of), value_of))

    def ask(products: npt.NDArray[np.int64]) -> list[Answers]:
        answers: list[Answers] = []
        for one, (words, value_of) in zip(told, lists, strict=True):
            found: Answers = []
            for place in products.tolist():
                title = catalogue.products[place].title
                hit = max(words.find(title), key=lambda m: (m.end - m.start, -m.start), default=None)
                if hit is None:
                    found.append({})
                    continue
                value, unit = min(value_of[hit.entry.value], key=str)
                raw = title[hit.start : hit.end]
                found.append(
                    {
                        one.name: AttributeValue(
                            one.name, value, unit, raw, "title", hit.start, hit.end, 0.9, "shop"
                        )
                    }
                )
            answers.append(found)
        return answers

    return ask


def _spelled(cell: str) -> str:
    """A number as a title writes it: 17, not 17.0."""
    return cell[:-2] if cell.endswith(".0") else cell


def _thresholds(
    answers: list[Answers], told: Sequence[Truth], products: npt.NDArray[np.int64]
) -> tuple[list[float], Counts]:
    """For each column the confidence below which not to answer, with the counts it gives on these products."""
    best: list[float] = []
    for place in range(len(told)):
        tried = {
            t: _counts(answers, told, products, [t] * len(told))[:, place].sum(axis=0) for t in THRESHOLDS
        }
        best.append(max(THRESHOLDS, key=lambda t: 2 * tried[t][0] / max(tried[t][1] + tried[t][2], 1)))
    return best, _counts(answers, told, products, best)


def _counts(
    answers: list[Answers],
    told: Sequence[Truth],
    products: npt.NDArray[np.int64],
    thresholds: Sequence[float],
) -> Counts:
    """(n_products, n_columns, 4), of products whose column tells something."""
    counts = np.zeros((len(products), len(told), 4))
    for column, (one, found, least) in enumerate(zip(told, answers, thresholds, strict=True)):
        for row, place in enumerate(products.tolist()):
            if not one.values[place]:
                continue
            value = found[row].get(one.name)
            if value is None or value.confidence < least:
                counts[row, column, 2] = 1
            else:
                counts[row, column] = agrees(value, one.values[place]), 1, 1, value.confidence
    return counts


def _f1(counts: Counts) -> float:
    right, answered, told = counts.sum(axis=(0, 1))[:3]
    return float(2 * right / max(answered + told, 1))


def _rows(
    tables: Mapping[str, tuple[Counts, float]], selected: str, seed: int, column: int | None
) -> list[dict[str, Any]]:
    rows = []
    for model, (counts, seconds) in tables.items():
        part = counts.sum(axis=1) if column is None else counts[:, column]
        right, answered, told, sure = part[part[:, 2] > 0].T
        top = np.column_stack([2 * right, right, right, sure])
        bottom = np.column_stack([answered + told, answered, told, answered])
        figures = ratio(top, bottom, seed=seed)
        names = ("f1", "precision", "recall", "confidence")
        metrics = {name: figure.as_dict() for name, figure in zip(names, figures, strict=True)}
        rows.append({"model": model, "selected": model == selected, "simple": model == "exact",
                     "seconds": round(seconds, 2), "metrics": metrics})  # fmt: skip
    return rows


def _told_of(one: Truth, test: npt.NDArray[np.int64]) -> str:
    n = sum(1 for place in test.tolist() if one.values[place])
    units = sorted({u for values in one.values for _, u in values if u})
    return f"told of {n:,} products{f', in {units[0]}' if len(units) == 1 else ''}"
