"""A view of products (their text, their photo, both) learned end to end: scale, choose a head, train it again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from storewise.core.progress import Progress
from storewise.understand.labels import fusion, heads
from storewise.understand.labels.blocks import Block, side_by_side
from storewise.understand.labels.heads import Choice, Classes, Matrix


@dataclass(frozen=True)
class Parts:
    """Row numbers of training, validation and test."""

    train: Classes
    validation: Classes
    test: Classes

    @property
    def known(self) -> Classes:
        """Training and validation: what the final models learn from."""
        return np.concatenate([self.train, self.validation])


@dataclass(frozen=True)
class Learned:
    """``test``: (m, k) log-probabilities; ``validation``: the same there, of the model that saw training alone.
    ``present``: (n,) which products the view knows something of. ``about``: what was chosen."""

    name: str
    validation: Matrix
    test: Matrix
    present: npt.NDArray[np.bool_]
    about: str
    seconds: float
    choices: Sequence[Choice] = field(default_factory=tuple)

    def validation_accuracy(self, truth: Classes) -> float:
        return float((self.validation.argmax(axis=1) == truth).mean())


def learn(
    name: str,
    blocks: Sequence[Block],
    y: Classes,
    n_classes: int,
    parts: Parts,
    *,
    seed: int,
    names: Sequence[str] = tuple(heads.HEADS),
    progress: Progress | None = None,
) -> Learned:
    """Choose heads on validation, train them again on all that is known, ask the test part once."""
    started = time.perf_counter()
    x = side_by_side(blocks, parts.train)
    choices = heads.choose_head(
        x, y, n_classes, parts.train, parts.validation, seed=seed, names=names, progress=progress
    )
    team = heads.team(choices, y[parts.validation])
    x = side_by_side(blocks, parts.known)
    told = []
    for one in team:
        head = heads.fit(one.name, x[parts.known], y[parts.known], n_classes, seed=seed)
        told.append(log_softmax(head.log_probabilities(x[parts.test]) / one.temperature, axis=1))
    present = np.logical_or.reduce([block.present for block in blocks])
    about = f"{' and '.join(one.name for one in team)} on {' + '.join(block.name for block in blocks)}"
    validation = heads.mean([one.validation for one in team])
    return Learned(name, validation, heads.mean(told), present, about, time.perf_counter() - started, choices)


def fuse(name: str, views: Sequence[Learned], y: Classes, parts: Parts) -> Learned:
    """Late fusion of views, weighed on validation."""
    started = time.perf_counter()

    def say(rows: Classes) -> list[npt.NDArray[np.bool_]]:
        return [view.present[rows] for view in views]

    told = [view.validation for view in views]
    weights = fusion.choose_weights(told, say(parts.validation), y[parts.validation])
    used = ", ".join(f"{w:g} {v.name} ({v.about})" for w, v in zip(weights, views, strict=True) if w)
    seconds = sum(view.seconds for view in views) + time.perf_counter() - started
    return Learned(
        name,
        fusion.late(told, say(parts.validation), weights),
        fusion.late([view.test for view in views], say(parts.test), weights),
        np.logical_or.reduce([view.present for view in views]),
        f"log-probabilities weighed {used}",
        seconds,
    )
