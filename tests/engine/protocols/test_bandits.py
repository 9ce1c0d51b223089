"""The protocol ``bandits`` in small, and its parts against known truth."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from storewise.core.errors import ConfigError
from storewise.core.progress import Silent
from storewise.engine.protocols.bandit_worlds import coverage, regret
from storewise.engine.protocols.bandits import CHOSEN, RANDOM, Bandits
from storewise.engine.protocols.inputs import Inputs
from storewise.explore.epsilon_greedy import EpsilonGreedy, EpsilonGreedyConfig
from storewise.explore.evaluate.log import BanditLog, Target
from storewise.explore.evaluate.value import evidence, terms_of


@pytest.fixture(scope="module")
def report():
    small = Bandits(rounds=4_000, worlds=3, decisions=200, logs=60, resamples=200)
    return small.run(Inputs(), models=None, budget_s=1.0, seed=3, progress=Silent())


def by_model(rows):
    return {row["model"]: row["metrics"] for row in rows}


def test_policies_that_learn_lose_less(report):
    for rows, chosen in ((report["rows"], CHOSEN), (report["others"][0]["rows"], "explore.thompson_beta.v1")):
        found = by_model(rows)
        assert rows[0]["model"] == chosen
        assert sum(row["selected"] for row in rows) == 1
        assert found[chosen]["regret"]["high"] < 0.4 * found[RANDOM]["regret"]["value"]
        assert found[RANDOM]["exponent"]["value"] == pytest.approx(1.0, abs=0.05)
        assert found[chosen]["exponent"]["value"] < 0.7


def test_the_report_can_be_written(report):
    assert orjson.loads(orjson.dumps(report))["question"] == "regret"


def test_sections_of_estimators(report):
    names = [part["question"] for part in report["others"]]
    assert names == [
        "regret without contexts", "estimators", "estimators with a wrong reward model", "slate estimators"
    ]  # fmt: skip
    found = by_model(report["others"][1]["rows"])
    assert set(found) == {"ips", "snips", "clipped ips", "dm", "dr", "sndr", "switch-dr", "dr-os"}
    assert found["dr"]["coverage"]["high"] > 0.93
    assert found["ips"]["bias in errors"]["value"] < 3.5
    assert all(row["bernstein coverage"]["value"] >= row["coverage"]["value"] for row in found.values())


def test_rows_are_fixed():
    with pytest.raises(ConfigError, match="fixed rows"):
        Bandits().run(Inputs(), models=["ips"], budget_s=1, seed=0, progress=Silent())


def test_regret_of_a_uniform_policy_in_closed_form():
    world = regret.World(np.array([0.1, 0.5, 0.3]))
    policy = EpsilonGreedy(EpsilonGreedyConfig(epsilon=1.0))
    curve = regret.regret(policy, world, 20_000, np.random.default_rng(0))
    assert curve[-1] / 20_000 == pytest.approx(0.2, abs=0.004)


def test_truth_of_the_worlds_by_simulation():
    rng = np.random.default_rng(0)
    world = coverage.BanditWorld(1)
    kinds = rng.choice(len(world.chance), 200_000, p=world.chance)
    per_kind = (world.target * world.means).sum(axis=1)
    assert per_kind[kinds].mean() == pytest.approx(world.truth, abs=0.002)
    slates = coverage.SlateWorld(1)
    rows = rng.choice(len(slates.slates), 100_000, p=slates._chances[1])
    assert slates._clicks(rows, rng).sum(axis=1).mean() == pytest.approx(slates.truth, abs=0.006)


def test_tuned_estimators_keep_the_width_of_what_they_started_from():
    world = coverage.BanditWorld(1)
    log, target = world.log(800, np.random.default_rng(0))
    assert isinstance(log, BanditLog)
    assert isinstance(target, Target)
    e = evidence(log, target, model="ridge")
    tuned, limit = terms_of(e, "dr-os")
    whole, _ = terms_of(e, "dr")
    assert limit is not None
    assert tuned.standard_error() == pytest.approx(whole.standard_error(), rel=0.1)


def test_a_straight_line_has_exponent_one():
    steps = regret.BATCH * np.arange(1, 501, dtype=float)
    found = regret.exponent(np.stack([steps, 2 * steps]), seed=0)
    assert (found.low, found.value, found.high) == pytest.approx((1.0, 1.0, 1.0))
