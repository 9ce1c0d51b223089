"""The tagger as others use it: learning, spans with confidence, text, arrays, and odd input."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from storewise.core.artifact import Artifact, read, write
from storewise.core.errors import ConfigError, StateError, UnknownName
from storewise.data.tagged_text import TaggedSentence
from storewise.metrics.spans import Span, f1, match_counts
from storewise.understand.tagging import choose as chooser
from storewise.understand.tagging.choose import choose, split
from storewise.understand.tagging.longest_match import LongestMatch
from storewise.understand.tagging.tagger import Tagger, TaggerConfig
from storewise.understand.tagging.tokens import tokens_of

pytest.importorskip("pycrfsuite", reason="needs python-crfsuite")
Titles = Callable[..., list[TaggedSentence]]
QUICK = TaggerConfig(iterations=25)


@pytest.fixture
def tagger(titles: Titles) -> Tagger:
    made = Tagger(QUICK)
    made.train(titles(80, 1))
    return made


def test_it_finds_spans_it_never_saw_in_this_order(tagger: Tagger, titles: Titles) -> None:
    test = titles(60, 2)
    found = tagger.tag_all([sentence.tokens for sentence in test])
    spans = [[Span(*one[:3]) for one in row] for row in found]
    assert f1(match_counts([sentence.spans for sentence in test], spans)) > 0.9
    for row, sentence in zip(found, test, strict=True):
        assert all(0 <= one.start < one.end <= len(sentence.tokens) for one in row)
        assert all(tagger.config.least < one.confidence <= 1 for one in row)
        assert all(a.end <= b.start for a, b in itertools.pairwise(row))


def test_characters_work_as_words_do(titles: Titles) -> None:
    tagger = Tagger(QUICK)
    tagger.train(titles(80, 3, characters=True))
    assert tagger.characters
    found = [(one.start, one.end, one.label) for one in tagger.tag_text("new  Acme lamp")]
    assert found == [(5, 9, "brand"), (10, 14, "type")]


def test_places_in_a_text_are_its_own_characters(tagger: Tagger) -> None:
    text = "cheap  phone case (Acme)"
    found = {one.label: text[one.start : one.end] for one in tagger.tag_text(text)}
    assert found == {"type": "phone case", "brand": "Acme"}


def test_an_artifact_gives_the_same_tagger_again(tagger: Tagger, titles: Titles, tmp_path: Path) -> None:
    loaded = read(write(Artifact("tagger", {}, dict(tagger.state())), tmp_path))
    again = Tagger(QUICK)
    again.restore(loaded.arrays)
    texts = [sentence.tokens for sentence in titles(20, 4)]
    assert again.tag_all(texts) == tagger.tag_all(texts)


@pytest.mark.parametrize("tokens", [[], [""], [" "], ["\n"], ["\x00"], ["👟" * 50], ["x"] * 2000])
def test_odd_sentences_are_normal_input(tagger: Tagger, tokens: list[str]) -> None:
    assert all(one.end <= len(tokens) for one in tagger.tag(tokens))


def test_a_very_long_text_is_tagged_to_its_end(tagger: Tagger) -> None:
    text = "new Acme lamp " * 1500  # 21,000 characters
    found = tagger.tag_text(text)
    assert len(found) > 2900
    assert {text[one.start : one.end] for one in found} == {"Acme", "lamp"}
    assert found[-1].end == len(text) - 1


def test_training_text_with_control_characters_survives_as_arrays() -> None:
    odd = [TaggedSentence(("a\nb", "\x1f", "c\x00"), (Span(0, 2, "x\ty"),))] * 4
    tagger = Tagger(QUICK)
    tagger.train(odd)
    again = Tagger(QUICK)
    again.restore(tagger.state())
    assert again.tag(odd[0].tokens) == tagger.tag(odd[0].tokens) != []


def test_a_label_that_is_empty_is_a_label() -> None:
    tagger = Tagger(QUICK)
    tagger.train([TaggedSentence(("a", "b"), (Span(1, 2, ""),))] * 5)
    assert [(one.start, one.label) for one in tagger.tag(["a", "b"])] == [(1, "")]
    again = Tagger(QUICK)
    again.restore(tagger.state())
    assert again.tag(["a", "b"]) == tagger.tag(["a", "b"])


def test_nothing_to_learn_finds_nothing_and_says_so_when_untrained() -> None:
    tagger = Tagger()
    with pytest.raises(StateError, match="not been trained"):
        tagger.tag(["a"])
    tagger.train([TaggedSentence(("a",), ())])
    assert tagger.tag(["a"]) == []
    again = Tagger()
    again.restore(tagger.state())
    assert again.tag(["a"]) == []


@pytest.mark.parametrize(
    "values", [{"crf_weight": 0.0}, {"encoder_weight": 1.0}, {"crf_weight": 0.0, "encoder": "e5"}]
)
def test_a_tagger_without_parts_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Tagger(TaggerConfig.model_validate(values))


def test_choosing_holds_out_what_it_judges_by(titles: Titles) -> None:
    sentences = titles(120, 5)
    fit, held = split(sentences, seed=1)
    assert (len(fit), len(held)) == (100, 20)
    found = choose(sentences, candidates=["dictionary", "crf"], seed=1)
    assert [variant.name for variant in found.variants] == ["dictionary", "crf"]
    assert found.selected == max(found.variants, key=lambda v: v.validation).name
    assert "20 held-out" in found.reason
    trained = found.refit(sentences, seed=1)
    assert isinstance(trained["dictionary"], LongestMatch)
    assert isinstance(trained["crf"], Tagger)


def test_choosing_works_on_hardly_anything(titles: Titles) -> None:
    for n in (1, 2, 12):
        found = choose(titles(n, 6), candidates=["dictionary", "crf"])
        assert found.refit(titles(n, 6), seed=0).keys() >= {"dictionary"}
    nothing = [TaggedSentence(("a",), ())] * 20
    assert choose(nothing, candidates=["dictionary", "crf"]).selected == "dictionary"
    with pytest.raises(ConfigError, match="no tagger to choose"):
        choose(nothing, candidates=["crf"])


def test_an_unknown_candidate_is_named(titles: Titles) -> None:
    pytest.importorskip("torch", reason="needs the extra finetune")
    with pytest.raises(UnknownName, match="no encoder 'bart'"):
        choose(titles(20, 7), candidates=["bart"])


def test_without_extras_the_field_is_still_there(titles: Titles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chooser.encoders, "NEEDED", ("no_such_library",))
    found = choose(titles(40, 8))
    assert [variant.name for variant in found.variants] == ["dictionary", "crf"]


def test_tokens_keep_their_places() -> None:
    text = "Größe 42,5 – café 手機殼 ｶﾞ 'n' é\u0301x\n"
    for token in tokens_of(text):
        assert text[token.start : token.end] == token.text
    assert "".join(token.text for token in tokens_of(text)) == "".join(text.split())
    assert [token.text for token in tokens_of("e\u0301te\u0301 X")] == ["e\u0301te\u0301", "X"]
    assert tokens_of("") == tokens_of(" \n", characters=True) == []
    assert np.all([len(token.text) == 1 for token in tokens_of(text, characters=True)])
