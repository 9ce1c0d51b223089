from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storewise.core.component import same_state
from storewise.core.errors import DataError
from storewise.recommend.rank import lambdamart
from storewise.recommend.rank.calibrate import chances, isotonic
from storewise.recommend.rank.candidates import Shortlist
from storewise.recommend.rank.features import features, names_of
from storewise.recommend.rank.lambdamart import LambdaMart, LambdaMartConfig, contenders
from storewise.recommend.rank.objective import Objective, margins
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.rank.words import said
from storewise.recommend.request import Request
from storewise.testing.ranker import lessons


@pytest.fixture(scope="module")
def model() -> LambdaMart:
    moments, data, _ = lessons()
    made = LambdaMart(LambdaMartConfig(trees=30, least_rows_in_leaf=10))
    made.train(moments, facts=ProductFacts.of(data), rng=np.random.default_rng(0))
    return made


def test_contributions_add_up_to_the_score(model: LambdaMart) -> None:
    _, data, sources = lessons()
    history = data.histories([4])
    found = sources.one(history)
    names, lifts, _ = model.contributions(history, found)
    assert lifts.shape == (len(found), len(names))
    assert names == names_of(model.sources)
    scores = model.scores(history, found)
    base = scores - lifts.sum(axis=1)
    np.testing.assert_allclose(base, base[0], atol=1e-4)  # TreeSHAP: the same base for all


