"""What the protocol ``labels`` knows of products: the split, and blocks of vectors from their texts and photos."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError, DataError, InputError, MissingExtra
from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.data.sources.labelled import Labelled
from storewise.engine.registry import component_names, registry
from storewise.understand.base import TextEncoder, Vectors
from storewise.understand.labels.blocks import Block, compressed, side_by_side
from storewise.understand.labels.ridge import Ridge
from storewise.understand.labels.views import Parts

Classes = npt.NDArray[np.int64]
LEAST_PRODUCTS = 20  # of a class; rarer ones cannot be learned and measured both
MOST_PRODUCTS = 40_000  # a seeded sample of more, so that a run ends
TEST, VALIDATION = 0.2, 0.1
TEXT = "encode.tfidf_svd.v1"
NETWORKS = ("encode.efficientnet_lite0.v1", "encode.mobilenet.v1")  # the first that is installed
COLOURS = "encode.colour_histogram.v1"
TEXT_SIZE = 256
IMAGE_SIZE = 512  # of the axes kept of a network's features
SIZES = (96, 128, 160, 224)
TRIAL_PHOTOS = 1000
ENCODING_SHARE = 0.3  # of the budget that the photos may take


@dataclass(frozen=True)
class Task:
    """``y``: (n,) classes of the products asked about, in the order of ``texts`` and ``photos``."""

    y: Classes
    names: Sequence[str]
    texts: Sequence[str]
    photos: Sequence[bytes | None] | None
    parts: Parts
    notes: Sequence[str]


@dataclass
class Features:
    """Blocks by view; ``notes`` say how they were made."""

    text: list[Block] = field(default_factory=list)
    image: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def make_task(found: Labelled, label: str, *, seed: int) -> Task:
    """Products with a label of a class that is common enough (and with a photo, where photos are given), split.

    Raises:
        DataError: when fewer than two classes are left.
    """
    notes = list(found.notes)
    rows = np.array([i for i, cell in enumerate(found.labels) if cell is not None], np.int64)
    if len(rows) < len(found.labels):
        notes.append(f"{len(found.labels) - len(rows):,} products without a {label} left out")
    if found.photos is not None:
        pictured = [i for i in rows if found.photos[i] is not None]
        if len(pictured) < len(rows):
            notes.append(f"{len(rows) - len(pictured):,} products without a photo left out")
        rows = np.array(pictured, np.int64)
    if found.parts is not None:
        rows = np.array([i for i in rows if found.parts[i] is not None], np.int64)
    if len(rows) > MOST_PRODUCTS:
        notes.append(f"a sample of {MOST_PRODUCTS:,} of {len(rows):,} products")
        rows = np.sort(spawn(seed, "labels", "sample").choice(rows, MOST_PRODUCTS, replace=False))
    names, codes, counts = np.unique(
        [found.labels[i] or "" for i in rows], return_inverse=True, return_counts=True
    )
    kept = counts >= LEAST_PRODUCTS
    if not kept.all():
        notes.append(
            f"{counts[~kept].sum():,} products of {(~kept).sum():,} classes with fewer than {LEAST_PRODUCTS} left out"
        )
    if kept.sum() < 2:
        raise DataError(
            f"{label} has {kept.sum()} classes with at least {LEAST_PRODUCTS} products, 2 are needed.",
            next_step="Name another column with --label.",
        )
    asked = kept[codes]
    y = (np.cumsum(kept) - 1)[codes[asked]]
    rows = rows[asked]
    given = None if found.parts is None else [found.parts[i] for i in rows]
    parts = given_parts(given, y, seed=seed) if given is not None else random_parts(y, seed=seed)
    photos = None if found.photos is None else [found.photos[i] for i in rows]
    return Task(y, names[kept].tolist(), [found.texts[i] for i in rows], photos, parts, notes)


def random_parts(y: Classes, *, seed: int) -> Parts:
    """7 : 1 : 2 within every class."""
    rng = spawn(seed, "labels", "split")
    part = np.zeros(len(y), np.int64)
    for one in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == one))
        test, validation = max(1, round(TEST * len(rows))), max(1, round(VALIDATION * len(rows)))
        part[rows[:test]] = 2
        part[rows[test : test + validation]] = 1
    return Parts(*(np.flatnonzero(part == code) for code in range(3)))


def given_parts(names: Sequence[str | None], y: Classes, *, seed: int) -> Parts:
    """As the file says; without a validation part, an eighth of the training part becomes it.

    Raises:
        DataError: without a training or a test part.
    """
    told = np.array([name or "" for name in names])
    train, validation, test = (np.flatnonzero(told == name) for name in ("train", "validation", "test"))
    if not len(train) or not len(test):
        raise DataError(
            f"The split has {len(train):,} products to train and {len(test):,} to test.",
            next_step="The split column must say train and test.",
        )
    if not len(validation):
        drawn = spawn(seed, "labels", "validation").permutation(train)
        seen: dict[int, int] = {}
        held = []
        for row in drawn:  # every eighth of a class, so that common and rare ones are there alike
            seen[int(y[row])] = seen.get(int(y[row]), 0) + 1
            if seen[int(y[row])] % 8 == 0:
                held.append(row)
        validation = np.sort(np.array(held, np.int64))
        train = np.setdiff1d(train, validation)
    if not len(validation):
        raise DataError(
            "The training part is too small to hold out a validation part.", next_step="Give more products."
        )
    return Parts(train, validation, test)


def make_features(
    task: Task, models: Sequence[str] | None, *, budget_s: float, seed: int, progress: Progress
) -> Features:
    """Encode texts and photos. ``models``: encoders to use; None takes what is installed.

    Raises:
        UnknownName: for an encoder that does not exist.
        ConfigError: for models that leave nothing to learn from.
    """
    found = Features()
    names = component_names(models, "encode") if models is not None else None
    if any(text.strip() for text in task.texts):
        for name in [TEXT] if names is None else [n for n in names if _reads_text(n)]:
            _text(found, name, task, seed, progress)
    if task.photos is not None:
        wanted = _networks(found) if names is None else [n for n in names if not _reads_text(n)]
        for name in wanted:
            _image(found, name, task, budget_s=budget_s, seed=seed, progress=progress)
    if not found.text and not found.image:
        raise ConfigError(
            "Nothing is left to learn from.", next_step="Name an encoder of text or photos with --models."
        )
    return found


def _reads_text(name: str) -> bool:
    return issubclass(registry().get(name), TextEncoder)


def _networks(found: Features) -> list[str]:
    for name in NETWORKS:
        try:
            registry().create(name)
        except (InputError, MissingExtra) as error:
            found.notes.append(f"{name} is not used: {error}")
        else:
            return [name, COLOURS]
    return [COLOURS]


def _text(found: Features, name: str, task: Task, seed: int, progress: Progress) -> None:
    started = time.perf_counter()
    encoder: Any = registry().create(name, {"size": TEXT_SIZE} if name == TEXT else None)
    if hasattr(encoder, "train"):
        known = task.parts.known
        encoder.train([task.texts[i] for i in known], rng=spawn(seed, "labels", name), progress=progress)
        vectors = encoder(task.texts)
    else:
        vectors = encoder(task.texts, progress=progress)
    found.text.append(Block(name.split(".")[1], vectors))
    found.seconds[name] = time.perf_counter() - started


def _image(found: Features, name: str, task: Task, *, budget_s: float, seed: int, progress: Progress) -> None:
    assert task.photos is not None
    started = time.perf_counter()
    short = name.split(".")[1]
    if name == COLOURS:
        encoder: Any = registry().create(name)
        found.image.append(Block(short, encoder(task.photos, progress=progress)))
        found.seconds[name] = time.perf_counter() - started
        return
    config: dict[str, Any] = {"levels": "all"} if "levels" in registry().get(name).Config.model_fields else {}
    size, why = choose_size(name, config, task, budget_s=budget_s, seed=seed)
    encoder = registry().create(name, {**config, "input_size": size})
    encoded = encoder.encode(task.photos, progress=progress)
    rng = spawn(seed, "labels", name)
    found.image.append(
        compressed(Block(short, encoded.vectors, each=True), task.parts.known, IMAGE_SIZE, rng=rng)
    )
    found.notes.append(f"{short} at {size} pixels ({why})")
    found.notes += [f"{number:,} photos: {reason}" for reason, number in encoded.rejects.items()]
    found.seconds[name] = time.perf_counter() - started


def choose_size(
    name: str, config: dict[str, Any], task: Task, *, budget_s: float, seed: int
) -> tuple[int, str]:
    """The input size that labels a sample of the training part best (leave-one-out), among the affordable ones.

    A size counts as affordable when all photos are encoded in ``ENCODING_SHARE`` of the budget; the smallest
    always does.
    """
    assert task.photos is not None
    rows = spawn(seed, "labels", "size").permutation(task.parts.train)[:TRIAL_PHOTOS]
    photos = [task.photos[i] for i in rows]
    tried: dict[int, float] = {}
    for size in SIZES:
        encoder: Any = registry().create(name, {**config, "input_size": size})
        started = time.perf_counter()
        encoder(photos[:64])
        needed_s = (time.perf_counter() - started) / min(64, len(photos)) * (len(task.photos) + len(photos))
        if tried and needed_s > ENCODING_SHARE * budget_s:
            break
        tried[size] = leave_one_out(encoder(photos), task.y[rows], len(task.names))
        if len(tried) > 1 and tried[size] < max(tried.values()):
            break  # larger only blurs what a small photo shows
    best = max(tried, key=lambda size: (tried[size], -size))
    told = ", ".join(f"{size}: {accuracy:.3f}" for size, accuracy in tried.items())
    return best, f"leave-one-out accuracy on {len(rows):,} training photos {told}"


def leave_one_out(vectors: Vectors, y: Classes, n_classes: int) -> float:
    """Accuracy of least squares on each row without it."""
    every = np.arange(len(y))
    return Ridge().leave_one_out(side_by_side([Block("x", vectors, each=True)], every), y, n_classes)
