"""A search by Optuna that may be kept in a file and gone on with after a kill.

A kept search is the same whether it was killed or not: each trial is proposed by a sampler seeded by the number of
trials done, and a trial that a kill cut off is done again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from storewise.core.rng import derive_seed

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

START_TRIALS = 8
"""Drawn at random before the estimator has enough to go by."""


class Search:
    """The tree-structured Parzen estimator (Bergstra et al. 2011) proposes, after ``starts``.

    ``storage``: None for a search in memory, a file (an append-only journal) or an Optuna URL. ``seed``: of all
    proposals; a search in memory draws them from one generator, a kept one from one a trial.

    >>> search = Search("x", direction="maximize", seed=1, starts=[{"x": 0.5}])
    >>> search.try_one(lambda trial: -abs(trial.suggest_float("x", 0.0, 1.0) - 0.5))
    >>> search.best.params, len(search.done)
    ({'x': 0.5}, 1)
    """

    def __init__(
        self,
        name: str,
        *,
        direction: Literal["minimize", "maximize"],
        seed: int,
        storage: str | Path | None = None,
        starts: Sequence[Mapping[str, Any]] = (),
        pruner: Any = None,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.seed, self.starts, self.kept = seed, tuple(starts), storage is not None
        self.study: Study = optuna.create_study(
            direction=direction, study_name=name if self.kept else None, storage=_opened(storage),
            load_if_exists=self.kept, sampler=_sampler(seed), pruner=pruner,
        )  # fmt: skip
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state == optuna.trial.TrialState.RUNNING:
                self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    @property
    def done(self) -> list[FrozenTrial]:
        """Trials that were finished or ended early, oldest first."""
        from optuna.trial import TrialState

        wanted = (TrialState.COMPLETE, TrialState.PRUNED)
        return self.study.get_trials(deepcopy=False, states=wanted)

    @property
    def finished(self) -> list[FrozenTrial]:
        """Those of them that have a value."""
        return [trial for trial in self.done if trial.value is not None and trial.state.name == "COMPLETE"]

    @property
    def best(self) -> FrozenTrial:
        """Of the finished."""
        return self.study.best_trial

    @property
    def spent_s(self) -> float:
        """Seconds of the trials that are done."""
        return sum(self._seconds())

    @property
    def longest_s(self) -> float:
        """Seconds of the longest of them."""
        return max(self._seconds(), default=0.0)

    def try_one(self, objective: Callable[[Trial], float]) -> None:
        """Propose, ask and remember; what ``objective`` raises goes through."""
        from optuna.trial import TrialState

        done = len(self.done)
        if self.kept:
            self.study.sampler = _sampler(derive_seed(self.seed, "trial", done))
        if done < len(self.starts) and not self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
            self.study.enqueue_trial(dict(self.starts[done]))
        self.study.optimize(objective, n_trials=1)

    def _seconds(self) -> list[float]:
        return [trial.duration.total_seconds() for trial in self.done if trial.duration is not None]


def _sampler(seed: int) -> Any:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed % 2**32, multivariate=True, n_startup_trials=START_TRIALS)


def _opened(storage: str | Path | None) -> Any:
    """A journal is cut behind its last whole line: a kill may have left half of one."""
    if not isinstance(storage, Path):
        return storage
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage.parent.mkdir(parents=True, exist_ok=True)
    # A search belongs to one process at a time: a lock that is there was left by a killed one.
    storage.with_name(f"{storage.name}.lock").unlink(missing_ok=True)
    if storage.is_file() and not (found := storage.read_bytes()).endswith(b"\n"):
        storage.write_bytes(found[: found.rfind(b"\n") + 1])
    return JournalStorage(JournalFileBackend(str(storage)))
