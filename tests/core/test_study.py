"""Searches: kept in a file they are the same whether they were killed or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storewise.core.study import Search

STARTS = [{"x": 0.9}, {"x": 0.1}]


class KilledError(Exception):
    pass


def objective(trial: Any) -> float:
    return -((trial.suggest_float("x", 0.0, 1.0) - 0.3) ** 2) + 0.1 * trial.suggest_int("n", 0, 3)


def search(storage: Path | None, seed: int = 5) -> Search:
    return Search("one", direction="maximize", seed=seed, storage=storage, starts=STARTS)


def told(found: Search) -> list[tuple[dict[str, Any], float | None]]:
    return [(trial.params, trial.value) for trial in found.done]


@pytest.mark.parametrize("after", [0, 1, 9])
def test_a_killed_search_is_the_search_that_was_not_killed(after: int, tmp_path: Path) -> None:
    whole = search(tmp_path / "whole.log")
    for _ in range(11):
        whole.try_one(objective)
    first = search(tmp_path / "killed.log")
    for _ in range(after):
        first.try_one(objective)
    first.study.ask().suggest_float("x", 0.0, 1.0)  # a trial that a kill cuts off
    again = search(tmp_path / "killed.log")
    for _ in range(11 - len(again.done)):
        again.try_one(objective)
    assert told(again) == told(whole)
    assert [trial.params["x"] for trial in whole.done[:2]] == [0.9, 0.1]
    assert again.best.params == whole.best.params
    assert len({trial.params["x"] for trial in whole.done}) == 11


def test_half_a_line_and_a_lock_that_a_kill_left(tmp_path: Path) -> None:
    file = tmp_path / "search.log"
    first = search(file)
    for _ in range(3):
        first.try_one(objective)
    before = told(first)
    with open(file, "ab") as journal:
        journal.write(b'{"op_code": 6, "tri')
    (tmp_path / "search.log.lock").symlink_to("nowhere")
    again = search(file)
    again.try_one(objective)
    assert told(again)[:3] == before
    assert len(search(file).done) == 4


def test_an_error_goes_through_and_does_not_count(tmp_path: Path) -> None:
    def broken(trial: Any) -> float:
        trial.suggest_float("x", 0.0, 1.0)
        raise KilledError

    found = search(tmp_path / "search.log")
    with pytest.raises(KilledError):
        found.try_one(broken)
    assert found.done == []
    found.try_one(objective)
    assert found.done[0].params["x"] == 0.9
    assert 0 <= found.longest_s <= found.spent_s < 60


def test_in_memory_proposals_depend_on_the_seed_alone() -> None:
    one, two, other = search(None), search(None), search(None, seed=6)
    for found in (one, two, other):
        for _ in range(5):
            found.try_one(objective)
    assert told(one) == told(two) != told(other)
