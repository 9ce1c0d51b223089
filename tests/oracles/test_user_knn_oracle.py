"""User neighbourhoods against plain loops."""

from __future__ import annotations

import numpy as np

from storewise.data.interactions import Histories
from storewise.recommend.request import Request
from storewise.recommend.retrieve.user_knn import UserKnn, UserKnnConfig
from storewise.testing.retriever import shop

CONFIG = UserKnnConfig(rarity=0.4, activity=0.6, sharpness=1.5, target_power=0.3, neighbours=4, decay=0.2)


def slow(data, histories, c):
    """One shopper: (scores, votes) by hand."""
    x = data.interactions.matrix.toarray()
    n = x.sum(0)
    times = sorted(set(histories.at), reverse=True)
    similarity = np.zeros(len(x))
    for customer in range(len(x)):
        for product, at in zip(histories.products, histories.at, strict=True):
            if x[customer, product]:
                recency = np.exp(-c.decay * times.index(at))
                similarity[customer] += recency * (n[product] + 1) ** -c.rarity
        similarity[customer] /= max(x[customer].sum(), 1) ** c.activity
    similarity[histories.customers[0]] = 0.0 if histories.customers[0] >= 0 else similarity[-1]
    similarity **= c.sharpness
    near = [u for u in np.argsort(-similarity, kind="stable")[: c.neighbours] if similarity[u] > 0]
    votes = x[near].sum(0)
    return (similarity[near] @ x[near]) / np.maximum(n, 1) ** c.target_power, votes


def test_scores_and_reasons():
    data = shop(3)
    model = UserKnn(CONFIG)
    model.train(data, rng=np.random.default_rng(0))
    session = Histories.single([4, 7, 4], n_products=data.n_products)
    for histories in (data.histories([3]), data.histories([11]), session):
        expected, votes = slow(data, histories, CONFIG)
        found = model.scores(histories)[0]
        np.testing.assert_allclose(np.where(np.isinf(found), 0, found), expected, rtol=1e-4, atol=1e-7)
        answer = model(Request(histories), 5)
        assert len(answer)
        assert [r.value for r in answer.reasons] == [votes[p] for p in answer.products]


def test_a_customer_is_not_his_own_neighbour():
    data = shop(3)
    model = UserKnn()
    model.train(data, rng=np.random.default_rng(0))
    near = model.neighbours(data.histories(np.arange(data.n_customers)))
    assert near.nnz > 0
    assert not near.diagonal().any()
