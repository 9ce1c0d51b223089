"""What the field sees, and the dictionary that leaves its own sentence out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storewise.data.tagged_text import TaggedSentence
from storewise.metrics.spans import Span
from storewise.understand.tagging.dictionary import Dictionary, Match, forward, keys_of
from storewise.understand.tagging.dictionary_state import dictionary_of_arrays, dictionary_to_arrays
from storewise.understand.tagging.features import features_of, is_character_text
from storewise.understand.tagging.longest_match import LongestMatch
from storewise.understand.tagging.shapes import character_class, normal, shape

Titles = Callable[..., list[TaggedSentence]]


def test_leaving_a_sentence_out_is_the_dictionary_of_the_others(titles: Titles) -> None:
    sentences = titles(25, 1)
    whole = Dictionary.of(sentences)
    for number, sentence in enumerate(sentences):
        others = Dictionary.of(sentences[:number] + sentences[number + 1 :])
        assert whole.matches(sentence.tokens, sentence) == others.matches(sentence.tokens)


def test_shares_are_counted_over_all_places_of_a_piece() -> None:
    sentences = [
        TaggedSentence(("a", "b"), (Span(0, 1, "x"),)),
        TaggedSentence(("a", "a", "c"), (Span(1, 2, "y"), Span(2, 3, "y"))),
        TaggedSentence(("A",), (Span(0, 1, "y"),)),
    ]
    found = Dictionary.of(sentences).matches(["a", "b", "c"])
    assert found == [Match(0, 1, "y", pytest.approx(2 / 4)), Match(2, 3, "y", 1.0)]


def test_a_dictionary_survives_as_arrays(titles: Titles) -> None:
    dictionary = Dictionary.of(titles(30, 2))
    again = dictionary_of_arrays(dictionary_to_arrays(dictionary))
    for sentence in titles(20, 3):
        assert again.matches(sentence.tokens) == dictionary.matches(sentence.tokens)
    empty = dictionary_of_arrays(dictionary_to_arrays(Dictionary({}, {})))
    assert empty.matches(["a"]) == []


def test_maximum_matching_leaves_no_longer_piece_at_its_place(titles: Titles) -> None:
    dictionary = Dictionary.of(titles(30, 4))
    for sentence in titles(20, 5):
        matches = dictionary.matches(sentence.tokens)
        for chosen in forward(matches):
            assert chosen.end == max(m.end for m in matches if m.start == chosen.start)


def test_the_simple_rule_finds_what_it_has_seen() -> None:
    rule = LongestMatch(least_share=0.6)
    rule.train([TaggedSentence(("usb", "cable"), (Span(0, 2, "type"),)), TaggedSentence(("usb", "hub"), ())])
    assert rule.tag(["USB", "cable"]) == [Span(0, 2, "type")]
    assert rule.tag(["usb"]) == []
    assert LongestMatch().tag(["usb"]) == []


def test_features_differ_by_place_and_never_by_other_sentences(titles: Titles) -> None:
    dictionary = Dictionary.of(titles(10, 6))
    one = features_of(["new", "Acme", "lamp"], dictionary, characters=False)
    assert one == features_of(["new", "Acme", "lamp"], dictionary, characters=False)
    assert len({tuple(names) for names in one}) == 3
    assert any(name.startswith("fw=") for name in one[2])
    assert features_of([], dictionary, characters=True) == []


def test_repetition_is_seen() -> None:
    found = features_of(list("红牛xx红牛"), Dictionary({}, {}), characters=True)
    assert "again=2,1" in found[0]
    assert "again=1,2" in found[5]
    assert not any(name.startswith("again") for name in found[2] if name != "again=1,2")


@pytest.mark.parametrize(
    ("token", "expected"), [("", ""), ("Ω", "l"), ("é", "a"), ("漢", "h"), ("か", "j"), ("한", "k"), ("½", "d"),
                            ("\u200b", "s"), ("👟", "m"), ("Ж", "y")]
)  # fmt: skip
def test_shapes_of_every_script(token: str, expected: str) -> None:
    assert shape(token) == expected
    assert "".join(map(character_class, token)) == expected


def test_forms_never_break_the_arrays() -> None:
    assert normal("a\nb\x1fc\r") == "a b c "
    assert keys_of(["Ａ", "ﬁ"]) == ("a", "fi")
    assert normal("") == ""


def test_characters_are_told_from_words() -> None:
    assert is_character_text([list("手机壳5g")])
    assert not is_character_text([["phone", "a", "5"]])
    assert is_character_text([]) is False
