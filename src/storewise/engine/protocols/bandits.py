"""``bandits``: policies and estimators in worlds whose truth is known. Needs no data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.engine.protocols.bandit_worlds import coverage, regret
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.registry import registry
from storewise.metrics import intervals

CHOSEN, RANDOM = "explore.linear_thompson.v1", "random"
LINEAR: dict[str, tuple[str, dict[str, float]]] = {
    CHOSEN: (CHOSEN, {}),
    "explore.linucb.v1": ("explore.linucb.v1", {}),
    "linear ε-greedy": ("explore.linucb.v1", {"width": 0.0, "epsilon": 0.1}),
    RANDOM: ("explore.epsilon_greedy.v1", {"epsilon": 1.0}),
}
"""Row → component and settings, with contexts. Settings are the components' own defaults."""

PLAIN: dict[str, tuple[str, dict[str, float]]] = {
    "explore.thompson_beta.v1": ("explore.thompson_beta.v1", {}),
    "explore.thompson_gaussian.v1": ("explore.thompson_gaussian.v1", {}),
    "explore.ucb1.v1": ("explore.ucb1.v1", {}),
    "explore.epsilon_greedy.v1": ("explore.epsilon_greedy.v1", {}),
    RANDOM: ("explore.epsilon_greedy.v1", {"epsilon": 1.0}),
}
DR, IPS, RIPS, SLATE_IPS = "dr", "ips", "rips", "slate ips"
SECONDS_A_WORLD, SECONDS_A_LOG = 6.0, 0.06  # 100,000 rounds of all policies; a replication of all estimators
TUNING_SHARE = 0.6  # of the whole budget; what a study is given
ARMS, WIDTH = 10, 5


@dataclass(frozen=True)
class Bandits:
    """Regret over ``rounds`` with updates every 100 decisions, in at most ``worlds`` drawn worlds; estimators on
    ``decisions`` decisions a log, at most ``logs`` logs: as many of both as the budget allows."""

    rounds: int = 100_000
    worlds: int = 12
    decisions: int = 1_000
    logs: int = 1_000
    resamples: int = 1_000
    name = "bandits"
    about = "regret of policies, bias and coverage of estimators, in simulated worlds whose truth is known"
    reads = ()

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`.

        Raises:
            ConfigError: for --models: the rows are fixed.
        """
        if models is not None:
            raise ConfigError("bandits has fixed rows.", next_step="Leave --models out.")
        half_s = budget_s / TUNING_SHARE / 2
        worlds = int(np.clip(half_s / SECONDS_A_WORLD, min(3, self.worlds), self.worlds))
        linear = [regret.World.linear(ARMS, WIDTH, spawn(seed, "linear", w)) for w in range(worlds)]
        plain = [regret.World.without_contexts(ARMS, spawn(seed, "plain", w)) for w in range(worlds)]
        rows = self._regret(LINEAR, linear, CHOSEN, seed, progress)
        others = [
            {
                "question": "regret without contexts",
                "reason": "The row was named beforehand; the settings are the components' defaults.",
                "rows": self._regret(PLAIN, plain, "explore.thompson_beta.v1", seed, progress),
            },
            *self._estimators(half_s, seed, progress),
        ]
        return {
            "data": f"{worlds} simulated worlds of {ARMS} arms, {self.rounds:,} decisions each",
            "about": self.about,
            "question": "regret",
            "reason": "The row was named beforehand; the settings are the components' defaults. Exponent: regret "
            "grows like t to this power over the last 99 % of the rounds; √t is .5.",
            "rows": rows,
            "others": others,
        }

    def _regret(
        self,
        rows: dict[str, tuple[str, dict[str, float]]],
        worlds: list[regret.World],
        chosen: str,
        seed: int,
        progress: Progress,
    ) -> list[dict[str, Any]]:
        found = []
        for row, (name, settings) in progress.track(list(rows.items()), label="regret"):
            started = time.perf_counter()
            kind = registry().get(name)
            curves = regret.runs(
                lambda kind=kind, settings=settings: kind(kind.Config(**settings)),  # type: ignore[misc]
                worlds, self.rounds, seed=seed, name=row,
            )  # fmt: skip
            found.append(
                {
                    "model": row,
                    "selected": row == chosen,
                    "simple": row == RANDOM,
                    "seconds": round(time.perf_counter() - started, 2),
                    "metrics": _regret_figures(curves, seed),
                    "config": settings,
                    "curve": _curve(curves),
                }
            )
        return sorted(found, key=lambda one: (not one["selected"], one["metrics"]["regret"]["value"]))

    def _estimators(self, half_s: float, seed: int, progress: Progress) -> list[dict[str, Any]]:
        logs = int(np.clip(half_s / SECONDS_A_LOG, min(400, self.logs), self.logs))
        worlds: list[tuple[str, coverage.BanditWorld | coverage.SlateWorld, str, str]] = [
            ("estimators", coverage.BanditWorld(seed), DR, IPS),
            ("estimators with a wrong reward model", coverage.BanditWorld(seed, model="means"), DR, IPS),
            ("slate estimators", coverage.SlateWorld(seed), RIPS, SLATE_IPS),
        ]
        sections: list[dict[str, Any]] = []
        for question, world, chosen, simple in worlds:
            started = time.perf_counter()
            found = coverage.replicate(
                world, progress.track(range(logs), label=question), n=self.decisions, seed=seed,
                resamples=self.resamples,
            )  # fmt: skip
            seconds = round((time.perf_counter() - started) / len(found[0].values), 2)
            rows: list[dict[str, Any]] = [
                {
                    "model": name,
                    "selected": name == chosen,
                    "simple": name == simple,
                    "seconds": seconds,
                    "metrics": coverage.summary(found, world.truth, name),
                }
                for name in found[0].values
            ]
            sections.append(
                {
                    "question": question,
                    "reason": _reason(world, logs, self.decisions),
                    "rows": [row for row in rows if row["selected"]]
                    + [row for row in rows if not row["selected"]],
                }
            )
        return sections


def _regret_figures(curves: npt.NDArray[np.float64], seed: int) -> dict[str, dict[str, float]]:
    return {
        "exponent": regret.exponent(curves, seed=seed).as_dict(),
        "regret": intervals.mean(curves[:, -1:], seed=seed)[0].as_dict(),
    }


def _curve(curves: npt.NDArray[np.float64]) -> list[list[float]]:
    """Rounds and mean regret at points evenly spread in log t, for plots."""
    points = np.unique(np.geomspace(1, curves.shape[1], 25).astype(np.int64)) - 1
    return [[float((p + 1) * regret.BATCH), round(float(curves[:, p].mean()), 2)] for p in points]


def _reason(world: coverage.BanditWorld | coverage.SlateWorld, logs: int, decisions: int) -> str:
    found = f"{logs:,} logs of {decisions:,} decisions, true value {world.truth:.6f}. "
    if isinstance(world, coverage.BanditWorld):
        # The direct method is as biased as its model; a tuned estimator may trade.
        model = "can be right" if world.model == "ridge" else "cannot be right, it does not see contexts"
        return found + f"dr was named beforehand. The reward model ({world.model}) {model}."
    return (
        found
        + "Shoppers look from the top (a cascade): the independent and the pseudoinverse estimators assume otherwise."
    )
