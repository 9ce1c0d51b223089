"""A shop's own log judges other lists: a simulated shop whose clicks are known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError
from storewise.data.stores import Store
from storewise.engine import off_policy
from storewise.engine.shown import read_shown
from storewise.explore.base import Context
from storewise.explore.slate_thompson import SlateThompson, SlateThompsonConfig
from storewise.explore.tail import explore_tail
from storewise.testing import small_shop

PRODUCTS = [f"p{i:02d}" for i in range(10, 18)]
CHANCES = np.array([0.4, 0.3, 0.2, 0.1, 0.15, 0.5, 0.05, 0.25])
AT = small_shop.END + timedelta(hours=1)
N, K = 1_500, 3


def fill(store: Store, *, places: int = 1, n: int = N, drop: str | None = None, seed: int = 0) -> None:
    """Lists whose last ``places`` explore, and clicks by each product's chance; every shopper twice."""
    rng = np.random.default_rng(seed)
    policy = SlateThompson(SlateThompsonConfig(epsilon=0.5))
    values = np.linspace(0.3, 0.1, len(PRODUCTS))
    decisions, events = [], []
    for number in range(n):
        tail = explore_tail(
            policy,
            np.arange(len(PRODUCTS)),
            values=values,
            deviations=values / 2,
            n=K,
            places=places,
            rng=rng,
        )
        at, session = AT + timedelta(minutes=number), f"s{number // 2}"
        items = [
            {"product_id": PRODUCTS[i], "position": place, "score": 1.0, "propensity": float(p)}
            for place, (i, p) in enumerate(zip(tail.items, tail.propensities, strict=True))
        ]
        if drop is not None:
            items[-1][drop] = None
        decisions.append(
            {
                "decision_id": f"d{number}",
                "at": at,
                "session_id": session,
                "slot": "home",
                "step": "full",
                "items": items,
            }
        )
        events += [
            {
                "event_id": f"o{number}-{i}", "at": at + timedelta(seconds=20), "customer_id": None,
                "session_id": session, "product_id": PRODUCTS[i], "kind": "click",
            }
            for i in tail.items
            if rng.random() < CHANCES[i]
        ]  # fmt: skip
    store.log_decisions(decisions)
    store.append_events(events)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("shop")
    with small_shop.open_store(found) as store:
        fill(store)
    return found


def always(*products: int) -> off_policy.Lists:
    return lambda decision, n: [PRODUCTS[i] for i in products][:n]


def values(report):
    return {row["model"]: row["metrics"]["value"] for row in report["rows"]}


def test_a_better_last_place_is_found_out(folder):
    with Store.open(folder) as store:
        shown = read_shown(store, slot="home")
        report = off_policy.evaluate(shown, always(0, 1, 5), seed=1)
        worse = off_policy.evaluate(shown, always(0, 1, 6), seed=1)
    truth, found = CHANCES[[0, 1, 5]].sum(), values(report)
    assert len(shown) == N
    assert report["shoppers"] == N // 2
    assert report["explored"] == pytest.approx(1 / 3)
    assert report["unsupported"] == 0
    for name in (
        "independent ips",
        "independent snips",
        "slate ips",
        "slate snips",
        "cascade ips",
        "rips",
        "pseudoinverse",
    ):
        half = (found[name]["high"] - found[name]["low"]) / 2
        assert abs(found[name]["value"] - truth) < 2 * half, name
    assert found["independent snips"]["low"] > found["as shown"]["high"]
    assert values(worse)["independent snips"]["high"] < found["independent snips"]["low"]
    assert report["rows"][0]["selected"]


def test_what_was_never_tried_is_said(folder):
    with Store.open(folder) as store:
        report = off_policy.evaluate(read_shown(store, slot="home"), always(7, 1, 5))
    assert report["unsupported"] == pytest.approx(1 / 3)
    assert "never tried" in report["reason"]