def test_it_beats_the_retrieved_order_on_a_later_moment(model: LambdaMart) -> None:
    moments, data, _ = lessons()
    early = LambdaMart(LambdaMartConfig(trees=30, least_rows_in_leaf=10))
    early.train(moments[:2], facts=ProductFacts.of(data), rng=np.random.default_rng(0))
    last = moments[2]
    early.facts = last.facts
    scores = early.scores(last.histories, last.candidates)

    def hits(told: np.ndarray) -> int:
        order = np.lexsort((-told, last.candidates.row))
        rows = last.candidates.row[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        return int(last.bought[order][place < 3].sum())

    assert hits(scores) > hits(np.nan_to_num(last.candidates.parts[:, 0], nan=-9.0))


def fitted(moments: list, **options: int) -> LambdaMart:
    made = LambdaMart(LambdaMartConfig(trees=10, least_rows_in_leaf=5, **options))
    made.train(moments, facts=moments[-1].facts, rng=np.random.default_rng(0))
    return made


def test_what_stands_below_the_contenders_teaches_the_trees_nothing() -> None:
    moments, _, _ = lessons()
    changed = []
    for moment in moments:
        rival = contenders(moment.candidates.ranks, 6)
        assert rival.any()
        assert moment.bought[~rival].any()
        # Labels of rivals stay; all the others are turned round.
        changed.append(replace(moment, bought=np.where(rival, moment.bought, ~moment.bought)))
    before, after = (fitted(each, contenders=6).state() for each in (moments, changed))
    np.testing.assert_array_equal(before["trees"], after["trees"])
    wider = [fitted(each, contenders=90).state() for each in (moments, changed)]
    assert not same_state(*wider)


def test_nothing_bought_among_the_contenders_is_a_data_error() -> None:
    moments, _, _ = lessons()
    far = [replace(m, bought=m.bought & ~contenders(m.candidates.ranks, 6)) for m in moments]
    assert any(moment.bought.any() for moment in far)
    with pytest.raises(DataError, match="first 6 candidates"):
        fitted(far, contenders=6)


@given(
    ranks=st.lists(st.tuples(*[st.one_of(st.integers(0, 40), st.just(np.nan))] * 3), min_size=1),
    first=st.integers(6, 60),
)
def test_contenders_are_the_first_of_any_source(ranks: list[tuple[float, ...]], first: int) -> None:
    told = contenders(np.array(ranks, np.float32), first)
    for (fused, *others), rival in zip(ranks, told, strict=True):
        assert rival == (fused < first or any(6 * place < first for place in others))
    assert not (told & ~contenders(np.array(ranks, np.float32), first + 6)).any()  # more of them, never fewer


def test_scores_do_not_depend_on_how_many_are_scored_at_a_time(
    model: LambdaMart, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data, sources = lessons()
    histories = data.histories(np.arange(20))
    found = sources.many(histories)
    whole = model.scores(histories, found)
    monkeypatch.setattr(lambdamart, "AT_A_TIME", 3)
    np.testing.assert_array_equal(model.scores(histories, found), whole)
    few = found.part(np.flatnonzero((found.row < 2) | (found.row > 12)))  # ten shoppers without candidates
    np.testing.assert_array_equal(model.scores(histories, few), whole[(found.row < 2) | (found.row > 12)])


def test_reasons_name_what_lifts(model: LambdaMart) -> None:
    _, data, sources = lessons()
    history = data.histories([4])
    ranked = model(Request(history), Shortlist.of(sources.one(history)))
    reasons = model.reasons(Request(history), ranked)
    names, lifts, _values = model.contributions(history, ranked.candidates)  # type: ignore[attr-defined]
    bought = set(history.products.tolist())
    for place, reason in enumerate(reasons):
        if reason is not None and reason.kind == "repeat":
            assert int(ranked.products[place]) in bought
            own = sum(x for n, x in zip(names, lifts[place], strict=True) if n.startswith("own_"))
            assert own > 0
    lift, value = np.zeros((4, len(names)), np.float32), np.zeros((4, len(names)), np.float32)
    lift[:2, names.index("trend_28d")] = 1.0
    value[1, names.index("trend_28d")] = 0.5
    lift[2, names.index("fused.score")], lift[3, names.index("trend_28d")] = 1.0, -1.0
    told = said(names, lift, value, np.arange(4, dtype=np.int32))
    # The trend lifts, but nothing rose: nothing is claimed. Then it rose; a retriever lifts; nothing lifts.
    assert [reason and reason.kind for reason in told] == [None, "trending", None, None]


def test_another_history_or_other_facts_are_worked_out_anew(model: LambdaMart) -> None:
    """What is kept of a history between a list and its reasons is of that history and those facts alone."""
    _, data, sources = lessons()
    history = data.histories([4])
    found = sources.one(history)
    fresh = features(data.histories([4]), found, model.facts)
    np.testing.assert_array_equal(features(history, found, model.facts), fresh)
    np.testing.assert_array_equal(features(history, found, model.facts), fresh)
    cheaper = replace(model.facts, log_price=model.facts.log_price - 1)
    other = features(history, found, cheaper)
    place = names_of(found.sources).index("customer_price")
    np.testing.assert_allclose(other[:, place], fresh[:, place] - 1, rtol=1e-5)


@given(st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=200))
def test_chances_rise_and_keep_the_rate(pairs: list[tuple[float, bool]]) -> None:
    scores, happened = np.array([s for s, _ in pairs]), np.array([h for _, h in pairs])
    knots = isotonic(scores, happened)
    told = chances(np.sort(scores), knots)
    assert (np.diff(told) >= -1e-12).all()
    assert ((told >= 0) & (told <= 1)).all()


def test_isotonic_finds_the_rates_of_a_large_sample() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(40_000)
    knots = isotonic(10 * p - 3, rng.random(40_000) < p**2)
    grid = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(chances(10 * grid - 3, knots), grid**2, atol=0.04)


def test_the_dial_moves_from_relevance_to_value() -> None:
    scores, p = np.array([3.0, 2.0, 1.0]), np.array([0.3, 0.2, 0.1])
    products = np.array([0, 1, 2], np.int32)
    margin = np.array([10.0, np.nan, 100.0])
    assert (Objective(0.0, margin)(scores, p, products) == scores).all()
    full = Objective(1.0, margin)(scores, p, products)
    worth = np.array([10.0, 55.0, 100.0])  # an unknown margin counts as the median
    np.testing.assert_allclose(full, np.log(p * worth), atol=1e-5)
    assert np.isnan(Objective(0.5, margin)(scores, np.array([np.nan, 0.2, 0.1]), products)[0])


def test_margins_need_a_price_and_floor_losses() -> None:
    found = margins(np.array([100, 50, -1]), np.array([np.nan, 80.0, 10.0]))
    assert found.tolist()[:2] == [100.0, -30.0]
    assert np.isnan(found[2])
    assert Objective(1.0, found).worth(np.array([1], np.int32))[0] == pytest.approx(1.0)
