"""Fill a column from the products that have it: learn, hold out, and answer only where answers proved right.

Labelled rows are parted at random within every class: 70 % to train, 15 % (validation) to choose heads, pseudo-labels
and the threshold, 15 % (held out) to measure the result. Then everything learns again from all but the validation
rows, and the answers of both parts set the threshold that serves. Rows whose value is too rare to be learned are no training
rows, but as many of them are held out: there every answer is wrong, as it will be for such products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit

from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.core.progress import Progress, Silent
from storewise.core.rng import spawn
from storewise.understand.labels import heads, semi
from storewise.understand.labels.blocks import Block, side_by_side
from storewise.understand.labels.heads import Classes, Matrix
from storewise.understand.labels.views import Learned, Parts, fuse, learn

UNKNOWN = -1
RARE = -2  # a label that is on too few rows to be learned
SURELY_NOT = 1e-6
PSEUDO = "from the labels and pseudo-labels"


class FillConfig(Config):
    """``precision``: least share of right answers among those given on validation rows, which sets the threshold.
    ``least_products``: of a class that can be answered. ``pseudo_below``: labelled rows below which pseudo-labels
    are tried."""

    precision: float = Field(default=0.9, gt=0, le=1)
    least_products: int = Field(default=5, ge=4)
    pseudo_below: int = Field(default=2000, ge=0)


@dataclass(frozen=True)
class Filled:
    """``log_probabilities`` (m, k) of the m unlabelled ``rows``, and the ``confidence`` (m,) that the likeliest class is
    right; an answer is given from the confidence ``threshold`` on (inf: never). ``held_sure``, ``held_right`` (h,):
    the same procedure on rows held out, with its own threshold ``held_threshold``."""

    rows: Classes
    log_probabilities: Matrix
    confidence: npt.NDArray[np.float64]
    threshold: float
    held_sure: npt.NDArray[np.float64]
    held_right: npt.NDArray[np.bool_]
    held_threshold: float
    about: str

    @property
    def classes(self) -> Classes:
        """(m,) the likeliest class, ``UNKNOWN`` below the threshold."""
        return np.where(self.confidence >= self.threshold, self.log_probabilities.argmax(axis=1), UNKNOWN)

    @property
    def held_answered(self) -> npt.NDArray[np.bool_]:
        """(h,) which held-out rows got an answer."""
        return self.held_sure >= self.held_threshold


def fill(
    views: Mapping[str, Sequence[Block]],
    y: Classes,
    n_classes: int,
    *,
    config: FillConfig | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Filled:
    """``views``: blocks (n, d) of vectors by what they show (text, photo). ``y`` (n,): classes, ``UNKNOWN`` for rows
    without a label, ``RARE`` for those with another one; each class needs ``least_products`` labelled rows.

    Raises:
        DataError: with fewer than two classes, or a class of too few rows.
    """
    settings = config or FillConfig()
    counts = np.bincount(y[y >= 0], minlength=n_classes)
    if n_classes < 2 or counts.min() < settings.least_products:
        raise DataError(
            f"{n_classes} classes, the rarest with {counts.min() if n_classes else 0} products: 2 classes of "
            f"{settings.least_products} products each are needed.",
            next_step="Give more products their value.",
        )
    parts, (rare, rare_held) = three_parts(y, seed=seed), _rare_parts(y, seed=seed)
    watching = progress or Silent()
    asked = Parts(parts.train, parts.validation, np.concatenate([parts.test, rare_held, rare]))
    first = _learn(views, y, n_classes, asked, settings, seed, watching)
    n_held = len(parts.test) + len(rare_held)
    held = _asked(first.test[:n_held], y[asked.test[:n_held]])
    chosen = _asked(
        np.concatenate([first.validation, first.test[n_held:]]),
        np.concatenate([y[parts.validation], y[rare]]),
    )
    trust = trust_of(*chosen)
    before = threshold(trust(chosen[0]), chosen[1], settings.precision)
    unknown = np.flatnonzero(y == UNKNOWN)
    everything = Parts(np.concatenate([parts.train, parts.test]), parts.validation, unknown)
    final = _learn(views, y, n_classes, everything, settings, seed, watching)
    # What is known of answers counts twice as much with the held-out rows, now that these have measured.
    both = np.concatenate([chosen[0], held[0]]), np.concatenate([chosen[1], held[1]])
    last = trust_of(*both)
    return Filled(
        unknown, final.test, last(sureness(final.test)), threshold(last(both[0]), both[1], settings.precision),
        trust(held[0]), held[1], before, final.about,
    )  # fmt: skip


def _asked(told: Matrix, truth: Classes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """How sure each answer is, and whether it is right."""
    return sureness(told), told.argmax(axis=1) == truth


def three_parts(y: Classes, *, seed: int) -> Parts:
    """70, 15 and 15 % of the labelled rows, at random within every class, one of each at least."""
    rng = spawn(seed, "labels", "fill")
    part = np.full(len(y), UNKNOWN)
    for one in np.unique(y[y >= 0]):
        rows = rng.permutation(np.flatnonzero(y == one))
        n = max(1, round(0.15 * len(rows)))
        part[rows] = 0
        part[rows[:n]] = 2
        part[rows[n : 2 * n]] = 1
    return Parts(*(np.flatnonzero(part == code) for code in range(3)))


def _rare_parts(y: Classes, *, seed: int) -> tuple[Classes, Classes]:
    """15 % of the rare rows to set the threshold, 15 % to measure, one each if there are two."""
    rows = spawn(seed, "labels", "rare").permutation(np.flatnonzero(y == RARE))
    n = max(min(1, len(rows) // 2), round(0.15 * len(rows)))
    return rows[:n], rows[n : 2 * n]


def sureness(log_probabilities: Matrix) -> npt.NDArray[np.float64]:
    """(n,) probability of the likeliest class."""
    return np.asarray(np.exp(log_probabilities.max(axis=1, initial=-np.inf)), np.float64)


def threshold(sure: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], precision: float) -> float:
    """The least confidence from which on k of n answers are right with k / (n + 1) at least ``precision``, so that a
    few lucky ones are not enough; inf where there is none.

    >>> threshold(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, True, False]), 0.75)
    0.7
    >>> threshold(np.array([0.9, 0.8]), np.array([True, True]), 0.75)
    inf
    """
    order = np.argsort(-sure, kind="stable")
    share = np.cumsum(right[order]) / np.arange(2, len(order) + 2)
    last = np.append(sure[order][1:] < sure[order][:-1], True)[: len(order)]  # of equally sure ones, all
    good = np.flatnonzero((share >= precision) & last)
    return float(sure[order[good[-1]]]) if len(good) else float("inf")


@dataclass(frozen=True)
class Trust:
    """``sigmoid(slope · logit p + shift)``: how often an answer of probability p was right (Platt, 1999)."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, sure: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        clipped = np.clip(sure, SURELY_NOT, 1 - SURELY_NOT)
        return np.asarray(expit(self.slope * logit(clipped) + self.shift))


