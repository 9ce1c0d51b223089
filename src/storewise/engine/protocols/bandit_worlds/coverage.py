"""How far estimators are from the truth, and how often their intervals hold it, over many logs of one world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.core.rng import derive_seed, spawn
from storewise.explore.evaluate.estimators import ESTIMATORS
from storewise.explore.evaluate.log import BanditLog, Target
from storewise.explore.evaluate.reward_model import Kind
from storewise.explore.evaluate.slates import SLATE_ESTIMATORS, SlateEvidence, place_model
from storewise.explore.evaluate.terms import Terms, bootstrap_all
from storewise.explore.evaluate.value import evidence, terms_of
from storewise.explore.orders.independent import Independent
from storewise.explore.orders.scores import Normals
from storewise.metrics.intervals import Interval

STRENGTHS: dict[Kind, float] = {"ridge": 0.1, "means": 1.0, "logistic": 1.0}
"""Little for the model that is right: a mean of predictions needs less shrinkage than a prediction does."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """Of one replication: ``values``, and whether each of three intervals held the truth, by estimator."""

    values: dict[str, float]
    bootstrap: dict[str, bool]
    normal: dict[str, bool]
    bernstein: dict[str, bool]
    widths: dict[str, float]


class BanditWorld:
    """``kinds`` of contexts with indicator features, ``arms``; logging and target policies are softmaxes of the
    true means with opposite leanings, so that weights differ but no action is left out. ``model`` ridge can be
    right (a coefficient for each context and arm), means cannot (it does not see contexts)."""

    def __init__(self, seed: int, *, kinds: int = 4, arms: int = 5, model: Kind = "ridge") -> None:
        rng = spawn(seed, "bandit world")
        self.means = rng.uniform(0.05, 0.6, (kinds, arms))
        self.chance = rng.dirichlet(np.full(kinds, 5.0))
        noise = rng.normal(size=(2, kinds, arms))
        self.logging = _softmax(-1.0 * self.means + 0.5 * noise[0])
        self.target = _softmax(3.0 * self.means + 0.5 * noise[1])
        self.truth = float(self.chance @ (self.target * self.means).sum(axis=1))
        self.model = model

    def log(self, n: int, rng: np.random.Generator) -> tuple[BanditLog, Target]:
        """n decisions of the logging policy."""
        kinds = rng.choice(len(self.chance), n, p=self.chance)
        above = rng.random(n)[:, None] > self.logging[kinds].cumsum(axis=1)
        actions = np.minimum(above.sum(axis=1), self.logging.shape[1] - 1)
        rewards = (rng.random(n) < self.means[kinds, actions]).astype(np.float64)
        contexts = np.eye(len(self.chance))[kinds]
        log = BanditLog.of(
            actions, rewards, self.logging[kinds, actions], contexts=contexts, n_actions=self.logging.shape[1]
        )
        return log, Target.by_row(self.target[kinds], log)

    def terms(self, n: int, rng: np.random.Generator, *, seed: int) -> dict[str, Terms]:
        """Every estimator on one new log, reward model and λ included."""
        e = evidence(*self.log(n, rng), model=self.model, strength=STRENGTHS[self.model], seed=seed)
        return {name: terms_of(e, name)[0] for name in ESTIMATORS}


class SlateWorld:
    """Slates of ``places`` out of ``arms`` by Gaussian Thompson sampling, shoppers who look from the top, at
    each place once: the reward of a place depends on its arm and on what stands above (a cascade)."""

    def __init__(self, seed: int, *, arms: int = 5, places: int = 3) -> None:
        from itertools import permutations

        rng = spawn(seed, "slate world")
        self.attraction = rng.uniform(0.1, 0.5, arms)
        self.slates = np.array(list(permutations(range(arms), places)), np.int64)
        orders = [
            Independent(Normals(mean, np.ones(arms)), places)
            for mean in (rng.normal(0, 0.3, arms), rng.normal(0, 0.3, arms) + 2 * self.attraction)
        ]
        self._chances = [np.array([order.probability(slate) for slate in self.slates]) for order in orders]
        self._chances = [chance / chance.sum() for chance in self._chances]
        left = np.cumprod(1 - self.attraction[self.slates], axis=1)
        looked = np.concatenate([np.ones((len(left), 1)), left[:, :-1]], axis=1)
        self.means = self.attraction[self.slates] * looked
        self.truth = float(self._chances[1] @ self.means.sum(axis=1))
        logging, target = self._chances
        self._slate = target / logging
        self._next = self._conditional(target)
        self._prefixes = np.stack([self._ratio(slice(0, j + 1)) for j in range(places)], axis=1)
        self._places = np.stack([self._ratio(slice(j, j + 1)) for j in range(places)], axis=1)

    def _conditional(self, chances: Floats) -> Floats:
        """(slates, places, arms): of each arm at a place, given the slate's places above."""
        found = np.zeros((*self.slates.shape, len(self.attraction)))
        for place in range(self.slates.shape[1]):
            above = (self.slates[:, None, :place] == self.slates[None, :, :place]).all(axis=2)
            for arm in range(len(self.attraction)):
                found[:, place, arm] = above @ (chances * (self.slates[:, place] == arm))
        found /= found.sum(axis=2, keepdims=True)
        return found

    def _ratio(self, part: slice) -> Floats:
        """Target over logging probability of a part of every slate."""
        _, groups = np.unique(self.slates[:, part], axis=0, return_inverse=True)
        logging, target = (np.bincount(groups.ravel(), weights=chance) for chance in self._chances)
        found: Floats = (target / logging)[groups.ravel()]
        return found

    def terms(self, n: int, rng: np.random.Generator, *, seed: int) -> dict[str, Terms]:
        """Every estimator on one new log; the pseudoinverse by places, as a shop's log allows."""
        rows = rng.choice(len(self.slates), n, p=self._chances[0])
        clicks = self._clicks(rows, rng)
        model = place_model(self.slates[rows], clicks, self._next[rows], rng=spawn(seed, "folds"))
        e = SlateEvidence(
            clicks, self._slate[rows], self._places[rows], self._prefixes[rows], None, *model
        )  # fmt: skip
        return {name: estimator(e) for name, estimator in SLATE_ESTIMATORS.items()}

    def _clicks(self, rows: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
        would = rng.random((len(rows), self.slates.shape[1])) < self.attraction[self.slates[rows]]
        first = np.cumsum(would, axis=1) == 1
        found: Floats = (would & first).astype(np.float64)
        return found


def replicate(
    world: BanditWorld | SlateWorld, numbers: Iterable[int], *, n: int, seed: int, resamples: int
) -> list[Found]:
    """One :class:`Found` a replication, its log drawn with the generator of its number."""
    found = []
    for number in numbers:
        terms = world.terms(n, spawn(seed, "log", number), seed=derive_seed(seed, "model", number))
        names = list(terms)
        intervals = bootstrap_all(
            list(terms.values()), seed=derive_seed(seed, "bootstrap", number), resamples=resamples
        )
        boots = dict(zip(names, intervals, strict=True))
        found.append(
            Found(
                {name: terms[name].value for name in names},
                {name: _holds(boots[name], world.truth) for name in names},
                {name: _holds(terms[name].normal(), world.truth) for name in names},
                {name: _holds(terms[name].bernstein(), world.truth) for name in names},
                {name: boots[name].high - boots[name].low for name in names},
            )
        )
    return found


def summary(found: list[Found], truth: float, name: str) -> dict[str, dict[str, float]]:
    """Figures of one estimator: ``bias`` and ``spread``, ``bias in errors`` (|bias| in standard errors of the mean
    over replications), and the shares of intervals that hold the truth with Wilson intervals."""
    values = np.array([one.values[name] for one in found])
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    bias = float(values.mean()) - truth
    z = abs(bias) / error if error else 0.0
    return {
        "coverage": wilson([one.bootstrap[name] for one in found]).as_dict(),
        "bias in errors": _point(z),
        "normal coverage": wilson([one.normal[name] for one in found]).as_dict(),
        "bernstein coverage": wilson([one.bernstein[name] for one in found]).as_dict(),
        "bias": Interval(bias, bias - 1.96 * error, bias + 1.96 * error).as_dict(),
        "spread": _point(float(values.std(ddof=1))),
        "width": _point(float(np.mean([one.widths[name] for one in found]))),
    }


def wilson(held: list[bool], z: float = 1.959964) -> Interval:
    """A share with its 95 % Wilson interval.

    >>> wilson([True] * 95 + [False] * 5).value
    0.95
    """
    n, share = len(held), sum(held) / len(held)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(share, float(middle - half), float(middle + half))


def _holds(interval: Interval, truth: float) -> bool:
    return bool(interval.low <= truth <= interval.high)


def _point(value: float) -> dict[str, float]:
    return dict.fromkeys(("value", "low", "high"), float(value))


def _softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    found: Floats = e / e.sum(axis=1, keepdims=True)
    return found