def test_several_explored_places_leave_the_estimators_that_need_no_more(tmp_path):
    with small_shop.open_store(tmp_path) as store:
        fill(store, places=2, n=400)
        report = off_policy.evaluate(read_shown(store, slot="home"), always(0, 1, 5))
    assert set(values(report)) == {"as shown", "independent ips", "independent snips", "pseudoinverse"}


def test_lists_of_a_file_for_all_and_for_some(folder, tmp_path):
    table = pl.DataFrame(
        {
            "customer_id": ["", "", "c9", "c9"],
            "product_id": ["p11", "p10", "p12", "p13"],
            "position": [1, 0, 0, 1],
        }
    )
    table.write_csv(tmp_path / "lists.csv")
    lists = off_policy.lists_of_file(tmp_path / "lists.csv")
    assert lists({"customer_id": None}, 5) == ["p10", "p11"]
    assert lists({"customer_id": "c9"}, 1) == ["p12"]
    table.drop("position").write_csv(tmp_path / "wrong.csv")
    with pytest.raises(DataError, match="no column 'position'; it has customer_id, product_id"):
        off_policy.lists_of_file(tmp_path / "wrong.csv")


def test_a_snapshot_is_a_candidate(shop):
    with Store.open(shop) as store:
        fill(store, n=40)
        from storewise.engine.published import read_pointer

        lists = off_policy.lists_of_snapshot(store, read_pointer(store.folder).serving)
        shown = read_shown(store, slot="home")
        wanted = lists(shown.decisions[0], 3)
        report = off_policy.evaluate(shown, lists)
    assert len(wanted) == len(set(wanted)) == 3
    assert report["decisions"] == 40


def test_a_policy_learns_from_the_log(folder):
    with Store.open(folder) as store:
        shown = read_shown(store, slot="home")
    policy = SlateThompson()
    policy.update(shown.logged({name: arm for arm, name in enumerate(PRODUCTS)}))
    context = Context.of(np.arange(8), values=np.full(8, 0.2), deviations=np.full(8, 0.1))
    assert int(policy.scores(context).argmax()) == 5
    assert policy.scores(context)[0] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("reward", ["cart", "purchase"])
def test_other_rewards_are_other_events(folder, reward):
    with Store.open(folder) as store:
        assert read_shown(store, slot="home", reward=reward).rewards.sum() == 0


def test_a_click_counts_once_and_in_time(folder):
    with Store.open(folder) as store:
        clicks = store.events(since=AT).height
        assert read_shown(store, slot="home").rewards.sum() == clicks
        assert read_shown(store, slot="home", hours=1e-4).rewards.sum() == 0


def test_logs_that_cannot_be_used(folder, tmp_path):
    with Store.open(folder) as store:
        with pytest.raises(DataError, match="no decision for the slot 'cart'"):
            read_shown(store, slot="cart")
        with pytest.raises(ConfigError, match="'view' is no reward"):
            read_shown(store, slot="home", reward="view")
    with small_shop.open_store(tmp_path) as store:
        fill(store, n=3, drop="propensity")
        with pytest.raises(DataError, match="the propensity is missing"):
            read_shown(store, slot="home")


def test_the_command(folder, tmp_path):
    from typer.testing import CliRunner

    from storewise.cli.app import app

    pl.DataFrame({"product_id": ["p10", "p11", "p15"], "position": [0, 1, 2]}).write_csv(
        tmp_path / "lists.csv"
    )
    done = CliRunner().invoke(
        app, ["off-policy", "--shop", str(folder), "--policy", str(tmp_path / "lists.csv")]
    )
    assert done.exit_code == 0, done.output
    assert "independent snips" in done.output
    assert "1,500 decisions" in done.output
    told = CliRunner().invoke(
        app, ["off-policy", "--shop", str(folder), "--policy", str(tmp_path / "lists.csv"), "--json"]
    )
    assert orjson.loads(told.output)["places"] == K
    neither = CliRunner().invoke(app, ["off-policy", "--shop", str(folder)])
    assert isinstance(neither.exception, ConfigError)
