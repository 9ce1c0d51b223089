"""Uplift on a campaign's table: which model validation prefers, and whom to message given cost and value."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.data.sources.campaign import CampaignTable
from storewise.engine.registry import registry
from storewise.metrics.effect import standardised_differences
from storewise.metrics.intervals import draws
from storewise.metrics.uplift import Ranked, Trial, areas, best
from storewise.predict.base import Rows, Values
from storewise.predict.tables.fields import Fields, FieldsConfig, learn
from storewise.predict.uplift.base import Campaign, UpliftModel
from storewise.predict.uplift.propensity import estimated

FOLDS = 3
MOST_PEOPLE = 400_000  # of a study: resampling more would take hours
MOST_VALUES, LEAST_ROWS = 50, 20  # of a text column with codes of their own
SIMPLE = ("uplift.s_learner.v1", "uplift.response.v1")
BALANCED = 0.1  # the largest standardised difference of a trial that counts as randomised
CONFIGS: tuple[Mapping[str, Any], ...] = (
    {"base": "linear", "l2": 1.0},
    {"base": "linear", "l2": 100.0},
    {"base": "trees"},
    {"base": "trees", "leaves": 3, "rounds": 100},
)


@dataclass
class Candidate:
    """A model with the config that did best in validation; ``validation`` is its cross-fitted mean Qini."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    validation: float = float("-inf")
    seconds: float = 0.0
    trials: int = 0

    def train(self, data: Campaign, seed: int) -> UpliftModel:
        model = registry().create(self.name, self.config)
        assert isinstance(model, UpliftModel)
        model.train(data, rng=spawn(seed, self.name))
        return model


def fields_of(table: CampaignTable, seed: int) -> Fields:
    """How the columns are read: without rates of earlier outcomes, which would leak from fold to fold, and with few
    codes a column, because effects are small differences."""
    config = FieldsConfig(rates=False, least_count=LEAST_ROWS, most_codes=MOST_VALUES)
    return learn(table.features, table.outcome, config=config, seed=seed)[0]


def limited(table: CampaignTable, seed: int, most: int = MOST_PEOPLE) -> CampaignTable:
    """At most so many people, drawn alike in arms and outcome, which is noted."""
    n = len(table.arms)
    if n <= most:
        return table
    kept = stratified_indices(table.arms * 2 + (table.outcome != 0), [most, n - most], seed)[0]
    note = f"{len(kept):,} of {n:,} people, drawn at random"
    return replace(
        table, features=table.features[kept], outcome=table.outcome[kept], arms=table.arms[kept],
        notes=(*table.notes, note),
    )  # fmt: skip


def campaign_of(table: CampaignTable, fields: Fields) -> tuple[Campaign, float, str | None]:
    """The trial as models see it, the largest standardised difference of a feature between an arm and the control,
    and a note where arms differ so much that propensities had to be estimated."""
    rows = fields(table.features)
    n_arms = len(table.arm_names)
    gap = imbalance(rows, table.arms, n_arms)
    if gap <= BALANCED:
        return Campaign(rows, table.outcome, table.arms, n_arms), gap, None
    propensity = estimated(rows, table.arms, n_arms)
    note = f"the arms were not alike before (standardised difference {gap:.2f}): propensities are estimated"
    return Campaign(rows, table.outcome, table.arms, n_arms, propensity), gap, note


def imbalance(rows: Rows, arms: npt.NDArray[np.int64], n_arms: int) -> float:
    """The largest absolute standardised difference over numbers, values of categories and arms."""
    blocks = [rows.numbers.astype(np.float64)]
    blocks += [
        np.equal.outer(rows.categories[:, j], np.arange(-1, size)).astype(np.float64)
        for j, size in enumerate(rows.sizes)
    ]
    gaps = np.abs(standardised_differences(np.concatenate(blocks, axis=1), arms, n_arms)[1:])
    return float(gaps.max(initial=0.0))


def stratified(data: Campaign, parts: Sequence[float], seed: int) -> list[npt.NDArray[np.int64]]:
    """Sorted indices of disjoint parts with these shares, alike in arms and in having an outcome."""
    return stratified_indices(data.arms * 2 + (data.outcomes != 0), parts, seed)


