"""Exploring learns: the log of explored places makes a state that the next snapshot serves with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from storewise.core.progress import Silent
from storewise.data.stores import Store
from storewise.engine import explored
from storewise.engine.pipeline import Pipeline
from storewise.engine.published import point_to, write_snapshot
from storewise.engine.recommend import Ask
from storewise.engine.recommend.answer import Item
from storewise.engine.recommend.personal import PENDING
from storewise.engine.registry import registry
from storewise.engine.serving.arms import NAMES
from storewise.engine.serving.explorer import Explorer, Features
from storewise.engine.serving.relearn import Relearn
from storewise.engine.serving.service import Service, load_manifest
from storewise.engine.stages import ExploreConfig
from storewise.testing import small_shop

AT = small_shop.END + timedelta(hours=1)
HEAD, WRONG, BETTER = ("p10", "p11"), "p12", "p13"
INDEX = {f"p{i:02d}": i for i in range(10, 20)}
# The ranker believes in the one and not in the other; shoppers see it the other way round.
TOLD = {"p10": 0.4, "p11": 0.3, WRONG: 0.15, BETTER: 0.03}
TRUE = {"p10": 0.4, "p11": 0.3, WRONG: 0.03, BETTER: 0.3}
SECTION = ExploreConfig(use="explore.slate_thompson.v1", places=1)
POLICIES = sorted(name for name in registry() if name.startswith("explore."))


def pipeline(section: ExploreConfig = SECTION) -> Pipeline:
    rank = small_shop.PIPELINE.rank.model_copy(update={"use": "never"})
    return small_shop.PIPELINE.model_copy(update={"explore": section, "rank": rank})


def items(told: dict[str, float] = TOLD) -> list[Item]:
    return [Item(INDEX[name], p, "ranker", PENDING, p_purchase=p) for name, p in told.items()]


def serve(store: Store, explorer: Explorer, n: int = 700, *, seed: int = 0) -> None:
    """Log n lists of three, and clicks by the true rates."""
    rng, names = np.random.default_rng(seed), {arm: name for name, arm in INDEX.items()}
    decisions, events = [], []
    for number in range(n):
        at, session = AT + timedelta(minutes=5 * number), f"s{number}"
        made = explorer(items(), 3, rng)
        places = [
            {
                "product_id": names[item.product],
                "position": place,
                "p_purchase": item.p_purchase,
                "propensity": item.propensity,
                **({"features": item.features} if item.features else {}),
            }
            for place, item in enumerate(made)
        ]
        decisions.append({"decision_id": f"d{number}", "at": at, "session_id": session, "slot": "home",
                          "step": "full", "items": places})  # fmt: skip
        events += [
            {"event_id": f"o{number}-{item.product}", "at": at + timedelta(seconds=9), "customer_id": None,
             "session_id": session, "product_id": names[item.product], "kind": "click"}
            for item in made if rng.random() < TRUE[names[item.product]]
        ]  # fmt: skip
    store.log_decisions(decisions)
    store.append_events(events)


def learned(store: Store, section: ExploreConfig = SECTION) -> Explorer:
    made = explored.learn(store, pipeline(section), registry(), INDEX, {}, until=None, progress=Silent())
    found = Explorer.of(pipeline(section), registry(), made[explored.ROLE])
    assert found is not None
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("explored")
    with small_shop.open_store(found) as store:
        fresh = Explorer.of(pipeline(), registry())
        assert fresh is not None
        serve(store, fresh)
    return found


def share(explorer: Explorer, n: int = 1_000) -> float:
    rng = np.random.default_rng(5)
    return float(np.mean([explorer(items(), 3, rng)[2].product == INDEX[BETTER] for _ in range(n)]))


def test_what_the_ranker_has_wrong_is_found_out(folder: Path) -> None:
    fresh = Explorer.of(pipeline(), registry())
    assert fresh is not None
    with Store.open(folder) as store:
        taught = learned(store)
    assert share(fresh) < 0.2
    assert share(taught) > 0.9


def test_propensities_after_learning_are_how_often_it_happens(folder: Path) -> None:
    with Store.open(folder) as store:
        taught = replace(learned(store), places=2)
    told = TOLD | {"p14": 0.05, "p15": 0.04}
    rng, n = np.random.default_rng(3), 4_000
    counts: dict[tuple[int, int], int] = {}
    logged: dict[tuple[int, int], float] = {}
    for _ in range(n):
        for place, item in enumerate(taught(items(told), 4, rng)):
            key = (place, item.product)
            counts[key] = counts.get(key, 0) + 1
            assert logged.setdefault(key, item.propensity) == item.propensity
    for place in range(4):
        assert sum(p for (at, _), p in logged.items() if at == place) == pytest.approx(1.0, abs=0.01)
    for key, p in logged.items():
        assert abs(counts[key] / n - p) <= 5 * np.sqrt(p * (1 - p) / n), key


def test_the_posterior_is_the_items_own_looks_and_the_rankers_chance(folder: Path) -> None:
    from storewise.explore.base import Context

    with Store.open(folder) as store:
        taught, log = learned(store), explored.read_places(store, SECTION)
    there = np.array(log.shown.products)[:, 0]
    arms, strength = [INDEX[WRONG], INDEX[BETTER], 19], 20.0
    q = taught.values(np.array([TOLD[WRONG], TOLD[BETTER], np.nan]))
    a, b = taught.policy.posterior(
        Context.of(arms, values=q, deviations=np.sqrt(q * (1 - q) / (strength + 1)))
    )
    looks = np.array([(there == WRONG).sum(), (there == BETTER).sum(), 0])
    gained = np.array([log.shown.rewards[there == name].sum() for name in (WRONG, BETTER, "")])
    assert gained[:2].min() > 3
    np.testing.assert_allclose(a, strength * q + gained)
    np.testing.assert_allclose(b, strength * (1 - q) + looks - gained)
    # The head's places never explored: they teach nothing of a place further down.
    assert set(there) == {WRONG, BETTER}
    assert q[0] == pytest.approx(TOLD[WRONG] * taught.scale)
    assert taught.scale < 1


def test_outcomes_that_are_not_known_yet_wait(folder: Path) -> None:
    with Store.open(folder) as store:
        found = explored.read_places(store, SECTION, until=AT + timedelta(hours=30))
        short = explored.read_places(store, SECTION.model_copy(update={"days": 1.5}))
    assert len(found.shown) == 6 * 12 + 1
    assert found.young == 24 * 12 - 1
    assert len(short.shown) == 12 * 12


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_learns_and_serves_what_it_learned(folder: Path, name: str) -> None:
    section = ExploreConfig(use=name, places=1)
    with Store.open(folder) as store:
        one, two = learned(store, section), learned(store, section)
    lists = [[i.product for i in each(items(), 3, np.random.default_rng(1))] for each in (one, two)]
    assert lists[0] == lists[1]
    state = one.policy.state()
    assert any(np.any(np.asarray(part)) for part in state.values())


def test_every_policy_was_tried() -> None:
    assert len(POLICIES) == 11


LIKED = NAMES.index("category_share")


def by_taste(shopper: str) -> Features:
    """A shopper of ``WRONG``'s kind, or of ``BETTER``'s."""

    def features(products: np.ndarray, values: np.ndarray) -> np.ndarray:
        found = np.zeros((len(products), len(NAMES)))
        found[:, LIKED] = products == INDEX[shopper]
        return found

    return features


@pytest.mark.parametrize("name", ["explore.linucb.v1", "explore.linear_thompson.v1"])
def test_a_contextual_policy_learns_what_is_liked_by_whom(tmp_path: Path, name: str) -> None:
    section = ExploreConfig(use=name, places=1, config={"shared": True, "epsilon": 0.2})
    fresh = Explorer.of(pipeline(section), registry())
    assert fresh is not None
    rng, decisions, events = np.random.default_rng(4), [], []
    names = {arm: name for name, arm in INDEX.items()}
    for number in range(400):
        at, session, taste = AT + timedelta(minutes=5 * number), f"s{number}", (WRONG, BETTER)[number % 2]
        last = fresh(items(), 3, rng, by_taste(taste))[2]
        row = {"product_id": names[last.product], "position": 0, "propensity": last.propensity,
               "features": last.features}  # fmt: skip
        decisions.append({"decision_id": f"d{number}", "at": at, "session_id": session, "slot": "home",
                          "step": "full", "items": [row]})  # fmt: skip
        if rng.random() < (0.4 if names[last.product] == taste else 0.02):
            events.append({"event_id": f"o{number}", "at": at + timedelta(seconds=9), "customer_id": None,
                           "session_id": session, "product_id": names[last.product], "kind": "click"})  # fmt: skip
    with small_shop.open_store(tmp_path) as store:
        store.log_decisions(decisions)
        store.append_events(events)
        taught = learned(store, section)
    for taste in (WRONG, BETTER):
        shown = [names[taught(items(), 3, rng, by_taste(taste))[2].product] for _ in range(200)]
        assert shown.count(taste) > 160, taste  # a tenth of a fifth goes astray by epsilon


def test_decisions_without_features_teach_contextual_policies_nothing(tmp_path: Path) -> None:
    rows = [{"product_id": "p12", "position": 0, "propensity": 0.5}]
    seen = [{**rows[0], "features": [0.5] * len(NAMES)}]
    other = [{**rows[0], "features": [0.5] * (len(NAMES) + 1)}]  # of a version with other features
    section = ExploreConfig(use="explore.linucb.v1", places=1)
    with small_shop.open_store(tmp_path) as store:
        store.log_decisions([
            {"decision_id": f"d{at}", "at": AT + timedelta(hours=40 * at), "session_id": "s", "slot": "home",
             "step": "full", "items": one} for at, one in enumerate((rows, seen, other, rows))
        ])  # fmt: skip
        found = explored.read_places(store, section)
    contextual, plain = (found.logged(INDEX, contextual=yes) for yes in (True, False))
    assert contextual.arms.ravel().tolist() == [-1, INDEX["p12"], -1]
    assert plain.arms.ravel().tolist() == [INDEX["p12"]] * 3
    assert contextual.features[1, 0].tolist() == [0.5] * len(NAMES)


def test_a_state_of_other_features_is_not_restored(folder: Path) -> None:
    section = ExploreConfig(use="explore.linucb.v1", places=1)
    with Store.open(folder) as store:
        made = explored.learn(store, pipeline(section), registry(), INDEX, {}, until=None, progress=Silent())
    found = made[explored.ROLE]
    key = explored.key_of(section)
    about = {key: {**found.facts["policies"][key], "features": ["another"]}}
    other = replace(found, facts={**found.facts, "policies": about})
    kept, fresh = (Explorer.of(pipeline(section), registry(), one) for one in (found, other))
    assert kept is not None
    assert fresh is not None
    assert kept.policy.updates > 0
    assert fresh.policy.updates == 0


def test_lists_that_did_not_explore_teach_by_their_last_places(tmp_path: Path) -> None:
    rows = [{"product_id": name, "position": at} for at, name in enumerate(("p10", "p11", "p12"))]
    with small_shop.open_store(tmp_path) as store:
        log = [{"decision_id": f"d{i}", "at": AT + timedelta(hours=30 * i), "session_id": "s", "slot": "home",
                "step": "full", "items": rows[: 3 - i]} for i in range(3)]  # fmt: skip
        store.log_decisions(log)
        found = explored.read_places(store, SECTION.model_copy(update={"places": 2}))
        gone = learned(store, SECTION.model_copy(update={"places": 2}))
    assert found.shown.products == [["p11", "p12"], ["p10", "p11"]]
    assert np.isnan(found.chances).all()
    assert gone.scale == 1.0
    assert gone.rate < explored.PRIOR_RATE  # four looks, no reward


def test_a_running_service_learns_without_touching_what_serves(service: Service) -> None:
    chosen = pipeline(SECTION.model_copy(update={"refresh_minutes": 30.0}))
    before = Explorer.of(chosen, registry())
    assert before is not None
    snapshot = replace(service.current(), pipeline=chosen, explorer=before)
    serve(service.store, before, 300)
    now = [AT + timedelta(days=3)]
    relearn = Relearn(service.store, registry(), lambda: now[0])
    broken = Relearn(None, registry(), lambda: now[0])  # type: ignore[arg-type]
    assert relearn(snapshot) is None  # it has just started
    assert broken(snapshot) is None
    now[0] += timedelta(minutes=31)
    newer = relearn(snapshot)
    assert broken(snapshot) is None  # due, tried and logged: what serves stays
    assert relearn(snapshot) is None
    assert relearn(replace(snapshot, pipeline=pipeline())) is None  # not asked for
    assert newer is not None
    assert newer.explorer is not None
    arms = np.array([snapshot.catalogue.index[WRONG]])
    assert newer.explorer.policy.looks_and_rewards(arms)[0][0] > 200
    assert snapshot.explorer is before
    assert before.policy.looks_and_rewards(arms)[0][0] == 0


def test_training_keeps_the_state_and_snapshots_without_it_load(tmp_path: Path) -> None:
    with small_shop.open_store(tmp_path) as store:
        assert explored.read_places(store, SECTION).young == 0
        fresh = Explorer.of(pipeline(), registry())
        assert fresh is not None
        serve(store, fresh, 300)
        manifest = small_shop.train_on(store, pipeline(), until=AT + timedelta(days=3))
        told = manifest.facts["explored"][explored.key_of(SECTION)]
        snapshot = load_manifest(store, manifest, registry())
        assert snapshot.explorer is not None
        assert told["decisions"] == 300
        assert snapshot.explorer.scale == told["scale"] != 1.0
        arm = snapshot.catalogue.index[WRONG]
        looks, _ = snapshot.explorer.policy.looks_and_rewards(np.array([arm]))
        assert looks[0] > 200
        without = {role: name for role, name in manifest.artifacts.items() if role != explored.ROLE}
        older = write_snapshot(store.folder, manifest.pipeline, without, manifest.facts)
        plain = load_manifest(store, older, registry())
        assert plain.explorer is not None
        assert plain.explorer.scale == 1.0
        assert plain.explorer.policy.looks_and_rewards(np.array([arm]))[0][0] == 0
        point_to(store.folder, manifest.id)
    service = small_shop.open_service(tmp_path, now=AT + timedelta(days=3))
    service.start()
    answer = service.recommend(Ask("nobody", n=6))
    service.close()
    assert len(answer.items) == 6
    assert answer.items[-1].propensity < 1
