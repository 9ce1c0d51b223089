"""Search as it serves: typos, compounds, meaning, the mask, reasons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError, StateError
from storewise.recommend.search.features import FeatureMaker
from storewise.recommend.search.index import TextIndex
from storewise.recommend.search.ranker import TreeRanker, TreesConfig, blend
from storewise.recommend.search.searcher import Searcher

TITLES = [
    "Wireless headphones", "Headphones, wired", "Smartphone 128GB black", "Phone case for smartphones",
    "Smart watch", "Café chair", "蓝牙音箱 红色", "TN-2110 toner", "mousepad", "Mouse, wireless", "Pad for a desk",
]  # fmt: skip
FIELDS = {"title": TITLES, "brand": ["Sony"] * 3 + [""] * 8}
SEARCHER = Searcher.of(TextIndex.build(FIELDS))


def first(query: str, **options: object) -> list[tuple[str, str]]:
    """The best product's title, and how its words were read."""
    hits = SEARCHER(query, 1, **options).hits  # type: ignore[arg-type]
    return [(TITLES[hit.product], match.kind) for hit in hits for match in hit.matches]


@pytest.mark.parametrize(
    ("query", "title", "kind"),
    [
        ("headphones", "Wireless headphones", "exact"),
        ("headfones", "Wireless headphones", "corrected"),
        ("haedphones", "Wireless headphones", "corrected"),
        ("headph", "Wireless headphones", "completed"),
        ("smart phone", "Phone case for smartphones", "joined"),
        ("smartwatch", "Smart watch", "split"),
        ("128 gb", "Smartphone 128GB black", "exact"),
        ("cafe", "Café chair", "exact"),
        ("蓝牙", "蓝牙音箱 红色", "exact"),
        ("tn2110", "TN-2110 toner", "parts"),
    ],
)
def test_what_is_meant_is_found(query: str, title: str, kind: str) -> None:
    found = first(query)
    assert found[0][0] == title
    assert kind in {how for _, how in found}


def test_a_rare_compound_does_not_outweigh_the_words_typed() -> None:
    titles = ["mousepad"] + ["mouse pad"] * 20 + [f"thing {i}" for i in range(100)]
    found = Searcher.of(TextIndex.build({"title": titles}))("mouse pad", 5)
    assert all(titles[hit.product] == "mouse pad" for hit in found.hits)
    assert found.total == 21


def test_an_unfinished_word_is_completed_only_when_asked() -> None:
    assert first("headph", complete=False) == []


@pytest.mark.parametrize(
    "query", ["", "🎧", "zzzzqqqq", "' OR 1=1 --", "x" * 100_000, "12345678901234567890"]
)
def test_nothing_to_find_is_an_empty_list(query: str) -> None:
    found = SEARCHER(query)
    assert (found.hits, found.total) == ((), 0)


def test_a_reason_names_the_field() -> None:
    hit = SEARCHER("sony smartphone").hits[0]
    assert [(m.found, m.fields) for m in hit.matches] == [("sony", ("brand",)), ("smartphone", ("title",))]


def test_what_may_not_be_shown_is_not_found() -> None:
    mask = np.ones(len(TITLES), bool)
    mask[0] = False
    found = SEARCHER("headphones", eligible=mask)
    assert [hit.product for hit in found.hits] == [1]
    assert found.total == 1


def test_meaning_finds_what_holds_no_word() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = TextIndex.build({"title": [f"thing {i}" for i in range(300)]})
    found = Searcher.of(index, vectors=vectors)("sofa", vector=vectors[7])
    assert (found.hits[0].product, found.hits[0].matches) == (7, ())
    assert found.hits[0].similarity == pytest.approx(1.0, abs=1e-5)
    assert found.total < 10
    same = Searcher.of(index, vectors=np.zeros_like(vectors))("sofa", vector=vectors[7])
    assert same.total == 0


def test_vectors_of_another_catalogue_are_refused() -> None:
    with pytest.raises(DataError, match="1 vectors for 11 products"):
        Searcher.of(SEARCHER.index, vectors=np.zeros((1, 4), np.float32))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.integers(1, 12))
def test_any_query_gives_a_falling_list_of_different_products(query: str, n: int) -> None:
    found = SEARCHER(query, n)
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)
    assert len({hit.product for hit in found.hits}) == len(found.hits) == min(n, found.total)
    assert all(hit.matches for hit in found.hits)


def test_the_protocols_sum_ranks_as_the_served_one() -> None:
    maker = FeatureMaker(SEARCHER.index, TITLES)
    pairs = maker("wireless headphones")
    ours = pairs.products[np.argsort(-blend(pairs), kind="stable")].tolist()
    assert [hit.product for hit in SEARCHER("wireless headphones").hits] == ours[
        : len(SEARCHER("wireless headphones").hits)
    ]


def test_trees_learn_what_judgements_say_and_restore_to_the_same() -> None:
    """Relevant is the product whose brand says so, whatever the title: trees must find the field out."""
    titles = ["lamp"] * 40
    index = TextIndex.build(
        {"title": titles, "brand": ["lamp" if i % 4 == 0 else "other" for i in range(40)]}
    )
    maker = FeatureMaker(index, titles)
    pairs = [maker("lamp")] * 8
    grades = dict.fromkeys(range(0, 40, 4), 3.0)
    ranker = TreeRanker(TreesConfig(trees=30, least_pairs_in_leaf=5))
    ranker.train(pairs, [grades] * 8, seed=1)
    scores = ranker(pairs[0])
    assert scores[pairs[0].products % 4 == 0].min() > scores[pairs[0].products % 4 != 0].max()
    again = TreeRanker()
    again.restore(ranker.state())
    np.testing.assert_array_equal(again(pairs[0]), scores)
    with pytest.raises(StateError, match="others"):
        ranker(FeatureMaker(TextIndex.build({"title": titles}), titles)("lamp"))
    with pytest.raises(StateError, match="not been trained"):
        TreeRanker()(pairs[0])
    with pytest.raises(DataError, match="No judged query"):
        TreeRanker().train(pairs, [{}] * 8, seed=1)


def test_nothing_below_the_floor_is_found_by_meaning_alone() -> None:
    titles = [f"lamp {i}" for i in range(40)]
    vectors = np.eye(40, dtype=np.float32)
    index = TextIndex.build({"title": titles})
    asked = np.full(40, 0.1, np.float32)
    asked[3] = 0.5
    found = Searcher.of(index, vectors=vectors)("qqq", vector=asked)
    assert [hit.product for hit in found.hits] == [3]
    assert not Searcher.of(index, vectors=vectors, floor=0.55)("qqq", vector=asked).hits
    words = Searcher.of(index, vectors=vectors, floor=0.55)("lamp 7", vector=asked, n=3)
    assert words.hits[0].product == 7


def test_a_small_shop_finds_by_meaning_too() -> None:
    """Among 24 products, those of a group of three are never three standard deviations from the mean."""
    titles = [f"thing {i}" for i in range(24)]
    vectors = np.zeros((24, 2), np.float32)
    vectors[:, 1], vectors[:3, 0] = 1.0, 1.0
    vectors[:3, 1] = 0.0
    searcher = Searcher.of(TextIndex.build({"title": titles}), vectors=vectors)
    found = searcher("present", 10, vector=np.array([1.0, 0.0], np.float32))
    assert [hit.product for hit in found.hits] == [0, 1, 2]
    level = Searcher.of(TextIndex.build({"title": titles}), vectors=vectors * 0 + 0.5)
    assert level("present", 10, vector=np.array([1.0, 0.0], np.float32)).total == 0
