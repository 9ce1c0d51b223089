from __future__ import annotations

import numpy as np
import pytest

from storewise.recommend.rank.candidates import Shortlist, Sources
from storewise.recommend.request import Request
from storewise.recommend.retrieve.fusion import Fusion, FusionConfig, Member
from storewise.recommend.retrieve.repeat import Repeat
from storewise.testing.retriever import shop

MEMBERS = (
    Member(use="retrieve.item_knn.v1", weight=0.6),
    Member(use="retrieve.popular.v1", weight=0.4),
)


def trained(rarity: float = 0.0) -> tuple[Sources, Fusion]:
    data = shop(1)
    fusion, repeat = Fusion(FusionConfig(members=MEMBERS, rarity=rarity)), Repeat()
    for model in (fusion, repeat):
        model.train(data, rng=np.random.default_rng(0))
    return Sources.of(fusion, "retrieve.fusion.v1", {"retrieve.repeat.v1": repeat}, depth=12), fusion


@pytest.mark.parametrize("rarity", [0.0, 0.8])
def test_the_fused_order_is_the_retrieved_one(rarity: float) -> None:
    sources, fusion = trained(rarity)
    data = shop(1)
    eligible = np.random.default_rng(0).random(data.n_products) < 0.7
    for customer in (0, 5, 9, data.n_customers - 1):
        history = data.histories([customer])
        for allowed in (None, eligible):
            shown = Shortlist.of(sources.one(history, allowed)).products[:10]
            expected = fusion(Request(history, eligible=allowed), 10).products
            assert shown.tolist() == expected.tolist()


def test_one_and_many_find_the_same() -> None:
    sources, _ = trained()
    data = shop(1)
    histories = data.histories(np.arange(15))
    many = sources.many(histories)
    for row in range(15):
        one, mine = sources.one(histories.part(row, row + 1)), np.flatnonzero(many.row == row)
        assert one.products.tolist() == many.products[mine].tolist()
        np.testing.assert_allclose(one.parts, many.parts[mine], rtol=1e-4, atol=1e-5)
    assert sources.names == ("fused", "item_knn", "popular", "repeat")


def test_every_source_gives_its_best_and_seen_products_are_none() -> None:
    sources, _ = trained()
    data = shop(1)
    histories = data.histories(np.arange(15))
    seen = histories.matrix().toarray() > 0
    found = sources.many(histories, seen)
    assert not seen[found.row, found.products].any()
    for place in range(len(sources.names)):
        ranks = found.ranks[found.row == 3, place]
        told = np.sort(ranks[~np.isnan(ranks)])
        assert told.tolist() == list(range(len(told)))
        assert len(told) <= sources.depth
    everything = sources.many(histories)
    assert np.isnan(everything.ranks[:, 3][~seen[everything.row, everything.products]]).all()
