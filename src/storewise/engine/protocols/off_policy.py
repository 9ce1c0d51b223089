"""``off-policy``: the value of one policy from the log of another, by every estimator, with intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storewise.core.errors import UnknownName
from storewise.core.progress import Progress, step
from storewise.data.sources.bandit_log import ActionRows, parse_columns, read_log, read_policy
from storewise.engine.protocols.decision_policy import by_keys, keys_of, wide_table
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.target_policy import Codes, drawn_as_published, target_table
from storewise.explore.evaluate.choose import choose_model
from storewise.explore.evaluate.estimators import ESTIMATORS, Evidence
from storewise.explore.evaluate.log import BanditLog, Target
from storewise.explore.evaluate.overlap import Overlap, overlap
from storewise.explore.evaluate.value import Estimate, estimates, evidence
from storewise.metrics import intervals

CHOSEN = "dr"  # said beforehand: unbiased where the propensities are right, whatever the reward model
SIMPLE = "ips"


class OffPolicy:
    """``--log``: action, reward, propensity [position, contexts]; ``--policy``: its probabilities, its Beta
    posteriors, or a log of it; ``--test``: a log of the policy itself, whose mean reward stands beside."""

    name = "off-policy"
    about = (
        "the value of a policy that did not make the log, by its weights and by a cross-fitted reward model"
    )
    reads = ("log", "policy", "test", "columns")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`.

        Raises:
            ConfigError: without --log or --policy, or for a column that does not exist.
            DataError: when a file cannot be read, or holds propensities that cannot be.
            UnknownName: for an estimator that does not exist.
        """
        names = _names(models)
        columns = parse_columns(inputs.columns)
        rows = read_log(inputs.path("log"), columns)
        policy, codes, log, target = _target(inputs, rows, columns)
        with step(progress, "reward model"):
            model = choose_model(log, target, seed=seed)
            found = evidence(log, target, model=model.kind, strength=model.strength, seed=seed)
        diagnosed = overlap(log, target)
        with step(progress, f"{len(names)} estimators"):
            body = _rows(found, names, diagnosed, seed)
        others = [_overlap_section(diagnosed)]
        truth = read_log(inputs.path("test"), columns) if inputs.test is not None else None
        if truth is None and policy is not None and "reward" in policy.numbers:
            truth = policy
        if truth is not None:
            others.append(_truth_section(truth, seed))
        if policy is not None and "a" in policy.numbers:
            others.append(_published_section(log, policy, codes, names, seed))
        return {
            "data": _described(log, rows, policy, codes),
            "about": self.about,
            "question": "the policy's value",
            "reason": f"{CHOSEN} was named beforehand: it is unbiased when the propensities are right, whatever "
            f"the reward model. {model.reason} {' '.join(diagnosed.warnings)}".strip(),
            "rows": body,
            "others": others,
        }


def _target(
    inputs: Inputs, rows: ActionRows, columns: Mapping[str, str]
) -> tuple[ActionRows | None, Codes, BanditLog, Target]:
    """The policy's rows (None: one row a decision), codes, the log in them, and what the policy would do."""
    path = inputs.path("policy")
    if (wide := wide_table(path, rows)) is not None:
        names, chances = wide
        codes = Codes.of_names(rows, names)
        log = codes.log(rows)
        table = np.zeros((len(log), codes.n_actions))
        table[:, [codes.actions[name] for name in names]] = chances
        return None, codes, log, Target.by_row(table, log)
    policy = read_policy(path, columns)
    codes = Codes.of(rows, policy)
    log = codes.log(rows)
    if "probability" in policy.numbers and (keys := keys_of(path, inputs.path("log"), columns)):
        return policy, codes, log, by_keys(path, inputs.path("log"), keys, columns, codes, log)
    return policy, codes, log, Target.by_place(target_table(policy, codes), log)


def _names(models: Sequence[str] | None) -> list[str]:
    names = list(ESTIMATORS) if models is None else [name.strip().lower() for name in models]
    for name in names:
        if name not in ESTIMATORS:
            raise UnknownName(
                f"There is no estimator {name!r}.", next_step=f"Known: {', '.join(ESTIMATORS)}."
            )
    return list(dict.fromkeys([CHOSEN, SIMPLE, *names]))


def _rows(e: Evidence, names: Sequence[str], diagnosed: Overlap, seed: int) -> list[dict[str, Any]]:
    started = time.perf_counter()
    found = estimates(e, names=names, seed=seed)
    seconds = round((time.perf_counter() - started) / len(found), 3)
    order = {name: place for place, name in enumerate(ESTIMATORS)}
    found.sort(key=lambda one: (one.name != CHOSEN, order[one.name]))
    return [_row(one, diagnosed, seconds) for one in found]


def _row(one: Estimate, diagnosed: Overlap, seconds: float) -> dict[str, Any]:
    return {
        "model": one.name,
        "selected": one.name == CHOSEN,
        "simple": one.name == SIMPLE,
        "seconds": seconds,
        "metrics": {
            "value": one.bootstrap.as_dict(),
            "bernstein": one.bernstein.as_dict(),
            "effective": _point(diagnosed.effective),
        },
        "lambda": None if one.limit is None or np.isinf(one.limit) else one.limit,
    }


def _point(value: float) -> dict[str, float]:
    return {"value": value, "low": value, "high": value}


def _overlap_section(found: Overlap) -> dict[str, Any]:
    metrics = {
        "effective": _point(found.effective),
        "share": _point(found.share),
        "largest weight": _point(found.largest),
        "mean weight": _point(found.mean),
        "unsupported": _point(found.unsupported),
    }
    row = {"model": "overlap", "selected": True, "simple": False, "seconds": 0.0, "metrics": metrics}
    reason = " ".join(found.warnings) or "Nothing speaks against the log: the policies overlap."
    return {"question": "overlap", "reason": reason, "rows": [row]}


def _truth_section(truth: ActionRows, seed: int) -> dict[str, Any]:
    rewards = truth.numbers["reward"]
    metrics = {"value": intervals.mean(rewards[:, None], seed=seed)[0].as_dict()}
    row = {"model": "on-policy", "selected": True, "simple": False, "seconds": 0.0, "metrics": metrics}
    reason = f"The mean reward of {len(rewards):,} decisions of the policy itself ({truth.path.name})."
    return {"question": "on-policy", "reason": reason, "rows": [row]}


def _published_section(
    log: BanditLog, policy: ActionRows, codes: Codes, names: Sequence[str], seed: int
) -> dict[str, Any]:
    target = Target.by_place(drawn_as_published(policy, codes), log)
    found = evidence(log, target, seed=seed)
    return {
        "question": "probabilities by draws",
        "reason": "The same policy, its probabilities not integrated but counted in 100,000 posterior draws (seed "
        "12345 of the Mersenne Twister), as published figures of this kind were made.",
        "rows": _rows(found, names, overlap(log, target), seed),
    }


def _described(log: BanditLog, rows: ActionRows, policy: ActionRows | None, codes: Codes) -> str:
    contexts = f", {len(rows.context_names)} context columns" if rows.context_names else ""
    form = "its probabilities"
    if policy is not None and "probability" not in policy.numbers:
        form = "its Beta posteriors" if "a" in policy.numbers else "its own log"
    return (
        f"{len(log):,} decisions, {codes.n_actions} actions at {codes.n_places} "
        f"place{'s' * (codes.n_places > 1)}{contexts}; reward {log.rewards.mean():.5f} under the logging policy; "
        f"the policy by {form}"
    )
