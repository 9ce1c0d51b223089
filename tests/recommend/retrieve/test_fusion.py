"""Fusion: the sum it promises, its reasons, and one artifact for all members."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import UnknownName
from storewise.recommend.request import Request
from storewise.recommend.retrieve.fusion import Fusion, FusionConfig, Member, standardise
from storewise.testing.retriever import check_retriever, shop

CONFIG = FusionConfig(
    members=(
        Member(use="retrieve.item_knn.v1", config={"decay": 0.3}, weight=0.6),
        Member(use="retrieve.ials.v1", config={"embedding_size": 4}, weight=0.3),
        Member(use="retrieve.repeat.v1", weight=0.4),
    ),
    depth=10,
)


def test_contract_with_three_kinds_of_members():
    check_retriever(lambda: Fusion(CONFIG))


def test_the_weighted_sum():
    data = shop(1)
    model = Fusion(CONFIG)
    model.train(data, rng=np.random.default_rng(0))
    histories = data.histories(np.arange(20))
    parts = [standardise(member.scores(histories), 10) for member in model.members]
    expected = 0.6 * parts[0] + 0.3 * parts[1] + 0.4 * parts[2]
    np.testing.assert_allclose(model.scores(histories), expected, rtol=1e-5, atol=1e-6)


def inside(model, history):
    """(n,) products that a member puts among its 60 best, of all or of what the shopper has not had; of ties that
    would be more than 120, none."""
    found = np.zeros(history.n_products, bool)
    had = np.isin(np.arange(history.n_products), history.products)
    for member in model.members:
        scores = standardise(member.scores(history), 10)[0]
        for among in (scores > -3, (scores > -3) & ~had):
            rest = np.sort(scores[among])[::-1]
            border = rest[59] if len(rest) > 60 else -3
            chosen = among & (scores >= border)
            found |= chosen if chosen.sum() <= 120 else among & (scores > border)
    return found


def test_being_rare_alone_lifts_nothing():
    data = shop(1)
    model = Fusion(CONFIG.model_copy(update={"rarity": 50.0}))
    model.train(data, rng=np.random.default_rng(0))
    for customer in range(20):
        request = Request(data.histories([customer]))
        best = inside(model, request.history)
        if best.sum() >= 5:
            assert best[model(request, 5).products].all()


def test_rarity_takes_from_a_product_what_its_customers_are():
    data = shop(1)
    plain, rare = Fusion(CONFIG), Fusion(CONFIG.model_copy(update={"rarity": 0.25}))
    plain.train(data, rng=np.random.default_rng(0))
    rare.take(plain.members, data)
    histories = data.histories(np.arange(20))
    told = plain.scores(histories)
    less = 0.25 * np.log(1 + np.array([len(set(data.interactions.customers[data.interactions.products == j]))
                                       for j in range(data.n_products)]))  # fmt: skip
    best = [inside(plain, histories.part(row, row + 1)) for row in range(20)]
    less = np.where(best, less, less.max())
    np.testing.assert_allclose(rare.scores(histories), told - less, rtol=1e-5, atol=1e-5)
    again = Fusion(rare.config)
    again.restore(rare.state())
    request = Request(data.histories([3]))
    np.testing.assert_array_equal(again(request, 9).products, rare(request, 9).products)
    best = np.argsort(-rare.scores(request.history)[0], kind="stable")[:9]
    np.testing.assert_array_equal(rare(request, 9).products, best)


def test_contract_with_rarity():
    check_retriever(lambda: Fusion(CONFIG.model_copy(update={"rarity": 0.25})))


def test_reasons_come_from_the_member_that_lifts_most():
    data = shop(1)
    model = Fusion(CONFIG)
    model.train(data, rng=np.random.default_rng(0))
    kinds = ("bought_with", "taste", "repeat")
    seen = set()
    for customer in range(30):
        request = Request(data.histories([customer]))
        answer = model(request, 12)
        parts = [standardise(m.scores(request.history), 10)[0] + 3 for m in model.members]
        lifts = np.array([0.6, 0.3, 0.4])[:, None] * np.array(parts)
        for product, reason in zip(answer.products, answer.reasons, strict=True):
            assert reason.kind == kinds[int(np.argmax(lifts[:, product]))]
            seen.add(reason.kind)
    assert {"bought_with", "repeat"} <= seen


def test_what_no_member_knows_is_not_returned():
    data = shop(1)
    model = Fusion(FusionConfig(members=(Member(use="retrieve.repeat.v1"),)))
    model.train(data, rng=np.random.default_rng(0))
    bought = set(data.histories([3]).products.tolist())
    assert set(model(Request(data.histories([3])), 40).products.tolist()) == bought


def test_an_unknown_member_is_named():
    model = Fusion(FusionConfig(members=(Member(use="retrieve.eas.v1"),)))
    with pytest.raises(UnknownName, match=r"retrieve\.ease\.v1"):
        model.train(shop(1), rng=np.random.default_rng(0))
