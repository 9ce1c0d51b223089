"""Variants in the shop: the file, the assignment of a request, the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from storewise.core.errors import ConfigError
from storewise.engine.experiment.config import Experiment
from storewise.engine.experiment.variants import effective, unit_of
from storewise.engine.pipeline import read_pipeline
from storewise.engine.published import point_to
from storewise.engine.recommend import Ask
from storewise.engine.registry import registry
from storewise.engine.serving.answer import payload
from storewise.testing import small_shop

FILE = """
name = "home"
[retriever]
use = "retrieve.popular.v1"
[experiment]
name = "rest"
planned = 1000
[experiment.variants.control]
share = 0.5
[experiment.variants.hide]
share = 0.5
change.policy.repeats = "hide"
"""
EXPERIMENT = Experiment(
    name="rest",
    variants={"control": {"share": 0.5}, "hide": {"share": 0.5, "change": {"policy": {"repeats": "hide"}}}},  # type: ignore[arg-type]
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment") / "shop"
    with small_shop.open_store(folder) as store:
        manifest = small_shop.train_on(
            store, small_shop.PIPELINE.model_copy(update={"experiment": EXPERIMENT})
        )
        point_to(folder, manifest.id)
    return folder


def test_the_file_says_what_each_variant_changes(tmp_path: Path) -> None:
    (tmp_path / "home.toml").write_text(FILE)
    pipeline = read_pipeline(tmp_path / "home.toml", registry())
    found = effective(pipeline)
    assert list(found) == ["control", "hide"]
    assert found["control"].policy == pipeline.policy
    assert found["hide"].policy.repeats == "hide"
    assert found["hide"].policy.rest_days == pipeline.policy.rest_days


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('repeats = "hide"', 'repeats = "never"', "change.policy"),
        ("change.policy.repeats", "change.policy.repeat", "did you mean 'repeats'"),
        ("change.policy.repeats", "change.polices.repeats", "a variant cannot change that"),
        ("change.policy.repeats", "change.selection.minutes", "a variant cannot change that"),
        ("change.policy.repeats", "change.name.repeats", "a variant cannot change that"),
        ("variants.control", "variants.plain", "control 'control' is none of the variants"),
        ("share = 0.5\nchange", "share = 0.6\nchange", "together 1.1"),
        ("share = 0.5\nchange", "share = 0\nchange", "share"),
        ('name = "rest"', 'name = "a b"', "name"),
        ("planned = 1000", "plannd = 1000", "did you mean 'planned'"),
        ('[experiment.variants.hide]\nshare = 0.5\nchange.policy.repeats = "hide"', "", "two variants"),
    ],
)
def test_wrong_files(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in FILE
    (tmp_path / "home.toml").write_text(FILE.replace(old, new))
    with pytest.raises(ConfigError, match=says):
        read_pipeline(tmp_path / "home.toml", registry())


def test_a_pipeline_without_an_experiment_is_as_before(service: small_shop.Service) -> None:
    answer = service.preview(Ask("somebody"))
    assert answer.variant is None
    assert "experiment" not in payload(answer)


def test_each_shopper_keeps_a_variant_and_it_acts(running: Path) -> None:
    service = small_shop.open_service(running)
    service.load_once()
    try:
        split, seen = EXPERIMENT.assignment(), set()
        for customer in service.current().customer_index:
            answer = service.preview(Ask(customer, n=40))
            if customer in service.current().private:
                assert answer.variant is None
                continue
            assert answer.variant == split(f"c:{customer}") == service.preview(Ask(customer)).variant
            seen.add(answer.variant)
            snapshot = service.current()
            rows = snapshot.history(snapshot.customer_index[customer])
            bought = set(snapshot.histories.products[rows].tolist())
            shown = {item.product for item in answer.items}
            if answer.variant == "hide":
                assert not bought & shown
            assert payload(answer)["experiment"] == {"name": "rest", "variant": answer.variant}
        assert seen == {"control", "hide"}
        assert service.preview(Ask()).variant is None
        assert service.preview(Ask("somebody", personal=False)).variant is None
        assert service.preview(Ask(session="s1")).variant == split("s:s1")
    finally:
        service.close()


def test_the_log_holds_experiment_and_variant(running: Path) -> None:
    service = small_shop.open_service(running)
    service.start()
    try:
        told = service.recommend(Ask(session="s9"))
        nobody = service.recommend(Ask())
    finally:
        service.close()
    from storewise.data.stores import Store

    with Store.open(running) as store:
        rows = {row["decision_id"]: row for row in store.decisions().iter_rows(named=True)}
    assert rows[told.decision_id]["experiment"] == "rest"
    assert rows[told.decision_id]["variant"] == told.variant
    assert rows[nobody.decision_id]["experiment"] is None


def test_a_customer_is_the_customer_in_every_session() -> None:
    assert unit_of("a", "x") == unit_of("a", "y") == "c:a"
    assert unit_of(None, "x") == "s:x"
    assert unit_of(None, None) is None


def test_http_and_command_line_tell_the_same(running: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from fastapi.testclient import TestClient

    from storewise.cli import main
    from storewise.serve.app import create_app

    service = small_shop.open_service(running)
    with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        found = client.get("/v1/experiments").json()
    capsys.readouterr()
    assert [one["name"] for one in found["experiments"]] == ["rest"]
    assert found["experiments"][0]["metrics"][0]["metric"] == "click_through"
    with pytest.raises(SystemExit):
        main(["experiment", "--shop", str(running), "--json"])
    assert json.loads(capsys.readouterr().out)["experiments"][0]["name"] == "rest"
    with pytest.raises(SystemExit):
        main(["experiment", "--shop", str(running)])
    assert "no decision yet" in capsys.readouterr().out


def test_command_line_without_an_experiment_and_for_planning(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from storewise.cli import main

    with pytest.raises(SystemExit):
        main(["experiment", "--shop", str(shop)])
    assert "No experiment runs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["experiment", "--baseline", "0.1", "--change", "0.2"])
    assert "3,841 shoppers" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["experiment", "--baseline", "0.1"])
    assert stopped.value.code == 2


def test_ranking_can_be_switched_off_and_nothing_else_of_it_changed(tmp_path: Path) -> None:
    off = FILE.replace('change.policy.repeats = "hide"', 'change.rank.use = "never"')
    (tmp_path / "home.toml").write_text(off)
    assert effective(read_pipeline(tmp_path / "home.toml", registry()))["hide"].rank.use == "never"
    (tmp_path / "home.toml").write_text(off.replace('rank.use = "never"', "rank.moments = 3"))
    with pytest.raises(ConfigError, match=r'change\.rank\.use = "never"'):
        read_pipeline(tmp_path / "home.toml", registry())
