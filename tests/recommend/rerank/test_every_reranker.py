"""Every registered reranker keeps the reranker's contract."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import StateError
from storewise.core.registry import Registry
from storewise.recommend.rerank import COMPONENTS
from storewise.recommend.rerank.base import Order, chain
from storewise.testing.reranker import a_list, a_request, check_reranker, shelf

REGISTRY = Registry(COMPONENTS)
CONFIGS = {
    "rerank.place.v1": [
        {"action": "boost", "attribute": "colour:red"},
        {"action": "bury", "category": "a", "places": 2},
        {"action": "pin", "attribute": "colour:red", "at": 3},
        {"action": "pin", "category": "nothing"},
    ],
    "rerank.frequency_cap.v1": [{}, {"hide": True, "most": 2}],
    "rerank.margin_floor.v1": [{}, {"least_minor": 5, "unknown": False}],
    "rerank.category_cap.v1": [{"most": 1}, {"most": 2, "categories": ["b"]}],
}
CASES = [(name, config) for name in REGISTRY.names("rerank") for config in CONFIGS.get(name, [{}])]


def test_how_many_there_are():
    assert len(REGISTRY.names("rerank")) == 7


@pytest.mark.parametrize(("name", "config"), CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, config, seed):
    check_reranker(lambda: REGISTRY.create(name, config), seed)


@pytest.mark.parametrize(("name", "config"), CASES)
def test_without_the_rule_its_items_move_back(name, config):
    """What a chain says a rule moved stands elsewhere without the rule, exactly there where the move began."""
    step = REGISTRY.create(name, config)
    step.stock(shelf())
    items = a_list()
    found = chain([step], a_request(), items, 8)
    without = chain([], a_request(), items, len(items)).products.tolist()
    for place, (product, moves) in enumerate(zip(found.products.tolist(), found.moves, strict=True)):
        assert len(moves) == (without.index(product) != place)
        for move in moves:
            assert without.index(product) == move.before


@pytest.mark.parametrize("name", [n for n in REGISTRY.names("rerank") if n != "rerank.frequency_cap.v1"])
def test_without_a_catalogue_is_a_state_error(name):
    step = REGISTRY.create(name, CONFIGS.get(name, [{}])[0])
    with pytest.raises(StateError):
        step(a_request(), a_list(), 5)


def test_the_suite_notices_a_broken_reranker():
    class Broken(REGISTRY.get("rerank.mmr.v1")):
        def arrange(self, request, items, n):
            return Order(np.zeros(min(n, len(items)), np.int64))

    with pytest.raises(AssertionError):
        check_reranker(Broken)


def test_a_chain_names_every_rule_that_moved_an_item():
    steps = [
        REGISTRY.create("rerank.place.v1", {"action": "bury", "attribute": "colour:red", "name": "no red"}),
        REGISTRY.create("rerank.category_cap.v1", {"most": 1, "name": "one each"}),
    ]
    for step in steps:
        step.stock(shelf())
    found = chain(steps, a_request(), a_list(), 5)
    rules = {move.rule for moves in found.moves for move in moves}
    assert rules == {"no red", "one each"}
    codes = shelf().category_codes[found.products]
    assert max(np.bincount(codes[codes >= 0])) == 1
