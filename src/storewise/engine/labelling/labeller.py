"""A shop's labeller: fill a column from the products that have it, and say which ones a person should label next.

Answers are kept beside the catalogue (``engine.kept_labels``), which nothing here changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from storewise.core.artifact import Artifact
from storewise.core.errors import DataError
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.data.stores.vectors import VectorCache
from storewise.engine.labelling.blocks import make_views
from storewise.engine.labelling.columns import Column, read_column
from storewise.engine.labelling.kept import ANSWERS, GIVEN, NAME, PREDICTED, given_before, text_keys
from storewise.metrics import intervals
from storewise.metrics.intervals import Interval
from storewise.understand.labels import active
from storewise.understand.labels.blocks import side_by_side
from storewise.understand.labels.fill import RARE, UNKNOWN, FillConfig, Filled, fill

NEXT = {"product_id": pl.String, "title": pl.String, "guess": pl.String, "confidence": pl.Float64}


@dataclass(frozen=True)
class Labelled:
    """``artifact``: the answers, a person's alone where there was too little to learn from, None where there are
    none at all; ``notes`` say so.
    ``next``: products to label next, most useful first (``NEXT``)."""

    artifact: Artifact | None
    next: pl.DataFrame
    labelled: int
    missing: int
    filled: int
    precision: Interval | None = None
    coverage: Interval | None = None
    notes: Sequence[str] = field(default_factory=tuple)


def label(
    root: Path,
    products: pl.DataFrame,
    column: str,
    *,
    registry: Registry,
    progress: Progress,
    photos: Path | None = None,
    encoder: str = "auto",
    answers: Mapping[str, str] | None = None,
    config: FillConfig | None = None,
    ask: int = 20,
    cache: VectorCache | None = None,
    seed: int = 0,
) -> Labelled:
    """Learn ``column`` (category, brand, or an attribute) and fill what is missing. ``answers``: values that a person
    gave since, by product; with those of earlier runs they count as the shop's own, which its table alone outdoes.
    ``ask``: how many products to propose. ``encoder``: of the texts, see :func:`make_views`.

    Raises:
        ConfigError: for a folder of photos that does not exist.
        DataError: when the products hold nothing to learn from, or an answer is for no product of the shop.
    """
    settings = config or FillConfig()
    ids = products["product_id"].to_list()
    told = {**given_before(root, column), **(answers or {})}
    if answers and (strange := sorted(set(answers) - set(ids))):
        raise DataError(f"{strange[0]!r} is no product of this shop.", next_step="Correct the answers.")
    found = read_column(products, column).answered(ids, told)
    views, notes = make_views(
        products, column, registry, photos=photos, encoder=encoder, cache=cache, seed=seed, progress=progress
    )
    classes, y, rare = _classes(found, settings.least_products)
    notes += rare
    blocks = [block for view in views.values() for block in view]
    open_rows = np.flatnonzero([not given for given in found.given])
    if len(classes) < 2:
        notes.append(f"{column} has {len(classes)} values on {settings.least_products} products: label more")
        picked = _first(side_by_side(blocks, np.arange(len(ids))), open_rows, ask, seed)
        kept = _answers(products, told, [], [], []) if told else None
        about = None if kept is None else Artifact(NAME, {"column": column}, {}, {"answers": kept})
        return Labelled(about, _next(products, picked, {}, {}), found.n_given, len(open_rows), 0, notes=notes)
    filled = fill(views, y, len(classes), config=settings, seed=seed, progress=progress)
    # A product with several values has no class and is not open.
    is_open = np.isin(filled.rows, open_rows)
    rows, sure = filled.rows[is_open], filled.confidence[is_open]
    guess = [classes[i] for i in filled.log_probabilities[is_open].argmax(axis=1)]
    given = filled.classes[is_open] != UNKNOWN
    table = _answers(
        products, told, rows[given], [g for g, k in zip(guess, given, strict=True) if k], sure[given]
    )
    precision, coverage = _held(filled, seed)
    facts = {
        "column": column, "classes": classes, "threshold": filled.threshold, "about": filled.about, "seed": seed,
        "precision": precision.as_dict() if precision else None, "coverage": coverage.as_dict(),
    }  # fmt: skip
    facts["threshold"] = filled.threshold if np.isfinite(filled.threshold) else None
    picked = _useful(side_by_side(blocks, np.flatnonzero(y >= 0)), rows, filled, is_open, ask, seed)
    guesses = dict(zip(rows.tolist(), guess, strict=True)), dict(zip(rows.tolist(), sure, strict=True))
    return Labelled(
        Artifact(NAME, facts, {}, {"answers": table}), _next(products, picked, *guesses), found.n_given,
        len(open_rows), int(given.sum()), precision, coverage, [filled.about, *notes],
    )  # fmt: skip


def _classes(found: Column, least: int) -> tuple[list[str], Any, list[str]]:
    """Names of the classes that are common enough, (n,) class of each product, and a note on the rest."""
    counts = Counter(key for key in found.keys if key is not None)
    kept = sorted(key for key, n in counts.items() if n >= least)
    place = {key: i for i, key in enumerate(kept)}
    y = np.array([place.get(key, RARE) if key is not None else UNKNOWN for key in found.keys], np.int64)
    rare = [n for key, n in counts.items() if key not in place]
    notes = [f"{len(rare)} values on fewer than {least} products ({sum(rare)} in all) cannot be answered"]
    return [found.name_of(key) for key in kept], y, notes if rare else []


def _answers(
    products: pl.DataFrame, told: Mapping[str, str], rows: Any, guess: Sequence[str], sure: Any
) -> pl.DataFrame:
    keys = text_keys(products)
    ids = products["product_id"].to_list()
    given = [(one, value, 1.0, GIVEN, "") for one, value in told.items()]
    predicted = [
        (ids[row], value, float(p), PREDICTED, keys[row])
        for row, value, p in zip(rows, guess, sure, strict=True)
    ]
    return pl.DataFrame([*given, *predicted], schema=ANSWERS, orient="row")


def _held(filled: Filled, seed: int) -> tuple[Interval | None, Interval]:
    """Share of right answers among those given, and share of products that get one, held out."""
    answered = filled.held_answered
    coverage = intervals.mean(answered[:, None].astype(float), seed=seed)[0]
    if not answered.any():
        return None, coverage
    right = filled.held_right[answered, None].astype(float)
    return intervals.mean(right, seed=seed)[0], coverage


def _first(x: Any, rows: Any, ask: int, seed: int) -> Any:
    """Row numbers of the most typical products."""
    if len(rows) <= ask or not ask:
        return rows[:ask]
    return rows[active.typical(x[rows], ask, rng=spawn(seed, "labels", "typical"))]


def _useful(x: Any, rows: Any, filled: Filled, is_open: Any, ask: int, seed: int) -> Any:
    """Row numbers of the products whose labels would teach most (BADGE)."""
    told = filled.log_probabilities[is_open]
    n = min(ask, len(rows))
    return rows[active.badge(x[rows], told, n, spawn(seed, "labels", "next"))] if n else rows[:0]


def _next(
    products: pl.DataFrame, picked: Any, guess: Mapping[int, str], sure: Mapping[int, float]
) -> pl.DataFrame:
    ids = products["product_id"].to_list()
    titles = products["title"].to_list() if "title" in products.columns else [None] * len(ids)
    rows = [(ids[i], titles[i], guess.get(int(i)), sure.get(int(i))) for i in picked]
    return pl.DataFrame(rows, schema=NEXT, orient="row")
