"""The small-data guard: predictors compete on later rows, and of those that cannot be told apart the simplest wins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from storewise.core.config import Config, parse
from storewise.core.errors import DataError
from storewise.core.progress import Progress, Silent
from storewise.core.registry import Registry
from storewise.core.run_context import RunContext
from storewise.predict import COMPONENTS
from storewise.predict.base import Labelled, Predictor, Values
from storewise.predict.calibration import platt
from storewise.predict.choose.contest import Contest, Fold, fit
from storewise.predict.choose.pool import BLEND, LOGISTIC, TREES, blend_config, pooled
from storewise.predict.choose.tune import tune

NETWORK = 30  # complexity from which on a model is a network
NETWORK_ROWS, NETWORK_EVENTS = 5_000, 100
"""With fewer training rows, or fewer of the rarer outcome, no network is tried."""
TUNING_SHARE = 0.7  # of the time that is left when every model has been tried with its defaults
TUNED = 3  # models that are tuned: the best ones with their defaults
FEW_CELLS = (
    2_000_000  # rows times columns up to which a model that is no network is tried even if time is short
)
NETWORK_SHARE = 0.5  # of the time that is left, that one network may take; the trees are to be tuned, too


@dataclass(frozen=True)
class Attempt:
    """How one predictor did. ``losses`` (n,): log loss of each validation row after a two-parameter calibration;
    ``scores`` (n,): before it; ``skipped``: why it was not tried (then the rest is empty)."""

    name: str
    complexity: int
    config: Config | None = None
    losses: Values = field(default_factory=lambda: np.zeros(0))
    scores: Values = field(default_factory=lambda: np.zeros(0))
    seconds: float = 0.0
    trials: int = 0
    skipped: str = ""

    @property
    def loss(self) -> float:
        return float(self.losses.mean()) if len(self.losses) else float("inf")


@dataclass(frozen=True)
class Choice:
    """``selected``: the predictor to train; ``labels`` (n,): of the validation rows, on which a calibration is
    learned; ``reason``: why, in one sentence; ``why``: the same as a code with its values, for other languages."""

    selected: str
    attempts: tuple[Attempt, ...]
    labels: Values
    reason: str
    why: Mapping[str, Any] = field(default_factory=dict)

    def of(self, name: str) -> Attempt:
        return next(attempt for attempt in self.attempts if attempt.name == name)

    @property
    def tried(self) -> list[Attempt]:
        """Attempts that gave scores, the best first."""
        return sorted((a for a in self.attempts if not a.skipped), key=lambda a: a.loss)

    def refit(self, name: str, data: Labelled, *, seed: int, progress: Progress | None = None) -> Predictor:  # type: ignore[type-arg]
        """The predictor with the config that validation chose, trained on all rows (oldest first)."""
        made, _ = fit(registry(), name, self.of(name).config, data, seed=seed, progress=progress)
        return made


def predictors() -> list[str]:
    """Names of all that predict one outcome (some components of the role predict several at once)."""
    return [name for name in registry().names("predict") if issubclass(registry().get(name), Predictor)]


def registry() -> Registry:
    """Every predictor, and those of plug-ins."""
    return Registry(COMPONENTS, plugins=True)


def choose(
    folds: Sequence[Fold],
    *,
    candidates: Sequence[str] | None = None,
    budget_s: float,
    seed: int,
    progress: Progress | None = None,
    context: RunContext | None = None,
) -> Choice:
    """Try every predictor on folds (each judged on rows after those it learned from), within about ``budget_s``.

    Each is tried with its defaults, the simplest first; the best ones are then tuned, and the blend is put together of
    the logistic regression and the trees as they then are. The choice is the simplest
    whose loss is within one standard error (of the paired difference, row by row) of the best one's: the rule of
    Breiman et al. (1984). ``context``: its journal is told of every attempt and trial; with a folder, a killed choice
    goes on with the search and the trainings of networks that it finds there.

    Raises:
        DataError: when there is no fold, or no predictor could be trained.
        UnknownName: for a candidate that does not exist.
    """
    if not folds:
        raise DataError("There is no validation part.", next_step="Give at least one fold.")
    watching, around = progress or Silent(), context or RunContext()
    until = time.perf_counter() + budget_s
    contest = Contest(registry(), tuple(folds), seed, watching, around.journal, around.trainings)
    names = list(candidates) if candidates is not None else predictors()
    kinds = {name: contest.kind(name) for name in names}
    # A blend of models that compete anyway is put together at the end.
    late = {BLEND} if {BLEND, LOGISTIC, TREES} <= set(names) else set()
    ordered = sorted(set(names) - late, key=lambda name: (kinds[name].complexity, name))
    attempts: dict[str, Attempt] = {}
    for name in watching.track(ordered, label="predictors on validation"):
        attempts[name] = _try(contest, name, kinds[name], until, budget_s, forced=candidates is not None)
        if not attempts[name].skipped:
            contest.track(name, attempts[name].loss)
    leaders = sorted((a for a in attempts.values() if not a.skipped), key=lambda a: a.loss)
    if not leaders:
        why = "; ".join(f"{a.name}: {a.skipped}" for a in attempts.values())
        raise DataError(
            f"No predictor could be trained ({why}).", next_step="See the reasons, or name others."
        )
    _tune_all(contest, leaders, attempts, until, around.search, quick=budget_s > 0 and candidates is None)
    for name in late:
        attempts[name] = _blend(attempts[LOGISTIC], attempts[TREES], contest, kinds[name])
    labels = contest.labels
    selected, reason, told = _simplest(
        [a for a in attempts.values() if not a.skipped], list(attempts.values()), folds
    )
    return Choice(selected, tuple(attempts.values()), labels, reason, told)


def _tune_all(
    contest: Contest,
    leaders: Sequence[Attempt],
    attempts: dict[str, Attempt],
    until: float,
    storage: Path | None,
    *,
    quick: bool,
) -> None:
    """Tune the best ones, the quickest first: what one leaves of its share of the time, the others have. ``quick``: of
    models that are no networks the known good settings are tried on small data even if time is short."""
    chosen = sorted(leaders[:TUNED], key=lambda a: a.seconds)
    until = time.perf_counter() + TUNING_SHARE * (until - time.perf_counter())
    for place, attempt in enumerate(chosen):
        budget_s = (until - time.perf_counter()) / (len(chosen) - place)
        kind = contest.kind(attempt.name)
        known = (
            len(kind.starts()) if quick and kind.complexity < NETWORK and _cells(contest) <= FEW_CELLS else 0
        )
        tuned = tune(contest, attempt.name, budget_s=budget_s, storage=storage, least=known)
        if tuned is not None:
            after = replace(attempt, trials=1 + tuned.trials)
            if tuned.loss < attempt.loss:
                after = replace(
                    after, config=tuned.config, scores=tuned.scores, losses=_losses(contest, tuned.scores)
                )
            attempts[attempt.name] = after


def _blend(logistic: Attempt, trees: Attempt, contest: Contest, kind: type[Predictor[Any]]) -> Attempt:
    if skipped := logistic.skipped or trees.skipped:
        return Attempt(BLEND, kind.complexity, skipped=skipped)
    assert logistic.config is not None
    assert trees.config is not None
    weight, scores = pooled(logistic.scores, trees.scores, contest.labels)
    config = parse(kind.Config, blend_config(logistic.config, trees.config, weight), where=BLEND)
    contest.track(BLEND, float(_losses(contest, scores).mean()))
    return Attempt(BLEND, kind.complexity, config, _losses(contest, scores), scores, trials=1)


def _try(
    contest: Contest, name: str, kind: type[Predictor[Any]], until: float, budget_s: float, *, forced: bool
) -> Attempt:
    """A predictor with its defaults, unless the data is too small or the time too short for it."""
    from storewise.core.errors import MissingExtra

    largest = max(contest.folds, key=lambda fold: len(fold.train.labels)).train.labels
    rows, rarer = len(largest), int(min(largest.sum(), (1 - largest).sum()))
    columns = contest.folds[0].train.rows.number_names
    if any(column not in columns for column in kind.needs):
        return Attempt(name, kind.complexity, skipped=f"needs the columns {', '.join(kind.needs)}")
    network = kind.complexity >= NETWORK
    least = max(kind.least_rows, NETWORK_ROWS if network else 0)
    if not forced and (rows < least or (network and rarer < NETWORK_EVENTS)):
        need = f"{least:,} rows" if rows < least else f"{NETWORK_EVENTS} rows of each outcome"
        return Attempt(name, kind.complexity, skipped=f"needs {need}")
    quick = not network and _cells(contest) <= FEW_CELLS and budget_s > 0
    if time.perf_counter() > until and not forced and not quick and kind.complexity > 0:
        return Attempt(name, kind.complexity, skipped="no time was left")
    started = time.perf_counter()
    try:
        most = started + NETWORK_SHARE * (until - started) if network and not forced else float("inf")
        found = contest.run(name, None, until=most)
    except MissingExtra as error:
        return Attempt(name, kind.complexity, skipped=str(error))
    if found is None:
        return Attempt(name, kind.complexity, skipped="no time was left for all validation parts")
    config, scores = found
    seconds = time.perf_counter() - started
    return Attempt(name, kind.complexity, config, _losses(contest, scores), scores, seconds, trials=1)


def _cells(contest: Contest) -> int:
    largest = max((fold.train.rows for fold in contest.folds), key=len)
    return len(largest) * max(1, largest.numbers.shape[1] + largest.categories.shape[1])


def _losses(contest: Contest, scores: Values) -> Values:
    return recalibrated_losses(scores, contest.labels)


def recalibrated_losses(scores: Values, labels: Values) -> Values:
    """(n,) log losses after Platt's map on the same rows: two parameters, the same favour for every model. What is
    compared is what calibration leaves, because that is what serves."""
    p = platt(scores, labels)(scores)
    found: Values = -(labels * np.log(p) + (1 - labels) * np.log1p(-p))
    return found


def _simplest(
    tried: Sequence[Attempt], every: Sequence[Attempt], folds: Sequence[Fold]
) -> tuple[str, str, dict[str, Any]]:
    best = min(tried, key=lambda a: a.loss)
    within = []
    for attempt in tried:
        gaps = attempt.losses - best.losses
        if gaps.mean() <= gaps.std(ddof=1) / np.sqrt(len(gaps)):
            within.append(attempt)
    chosen = min(within, key=lambda a: (a.complexity, a.loss))
    rows, events = (sum(f(fold.later.labels) for fold in folds) for f in (len, np.sum))
    where = f"on {rows:,} validation rows with {int(events):,} events"
    told: dict[str, Any] = {
        "code": "least", "model": chosen.name, "loss": chosen.loss, "rows": int(rows), "events": int(events),
    }  # fmt: skip
    if chosen.name == best.name:
        others = [a for a in tried if a.name != best.name]
        text = f"{chosen.name} has the least log loss ({chosen.loss:.4g}) {where}"
        if others:
            second = min(others, key=lambda a: a.loss)
            text += f", {second.name} follows with {second.loss:.4g}"
            told |= {"code": "least_of", "other": second.name, "other_loss": second.loss}
    else:
        gaps = chosen.losses - best.losses
        error = gaps.std(ddof=1) / np.sqrt(len(gaps))
        text = (
            f"{chosen.name} is the simplest predictor that {where} is within one standard error of the best: its log "
            f"loss {chosen.loss:.4g} is {gaps.mean():.2g} ± {error:.2g} above that of {best.name}"
        )
        told |= {"code": "simplest", "other": best.name, "gap": float(gaps.mean()), "error": float(error)}
    skipped = [a for a in every if a.skipped]
    if skipped:
        told["skipped"] = [a.name for a in skipped]
        text += "; not tried: " + ", ".join(f"{a.name} ({a.skipped.rstrip('.')})" for a in skipped)
    return chosen.name, text + ".", told
