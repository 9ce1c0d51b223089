"""The protocol ``search`` on a made catalogue, its cross-validation and its border."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import ConfigError, DataError
from storewise.engine.benchmark import run
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.search.folds import cross_chosen, fold_of, ranked
from storewise.engine.protocols.search.judged import read

KINDS = ("lamp", "chair", "table", "mirror", "vase", "clock")
COLOURS = ("red", "blue", "green")


def made(folder: Path) -> tuple[Path, Path]:
    """36 products; a query's colour and kind are graded 3, the kind alone 1."""
    products = [
        {
            "docid": f"d{i}",
            "title": f"{COLOURS[i % 3]} {KINDS[i // 6]}",
            "attr_n_weight": float(i),
            "tags": ["home"],
        }
        for i in range(36)
    ]
    catalogue, judgements = folder / "c.jsonl.gz", folder / "j.csv"
    catalogue.write_bytes(gzip.compress("\n".join(map(json.dumps, products)).encode()))
    lines = ["query,docid,rating"]
    for k, kind in enumerate(KINDS):
        for c, colour in enumerate(COLOURS):
            lines += [f"{colour} {kind}s,d{i},{3 if i % 3 == c else 1}" for i in range(6 * k, 6 * k + 6)]
    judgements.write_text("\n".join([*lines, "nothing,d0,0", "lamp,gone,3"]))
    return catalogue, judgements


def test_a_report_has_all_systems_with_intervals(tmp_path: Path) -> None:
    catalogue, judgements = made(tmp_path)
    report = run(
        "search", Inputs(catalogue=catalogue, judgements=judgements), models=["tfidf_svd"], minutes=1
    )
    by_name = {row["model"]: row for row in report["rows"]}
    assert {"search.hybrid", "search.blend", "search.words", "search.vectors", "search.bm25f"} <= set(by_name)
    assert [row["model"] for row in report["rows"] if row["selected"]] == ["search.hybrid"]
    assert sum(row["simple"] for row in report["rows"]) == 1
    # Every colour and kind is a plain word, so that words alone must order each query perfectly.
    assert by_name["search.bm25f"]["metrics"]["ndcg@10"]["value"] == pytest.approx(1.0)
    ratio = by_name["search.hybrid"]["metrics"]["ratio"]
    assert ratio["low"] <= ratio["value"] <= ratio["high"]
    assert "19 queries, 18 of them" in report["data"]
    assert "1 judgements of products outside" in report["data"]


def test_a_query_is_scored_by_what_the_others_choose() -> None:
    """Each of four queries is best under its own setting; chosen on the other three, none ever gets it."""
    trials = [np.full((4, 1), 0.5) for _ in range(4)]
    for query, trial in enumerate(trials):
        trial[query] = 1.0
        trial[(query + 1) % 4] = 0.0
    values, taken = cross_chosen(trials, np.arange(4))
    assert all(taken[query] != query for query in range(4))
    assert values.max() < 1.0


def test_alike_queries_share_a_fold() -> None:
    queries = ["laptop", "Laptops", "smart watch", "smartwatch", "tv", "phone", "desk", "fan"]
    for seed in range(20):
        fold = fold_of(queries, 4, seed=seed)
        assert fold[0] == fold[1]
        assert fold[2] == fold[3]
        assert set(fold.tolist()) == {0, 1, 2, 3}


def test_products_without_a_score_are_not_listed() -> None:
    assert ranked(np.array([0.0, 2.0, 0.0, 3.0])) == [3, 1]
    assert ranked(np.array([-1.0, 2.0]), np.array([7, 5])) == [5, 7]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("query,docid,rating\nlamp,d0,good\n", "row 1: the grade is 'good'"),
        ("query,docid,rating\nlamp,d0,-1\n", "row 1: the grade is '-1'"),
        ("query,docid,rating\nlamp,d0,nan\n", "row 1: the grade is 'nan'"),
        ("query,docid,rating\nlamp,x,3\n", "No product that"),
        ("query,docid,rating\nlamp,d0,0\n", "No product that"),
        ("words,docid,rating\nlamp,d0,3\n", "one of query"),
        ("query,docid,rating\n", "has no judgements"),
    ],
)
def test_bad_judgements_are_refused_in_words(tmp_path: Path, text: str, told: str) -> None:
    catalogue, _ = made(tmp_path)
    bad = tmp_path / "bad.csv"
    bad.write_text(text)
    with pytest.raises(DataError, match=told):
        read(catalogue, bad)


def test_grades_in_words_and_other_tables(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("product_id,product_title,price\n1,Red lamp,5\n2,Shoe,6\n2,Again,6\n")
    (tmp_path / "j.csv").write_text(
        "query,product_id,label\nlamp,1,Exact\nlamp,2,Partial\nlamp,2,Irrelevant\n"
    )
    found = read(tmp_path / "c.csv", tmp_path / "j.csv")
    assert found.ids == ["1", "2"]
    assert found.grades == {"lamp": {0: 3.0, 1: 1.0}}
    assert found.fields == {"title": ["Red lamp", "Shoe"], "id": ["1", "2"]}


def test_too_few_queries_and_wrong_models_are_refused(tmp_path: Path) -> None:
    catalogue, judgements = made(tmp_path)
    with pytest.raises(ConfigError, match="2 models"):
        run("search", Inputs(catalogue=catalogue, judgements=judgements), models=["minilm", "e5"])
    few = tmp_path / "few.csv"
    few.write_text("query,docid,rating\nlamp,d0,3\n")
    with pytest.raises(DataError, match="needs 4"):
        run("search", Inputs(catalogue=catalogue, judgements=few))
    (tmp_path / "broken.jsonl").write_text('{"id": 1}\n{oh\n')
    with pytest.raises(DataError, match="line 2 is not JSON"):
        read(tmp_path / "broken.jsonl", judgements)