def trust_of(sure: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> Trust:
    """The slope and shift with the least log loss on answers that were right or not, with a normal prior of one answer's
    weight around (1, 0); the slope stays positive, so that the order of answers does.

    >>> half = trust_of(np.full(200, 0.9), np.arange(200) % 2 == 0)
    >>> bool(0.45 < half(np.array([0.9]))[0] < 0.55)
    True
    """
    x = logit(np.clip(sure, SURELY_NOT, 1 - SURELY_NOT))

    def loss(values: npt.NDArray[np.float64]) -> float:
        slope, shift = np.exp(values[0]), values[1]
        scores = slope * x + shift
        return float(np.logaddexp(0, np.where(right, -scores, scores)).sum() + 0.5 * (values**2).sum())

    found = minimize(loss, np.zeros(2), method="Nelder-Mead")
    return Trust(float(np.exp(found.x[0])), float(found.x[1]))


def _learn(
    views: Mapping[str, Sequence[Block]], y: Classes, n_classes: int, parts: Parts, config: FillConfig, seed: int,
    progress: Progress,
) -> Learned:  # fmt: skip
    """The better on validation (log loss) of heads on labels alone and of one with pseudo-labels."""
    names = heads.candidates(len(parts.known))
    blocks = {name: list(found) for name, found in views.items() if found}
    every = [block for found in blocks.values() for block in found]
    wanted = blocks if len(blocks) == 1 else {**blocks, "both": every}
    learned = [
        learn(name, found, y, n_classes, parts, seed=seed, names=names, progress=progress)
        for name, found in wanted.items()
    ]
    plain = learned[0] if len(learned) == 1 else fuse("all", learned, y, parts)
    if len(parts.known) >= config.pseudo_below:
        return plain
    pseudo = _pseudo(every, y, n_classes, parts, seed)
    truth = y[parts.validation]
    if heads.log_loss(pseudo.validation, truth) < heads.log_loss(plain.validation, truth):
        return pseudo
    return plain


def _pseudo(blocks: Sequence[Block], y: Classes, n_classes: int, parts: Parts, seed: int) -> Learned:
    """Pseudo-labels on which all blocks agree; what is held out is without a label to it."""

    def ask(known: Classes, asked: Classes) -> Matrix:
        # Rows of all parts and all that has no label may teach by what they hold, never by their label.
        joint = side_by_side(blocks, known)
        apart = [side_by_side([block], known) for block in blocks]
        head = semi.self_train(apart, joint, known, y[known], n_classes, seed=seed)
        return head.log_probabilities(joint[asked])

    told = ask(parts.train, parts.validation)
    t = heads.temperature(told, y[parts.validation])
    return Learned(
        PSEUDO,
        np.asarray(log_softmax(told / t, axis=1), np.float32),
        np.asarray(log_softmax(ask(parts.known, parts.test) / t, axis=1), np.float32),
        np.ones(len(y), np.bool_),
        f"{PSEUDO}, where {' and '.join(block.name for block in blocks)} agree",
        0.0,
    )
