"""Every protocol: nothing of the test is in the training, the parts are complete, the masks are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import ConfigError, DataError, StateError, StorewiseError, UnknownName
from storewise.data.dataset import Dataset
from storewise.engine import protocols
from storewise.engine.protocols import base
from storewise.engine.protocols.five_fold import FiveFold
from storewise.engine.protocols.item_stratified import ItemStratified
from storewise.engine.protocols.leave_last_out import LeaveLastOut
from storewise.engine.protocols.lists import Lists
from storewise.engine.protocols.user_shares import UserShares
from storewise.recommend.choose.task import Task

Pairs = set[tuple[int, int]]


def pairs(data: Dataset) -> Pairs:
    found = data.interactions
    return set(zip(found.customers.tolist(), found.products.tolist(), strict=True))


def answers(task: Task) -> Pairs:
    rows, columns = task.relevant.nonzero()
    return set(zip(task.histories.customers[rows].tolist(), columns.tolist(), strict=True))


def masked(task: Task) -> Pairs:
    assert task.seen is not None
    rows, columns = task.seen.nonzero()
    return set(zip(task.histories.customers[rows].tolist(), columns.tolist(), strict=True))


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Each (user, item) pair once, in random order."""
    rng = np.random.default_rng(0)
    who, what = np.nonzero(rng.random((40, 30)) < 0.5)
    order = rng.permutation(len(who))
    rows = [
        f"{u}\t{i}\t{rng.integers(1, 6)}\t{rng.integers(0, 9999)}"
        for u, i in zip(who[order], what[order], strict=True)
    ]
    (tmp_path / "u.data").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("protocol", [ItemStratified(), FiveFold(), UserShares()], ids=lambda p: p.name)
def test_rating_splits_leak_nothing_and_lose_nothing(protocol: base.RankingProtocol, ratings: Path) -> None:
    whole = {tuple(map(int, line.split("\t")[:2])) for line in (ratings / "u.data").read_text().splitlines()}
    (question,) = protocol.questions(ratings, seed=3)
    folds = list(question.folds())
    assert len(folds) == question.n_folds
    chosen_on = pairs(question.train) | answers(question.validation)
    assert not pairs(question.train) & answers(question.validation)
    assert not chosen_on & answers(folds[0].test), "validation has seen the first test"
    for fold in folds:
        trained, asked = pairs(fold.train), answers(fold.test)
        assert not trained & asked
        assert len(trained | asked) == len(whole)
        known = set(fold.test.histories.customers.tolist())
        assert masked(fold.test) == {pair for pair in trained if pair[0] in known}
    if len(folds) > 1:
        tested = [pair for fold in folds for pair in answers(fold.test)]
        assert len(tested) == len(set(tested)) == len(whole)


def test_the_seed_moves_the_folds_but_not_the_published_split(ratings: Path) -> None:
    def first_test(protocol: base.RankingProtocol, seed: int) -> Pairs:
        return answers(next(protocol.questions(ratings, seed=seed)[0].folds()).test)

    assert first_test(FiveFold(), 1) == first_test(FiveFold(), 1)
    assert first_test(FiveFold(), 1) != first_test(FiveFold(), 2)
    assert first_test(ItemStratified(), 1) == first_test(ItemStratified(), 2)


def test_leave_last_out(tmp_path: Path) -> None:
    items = " ".join(f"x{i}" for i in range(12))
    (tmp_path / "any.txt").write_text(f"ann a b c d\nbob b a\ncid c\ndee a b a b a\nfil {items}\n")
    (question,) = LeaveLastOut().questions(tmp_path, seed=0)
    (fold,) = question.folds()
    names = question.train.product_ids

    def read(task: Task) -> dict[str, tuple[list[str], list[str]]]:
        return {
            question.train.customer_ids[customer]: (
                [names[p] for p in task.histories.part(row, row + 1).products],
                [names[p] for p in task.relevant[row].indices],
            )
            for row, customer in enumerate(task.histories.customers)
        }

    assert read(fold.test) == {
        "ann": (["a", "b", "c"], ["d"]),
        "bob": (["b"], ["a"]),
        "dee": (["a", "b", "a", "b"], ["a"]),  # a repeat: masked, so a miss, and still counted
        "fil": ([f"x{i}" for i in range(11)], ["x11"]),
    }
    assert read(question.validation)["ann"] == (["a", "b"], ["c"])
    assert "bob" not in read(question.validation)
    assert fold.variants["unmasked"].seen is None
    assert read(fold.variants["unmasked"]) == read(fold.test)
    assert len(question.train.interactions) == 18 + 6 - 4 - 3
    assert sum(mask.sum() for mask in fold.groups.values()) == len(fold.test)


def test_lists(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    train, test = [], []
    for user in range(20):
        items = rng.permutation(30)[:12]
        train.append(f"{user} " + " ".join(map(str, items[:10])))
        test.append(f"{user} " + " ".join(map(str, items[10:])))
    (tmp_path / "train.txt").write_text("\n".join(train))
    (tmp_path / "test.txt").write_text("\n".join(test))
    (question,) = Lists().questions(tmp_path, seed=0)
    (fold,) = question.folds()
    assert len(pairs(fold.train)) == 200
    assert len(answers(fold.test)) == 40
    assert fold.test.k == 20
    assert pairs(question.train) | answers(question.validation) == pairs(fold.train)
    assert len(answers(question.validation)) == 20  # one of ten each
    assert not question.train.interactions.ordered


def no_data(_: Path) -> Path | None:
    return None


def wrong_place(folder: Path) -> Path:
    return folder / "nowhere"


@pytest.mark.parametrize(
    ("name", "place", "kind", "message"),
    [
        ("lists", lambda f: f, DataError, r"holds no train\.txt"),
        ("lists", no_data, ConfigError, "--data"),
        ("ml100k-ms", wrong_place, DataError, "nothing at"),
        ("ml100k-5fold", lambda f: f, DataError, r"holds no u\.data"),
        ("leave-last-out", lambda f: f, DataError, "should hold one .txt"),
        ("leave-last-out", no_data, ConfigError, "--data"),
        ("shop", lambda f: f, StateError, "no shop"),
    ],
)
def test_bad_places_get_clear_errors(
    tmp_path: Path, name: str, place: Callable[[Path], Path | None], kind: type[StorewiseError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        protocols.RANKING[name].questions(place(tmp_path), seed=0)


def test_a_list_longer_than_the_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("1 a b c\n")
    (tmp_path / "test.txt").write_text("1 d\n")
    with pytest.raises(ConfigError, match="lists 20 products, the data hold 4"):
        Lists().questions(tmp_path, seed=0)


def test_an_unknown_protocol_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="ml100k-ms"):
        protocols.check_name("ml100k-mss")


def test_protocols_on_the_published_data(shared_data: Path) -> None:
    """Sizes that follow from the published data sets alone."""
    (question,) = ItemStratified().questions(shared_data / "ml-100k", seed=42)
    (fold,) = question.folds()
    counts = np.bincount(np.loadtxt(shared_data / "ml-100k" / "u.data", dtype=int, usecols=1))
    assert len(fold.train.interactions) == sum(round(0.75 * int(n)) for n in counts)
    assert len(fold.train.interactions) + fold.test.relevant.nnz == 100_000
    (question,) = LeaveLastOut().questions(shared_data / "amazon-2014-5core-s3rec", seed=42)
    (fold,) = question.folds()
    assert (len(fold.test), fold.train.n_products) == (22_363, 12_101)
    assert len(fold.train.interactions) == 198_502 - 22_363