def stratified_indices(
    strata: npt.NDArray[np.int64], parts: Sequence[float], seed: int
) -> list[npt.NDArray[np.int64]]:
    """The same for given strata (n,)."""
    rng = spawn(seed, "uplift.split")
    places: list[list[npt.NDArray[np.int64]]] = [[] for _ in parts]
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        bounds = np.round(np.cumsum(parts) / sum(parts) * len(members)).astype(int)
        for place, chosen in zip(places, np.split(members, bounds[:-1]), strict=True):
            place.append(chosen)
    return [np.sort(np.concatenate(place)) for place in places]


def trial_of(data: Campaign, arm: int) -> tuple[npt.NDArray[np.int64], Trial]:
    """The people of one arm and of the control, and their trial."""
    kept = np.flatnonzero((data.arms == 0) | (data.arms == arm))
    weights = data.weights()
    return kept, Trial(
        data.outcomes[kept], data.arms[kept] == arm, None if weights is None else weights[kept]
    )


def mean_qini(effects: Values, data: Campaign) -> float:
    """The Qini figure, averaged over the arms."""
    found = []
    for arm in range(1, data.n_arms):
        kept, trial = trial_of(data, arm)
        found.append(float(Ranked(effects[kept, arm - 1], trial).qini()[0]))
    return float(np.mean(found))


def joint_areas(
    effects: Mapping[str, Values], data: Campaign, *, seed: int, resamples: int = 1000
) -> dict[str, tuple[Values, Values]]:
    """Model → ``metrics.uplift.FIGURES`` of each arm, (n_arms - 1, 4) and (n_arms - 1, 4, resamples). All people are
    resampled together and alike for all models, because arms share their control and models are compared."""
    sides = [trial_of(data, arm) for arm in range(1, data.n_arms)]
    ideal = [Ranked(best(trial), trial) for _, trial in sides]
    ranked = {
        name: [Ranked(one[kept, arm], trial) for arm, (kept, trial) in enumerate(sides)]
        for name, one in effects.items()
    }
    most = [one.qini() for one in ideal]
    points = {
        name: np.stack([areas(one, top)[:, 0] for one, top in zip(mine, most, strict=True)])
        for name, mine in ranked.items()
    }
    drawn: dict[str, list[Values]] = {name: [] for name in effects}
    for counts in draws(len(data), seed, resamples):
        here = [counts[:, kept] for kept, _ in sides]
        most = [one.qini(part) for one, part in zip(ideal, here, strict=True)]
        for name, mine in ranked.items():
            drawn[name].append(
                np.stack([areas(one, top, part) for one, top, part in zip(mine, most, here, strict=True)])
            )
    return {name: (points[name], np.concatenate(drawn[name], axis=2)) for name in effects}


def choose(
    data: Campaign,
    names: Sequence[str],
    *,
    budget_s: float,
    seed: int,
    progress: Progress,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Candidate]:
    """Try every config of every model by cross-fitting: each third of the people is scored by a model of the other
    two, and the Qini figure is asked of all scores together. The best candidate comes first.

    Every model has its first config tried, whatever the budget.
    """
    folds = stratified(data, [1.0] * FOLDS, seed)
    found = {name: Candidate(name) for name in names}
    started = clock()
    for config in progress.track(CONFIGS, label="uplift: choosing"):
        for name, one in found.items():
            if one.trials and clock() - started > budget_s:
                continue
            begun = clock()
            value = mean_qini(cross_fitted(Candidate(name, dict(config)), data, folds, seed), data)
            one.seconds += clock() - begun
            one.trials += 1
            if value > one.validation:
                one.validation, one.config = value, dict(config)
    return sorted(found.values(), key=lambda one: -one.validation)


def cross_fitted(
    candidate: Candidate, data: Campaign, folds: Sequence[npt.NDArray[np.int64]], seed: int
) -> Values:
    """(n, n_arms - 1) effects, each person's from a model that has not seen the person."""
    effects = np.empty((len(data), data.n_arms - 1))
    for number, held in enumerate(folds):
        rest = np.concatenate([fold for other, fold in enumerate(folds) if other != number])
        effects[held] = candidate.train(data.part(rest), seed).effects(data.rows.part(held))
    return effects
