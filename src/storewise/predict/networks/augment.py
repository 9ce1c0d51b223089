"""Augmented histories: crop, mask and reorder (Xie et al. 2022), on rows of tables, (n, length), latest last."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config

Histories = npt.NDArray[np.int64]


class Augmentation(Config):
    """``crop``, ``mask``, ``reorder``: the probability that a row is so treated, ``share`` of its history."""

    crop: float = Field(default=0.0, ge=0, le=1)
    mask: float = Field(default=0.0, ge=0, le=1)
    reorder: float = Field(default=0.0, ge=0, le=1)
    share: float = Field(default=0.3, gt=0, lt=1)

    @property
    def some(self) -> bool:
        """Whether anything is done at all."""
        return self.crop > 0 or self.mask > 0 or self.reorder > 0


def augment(
    histories: dict[str, Histories], config: Augmentation, rng: np.random.Generator
) -> dict[str, Histories]:
    """Every sequence of a row is treated alike, as their events are the same."""
    found = dict(histories)
    for how, rate in ((crop, config.crop), (mask, config.mask), (reorder, config.reorder)):
        if rate > 0:
            seed = int(rng.integers(2**62))
            for name, rows in found.items():
                again = np.random.default_rng(seed)
                chosen = again.random(len(rows)) < rate
                found[name] = np.where(chosen[:, None], how(rows, config.share, again), rows)
    return found


def crop(rows: Histories, share: float, rng: np.random.Generator) -> Histories:
    """A stretch of each history, ``share`` shorter, moved to the right end."""
    start, length = _stretch(rows, 1 - share, rng)
    places = np.arange(rows.shape[1])
    kept = np.where((places >= start) & (places < start + length), rows, 0)
    return np.take_along_axis(kept, np.argsort(kept != 0, axis=1, kind="stable"), axis=1)


def mask(rows: Histories, share: float, rng: np.random.Generator) -> Histories:
    """Each event is lost with probability ``share``."""
    return np.where(rng.random(rows.shape) < share, 0, rows)


def reorder(rows: Histories, share: float, rng: np.random.Generator) -> Histories:
    """A stretch of ``share`` of each history is shuffled."""
    start, length = _stretch(rows, share, rng)
    places = np.broadcast_to(np.arange(rows.shape[1], dtype=np.float64), rows.shape)
    inside = (places >= start) & (places < start + length)
    keys = np.where(
        inside, start + rng.random(rows.shape) * length, places + 0.5 * (places >= start + length)
    )
    return np.take_along_axis(rows, np.argsort(keys, axis=1, kind="stable"), axis=1)


def _stretch(rows: Histories, share: float, rng: np.random.Generator) -> tuple[Histories, Histories]:
    """First place and length, (n, 1) each, of a random stretch of the filled right end."""
    filled = (rows != 0).sum(axis=1)
    length = np.ceil(share * filled).astype(np.int64)
    start = rows.shape[1] - filled + np.floor(rng.random(len(rows)) * (filled - length + 1)).astype(np.int64)
    return start[:, None], length[:, None]
