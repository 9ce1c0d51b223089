"""Files of tagged sentences in the forms in which they come."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from storewise.core.errors import DataError
from storewise.data.tagged_text import label_names, read_tagged
from storewise.metrics.spans import Span

PLAIN = "red O\nshoe B-type\n\nblue\tO\n"


def _written(folder: Path, text: str | bytes) -> Path:
    file = folder / "some.txt"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_spaces_tabs_and_a_missing_last_blank_line(tmp_path: Path) -> None:
    found = read_tagged(_written(tmp_path, PLAIN))
    assert [s.tokens for s in found] == [("red", "shoe"), ("blue",)]
    assert [s.spans for s in found] == [(Span(1, 2, "type"),), ()]


def test_line_ends_a_byte_order_mark_and_packing_change_nothing(tmp_path: Path) -> None:
    expected = read_tagged(_written(tmp_path, PLAIN))
    assert read_tagged(_written(tmp_path, b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode())) == expected
    assert read_tagged(_written(tmp_path, "\n \n" + PLAIN + "\n\n \n")) == expected
    packed = tmp_path / "some.txt.gz"
    packed.write_bytes(gzip.compress(PLAIN.encode()))
    assert read_tagged(packed) == expected


def test_conll_columns_and_document_lines(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\nGerman JJ I-NP I-MISC\n"
    (sentence,) = read_tagged(_written(tmp_path, text))
    assert sentence.tokens == ("EU", "rejects", "German")
    assert sentence.spans == (Span(0, 1, "ORG"), Span(2, 3, "MISC"))


@pytest.mark.parametrize("token", ["\u3000", "\u2028", "\x85", " ", "\x0b"])
def test_a_token_may_be_a_blank_or_a_line_end_of_unicode(tmp_path: Path, token: str) -> None:
    (sentence,) = read_tagged(_written(tmp_path, f"a O\n{token} B-x\nb I-x\n"))
    assert sentence.spans == (Span(1, 3, "x"),)


def test_labels_are_sorted_and_known_once(tmp_path: Path) -> None:
    assert label_names(read_tagged(_written(tmp_path, "a B-z\nb B-a\nc I-z\n"))) == ["a", "z"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "empty"),
        (b"\n\n \n", "holds no sentence"),
        (b"a O\nb\n", "line 2: 'b' has no tag"),
        (b"a O\n\nb brand\n", "line 3: 'brand' is not a tag"),
        (b"a\xff O\n", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_tagged_text_says_where(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tagged(_written(tmp_path, text))
