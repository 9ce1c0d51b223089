from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.data.plain import behaviour_of, index_of, read_lines, read_ratings


@pytest.mark.parametrize(
    "text",
    [
        "7\ta\t5\t20\n3\tb\t1\t10\n7\tb\t3\t10\n",
        "7,a,5,20\n3,b,1,10\n7,b,3,10\n",
        "7::a::5::20\n3::b::1::10\n7::b::3::10\n",
        "7 a 5 20\n3 b 1 10\n7 b 3 10\n",
        "user,item,rating,timestamp\r\n7,a,5,20\r\n3,b,1,10\r\n7,b,3,10\r\n",
    ],
)
def test_ratings_in_any_of_the_usual_forms(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ratings"
    file.write_text(text)
    found = read_ratings(file)
    assert (list(found.customer_ids), list(found.product_ids)) == (["7", "3"], ["a", "b"])
    assert found.customers.tolist() == [0, 1, 0]
    assert found.products.tolist() == [0, 1, 1]
    assert found.values is not None
    assert found.at is not None
    assert found.values.tolist() == [5, 1, 3]
    assert found.at.tolist() == [20, 10, 10]


def test_values_stay_beside_their_rows_when_sorted_by_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {(int(u), int(i)): (int(r), int(t)) for u, i, r, t in rng.integers(0, 20, (200, 4))}
    file = tmp_path / "u.data"
    file.write_text("".join(f"{u}\t{i}\t{r}\t{t}\n" for (u, i), (r, t) in rows.items()))
    ratings = read_ratings(file)
    part = ratings.dataset(np.arange(len(ratings)) % 3 > 0)
    behaviour, values = part.interactions, part.values
    assert values is not None
    assert len(values) == (np.arange(len(rows)) % 3 > 0).sum()
    for user, item, at, weight, value in zip(
        behaviour.customers, behaviour.products, behaviour.at, behaviour.weight, values, strict=True
    ):
        key = int(ratings.customer_ids[user]), int(ratings.product_ids[item])
        assert rows[key] == (value, at)
        assert weight == value


def test_two_columns_have_no_ratings(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("user_id,item_id\na,x\nb,y\n")
    found = read_ratings(file)
    assert (len(found), found.values, found.at) == (2, None, None)
    assert not found.dataset(np.array([True, True])).interactions.ordered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("justone\nb\n", "1 column"),
        ("", "empty"),
        ("1\t2\t5\t9\n1\t3\tfive\t9\n", "line 2.*'five' is not a number"),
        ("1\t2\t5\t9\n1\t3\n", "line 2"),
        ("1\t2\tnan\t9\n1\t2\t3\t4\n", "line 1"),
    ],
)
def test_bad_ratings_files_say_what_and_where(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_ratings(file)


def test_lines_packed_or_not(tmp_path: Path) -> None:
    text = "u1 a b a\n\nu2\nu1 c\n"
    (tmp_path / "s.txt").write_text(text)
    (tmp_path / "s.txt.gz").write_bytes(gzip.compress(text.encode()))
    expected = {"u1": ["a", "b", "a", "c"], "u2": []}
    assert read_lines(tmp_path / "s.txt") == read_lines(tmp_path / "s.txt.gz") == expected


def test_lines_become_behaviour_in_their_order() -> None:
    lines = {"u1": ["b", "a"], "u2": [], "u3": ["c", "b", "c"]}
    customers, products = index_of(lines)
    found = behaviour_of(lines, customer_index=customers, product_index=products, ordered=True)
    assert found.products.tolist() == [products[p] for p in ("b", "a", "c", "b", "c")]
    assert found.customers.tolist() == [0, 0, 2, 2, 2]
    assert found.at.tolist() == [0, 1, 0, 1, 2]
    unordered = behaviour_of(lines, customer_index=customers, product_index=products, ordered=False)
    assert not unordered.ordered


def test_a_damaged_archive_and_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="archive"):
        read_lines(tmp_path / "a.txt.gz")
    (tmp_path / "b.txt").write_text("u1\nu2\n")
    with pytest.raises(DataError, match="no line with a user and an item"):
        read_lines(tmp_path / "b.txt")
    (tmp_path / "c.txt").write_bytes(b"u1 a\nu2 \xff\n")
    with pytest.raises(DataError, match="line 2: byte 0xff"):
        read_lines(tmp_path / "c.txt")
