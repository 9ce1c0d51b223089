"""Which of the shown arms a slate says something about, and how much."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.explore.base import EMPTY, Floats, Ints, Logged
from storewise.explore.memory import MemoryConfig

Feedback = Literal["independent", "cascade", "position"]


class FeedbackConfig(MemoryConfig):
    """``feedback``: what a slate's rewards say.

    - ``independent``: every shown arm was looked at.
    - ``cascade`` (Kveton et al., 2015): shoppers look from the top and stop at the first reward; what stands
      below it was not looked at.
    - ``position``: the place j was looked at with probability ``examination[j]`` (see
      ``storewise.explore.examination``; places beyond the tuple take its last number).
    """

    feedback: Feedback = "independent"
    examination: tuple[float, ...] = Field(default=(1.0, 0.75, 0.6, 0.5), min_length=1)


def evidence(log: Logged, config: FeedbackConfig) -> tuple[Ints, Floats, Floats]:
    """Arms, rewards and weights (how far the arm was looked at), one row for each place that counts.

    >>> log = Logged.of(arms=[[4, 2, 7]], rewards=[[0, 1, 0]])
    >>> arms, rewards, _ = evidence(log, FeedbackConfig(feedback="cascade"))
    >>> arms.tolist(), rewards.tolist()
    ([4, 2], [0.0, 1.0])
    """
    rows, places = np.nonzero(counted(log, config))
    weights = log.weights[rows]
    if config.feedback == "position":
        looks = np.array(config.examination, np.float64)
        weights = weights * looks[np.minimum(places, len(looks) - 1)]
    return log.arms[rows, places], log.rewards[rows, places], weights


def counted(log: Logged, config: FeedbackConfig) -> npt.NDArray[np.bool_]:
    """(n, k) True where the outcome says something of the arm."""
    shown: npt.NDArray[np.bool_] = log.arms != EMPTY
    if config.feedback == "cascade":
        before = np.cumsum(np.where(shown, log.rewards > 0, False), axis=1)
        shown &= before - ((log.rewards > 0) & shown) == 0
    return shown
