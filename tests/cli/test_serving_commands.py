"""From a shop's folder to a list on the terminal: train, publish, recommend, roll back."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from storewise.cli import main
from storewise.engine.published import read_pointer, snapshots
from storewise.testing import small_shop

PIPELINE = """
name = "home"
n = 5
[retriever]
use = "retrieve.item_knn.v1"
config = { shrinkage = 1.0 }
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "shop"
    small_shop.open_store(folder).close()
    return folder


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Path:
    (tmp_path / "home.toml").write_text(PIPELINE)
    return Path(shutil.copytree(filled, tmp_path / "shop"))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return int(done.value.code or 0), told.out, told.err


def test_the_way_from_training_to_a_list(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml = shop.parent / "home.toml"
    code, out, err = run(capsys, "train", toml, "--shop", shop)
    assert code == 0
    assert "popularity" in err
    first = out.strip()
    assert snapshots(shop) == [first]
    code, _, err = run(capsys, "recommend", "c000", "--shop", shop)
    assert code == 1
    assert "storewise publish" in err  # training alone serves nothing
    code, out, err = run(capsys, "publish", "--shop", shop)
    assert (code, out.strip()) == (0, first)
    assert "every hash right" in err
    code, out, _ = run(capsys, "recommend", "c000", "--shop", shop, "--json", "--lang", "zh")
    told = orjson.loads(out)
    assert (code, told["snapshot"], len(told["items"])) == (0, first, 5)
    assert told["items"][0]["reason"]["text"].startswith("常与")
    code, out, _ = run(capsys, "search", "blue chiar", "--shop", shop, "--n", 2, "--category", "seat")
    assert code == 0
    assert "“chair” for “chiar”" in out
    assert len(out.splitlines()) == 2
    code, out, err = run(capsys, "search", "zzzzzz", "--shop", shop, "--category", "nowhere")
    assert (code, out, err.strip()) == (0, "", "Nothing found.")
    code, _, err = run(capsys, "search", "", "--shop", shop)
    assert (code, err.splitlines()[0]) == (2, "The query is empty.")
    code, out, _ = run(capsys, "recommend", "c000", "--shop", shop, "--n", 3)
    assert len(out.strip().splitlines()) == 3
    assert "lamp" in out


def test_publishing_and_rolling_back_by_the_beginning_of_a_name(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = shop.parent / "home.toml"
    one = run(capsys, "train", toml, "--shop", shop, "--until", "2024-06-01")[1].strip()
    two = run(capsys, "train", toml, "--shop", shop)[1].strip()
    assert one.startswith("home-20240601T000000-")
    for name in (one, two):
        assert run(capsys, "publish", name[:-3], "--shop", shop)[0] == 0
    assert read_pointer(shop).history == (one,)
    assert run(capsys, "rollback", "--shop", shop)[1].strip() == one
    code, _, err = run(capsys, "publish", "home-", "--shop", shop)
    assert code == 2
    assert "2 snapshots begin with" in err
    code, _, err = run(capsys, "rollback", "nix", "--shop", shop)
    assert (code, "0 snapshots" in err) == (2, True)


def test_what_is_wrong_is_said_with_the_next_step(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = shop.parent / "bad.toml"
    bad.write_text('name = "home"\nsolt = "home"\n')
    code, _, err = run(capsys, "train", bad, "--shop", shop)
    assert code == 2
    assert "line 2" in err
    assert "did you mean 'slot'" in err
    code, _, err = run(capsys, "train", shop.parent / "home.toml", "--shop", shop / "nothing")
    assert code == 1
    assert "storewise ingest" in err


def test_a_ranked_list_stands_beside_the_retrieved_one() -> None:
    from storewise.cli.recommend import lines

    item = {
        "position": 0,
        "title": "Lamp",
        "reason": {"text": "Popular"},
        "p_purchase": 0.25,
        "moved": [{"text": "up"}],
    }
    other = {"position": 0, "title": "Chair", "reason": {"text": "Popular"}}
    told = {"items": [item], "retrieved": [other], "ranker": "rank.lambdamart.v1"}
    head, line, move = lines(told)
    assert "retrieved" in head
    assert line.split() == ["1", "Lamp", "25.0%", "Popular", "Chair"]
    assert move.strip() == "up"
    shadow = {
        "items": [other], "ranked": [item], "ranker": "rank.lambdamart.v1", "ranker_serves": False,
        "ranker_why": "no more than chance",
    }  # fmt: skip
    head, line, why = lines(shadow)
    assert "would show" in head
    assert line.split() == ["1", "Chair", "Popular", "25.0%", "Lamp"]
    assert why == "rank.lambdamart.v1 does not serve: no more than chance"
    assert list(lines({"items": [other]})) == [f"  1  {'Chair':<40}  Popular"]
