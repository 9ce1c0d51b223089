"""Words of products and of queries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storewise.recommend.search.analyser import index_words, normal, query_words


def asked(text: str) -> list[str]:
    return [word.text for word in query_words(text)]


def test_units_meet_however_they_are_written() -> None:
    assert {"128", "gb"} <= set(index_words("128GB")) & set(index_words("128 gb"))
    assert {"17", "inch"} <= set(index_words("17-inch"))
    assert {"17", "inch"} <= set(index_words("17inch"))


def test_accents_width_and_case_do_not_count() -> None:
    assert normal("Écran ＨＤＭＩ") == "ecran hdmi"
    assert index_words("CAFÉ") == index_words("cafe\u0301")


def test_chinese_words_are_found_inside_longer_ones() -> None:
    assert set(asked("蓝牙音箱")) <= set(index_words("便携式蓝牙音箱 红色"))
    assert asked("壳") == ["壳"]
    assert "壳" in index_words("手机壳")


def test_function_words_fall_out_unless_nothing_else_is_there() -> None:
    assert asked("case for the phone") == ["case", "phone"]
    assert asked("it") == ["it"]


def test_odd_texts_are_normal() -> None:
    assert asked("🎧 ☃ !!! '; DROP TABLE products;--") == ["drop", "table", "product"]
    assert asked("🎧") == []
    assert asked("a" * 100_000) == []
    assert len(asked("ab " * 100_000)) < 10_000


@given(st.text(max_size=60))
def test_a_query_word_without_a_stopword_is_found_in_its_own_text(text: str) -> None:
    words = set(index_words(text))
    assert {word.text for word in query_words(text)} <= words


@given(st.text(max_size=60))
def test_words_do_not_depend_on_case(text: str) -> None:
    if text.isascii():
        assert index_words(text.upper()) == index_words(text.lower())
