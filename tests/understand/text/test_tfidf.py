"""TF-IDF with SVD against scikit-learn, and its promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from storewise.understand.text.tfidf import TfidfSvd, TfidfSvdConfig, terms_of

TEXTS = [
    f"{c} {n} {s}"
    for c in ("red", "blue", "green")
    for n in ("cup", "mug", "bowl", "chair")
    for s in ("small", "set of 6")
]


def test_weights_and_similarities_are_those_of_scikit_learn() -> None:
    ours = TfidfSvd(TfidfSvdConfig(size=6, min_products=1))
    ours.train(TEXTS, rng=np.random.default_rng(0))
    theirs = TfidfVectorizer(analyzer=lambda text: terms_of(text, 4), sublinear_tf=True)
    matrix = theirs.fit_transform(TEXTS)
    mine = ours.weigh([terms_of(text, 4) for text in TEXTS]).toarray()
    assert sorted(theirs.get_feature_names_out()) == list(ours._terms)
    order = np.argsort(theirs.get_feature_names_out())
    np.testing.assert_allclose(mine, matrix.toarray()[:, order], atol=1e-6)
    reduced = TruncatedSVD(6, algorithm="arpack", random_state=0).fit_transform(matrix)
    reduced /= np.linalg.norm(reduced, axis=1, keepdims=True)
    found = ours(TEXTS)
    np.testing.assert_allclose(found @ found.T, reduced @ reduced.T, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_text_gives_rows_of_length_one_or_zero(batch: list[str]) -> None:
    model = TfidfSvd(TfidfSvdConfig(size=4, min_products=1))
    model.train(TEXTS, rng=np.random.default_rng(0))
    found = model(batch)
    assert found.shape == (len(batch), 4)
    lengths = np.linalg.norm(found, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()


@pytest.mark.parametrize("texts", [[], [""], ["one"], ["", "", "same same"]])
def test_hardly_any_text_is_a_normal_input(texts: list[str]) -> None:
    model = TfidfSvd(TfidfSvdConfig(min_products=1))
    model.train(texts, rng=np.random.default_rng(0))
    assert model(["", "one", "红色"]).shape == (3, model.dimensions)
    again = TfidfSvd()
    again.restore(model.state())
    np.testing.assert_array_equal(again(["one", "same"]), model(["one", "same"]))
    assert again.fingerprint == model.fingerprint
