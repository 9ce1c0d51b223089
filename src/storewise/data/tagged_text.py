"""Tagged text: one token (or character) and its tag a line, a blank line between sentences.

A space or a tab stands between the columns. With more than two columns the first is the token and the last the
tag (CoNLL files); a token may itself be a blank. Nothing here knows a language or a set of labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storewise.core.errors import DataError
from storewise.data.sources.raw import read_bytes
from storewise.metrics.spans import Span, parts_of_tag, spans_of_tags

DOCUMENT_START = "-DOCSTART-"


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """Tokens and the spans among them.

    >>> TaggedSentence(("red", "shoe"), (Span(1, 2, "type"),)).labels
    ('type',)
    """

    tokens: tuple[str, ...]
    spans: tuple[Span, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the spans, in order of the spans."""
        return tuple(span.label for span in self.spans)


def read_tagged(path: Path) -> list[TaggedSentence]:
    """The sentences of a file (.gz, .xz, .bz2 are unpacked; any line ends; the last blank line may be missing).

    Tags are BIO, with stray ``I`` as a span's start (IOB1), or BIOES, BMES, BILOU.

    Raises:
        DataError: no sentence, not UTF-8, a line without a tag, or a tag of no known scheme (with its line).
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start}).", next_step="Save it as UTF-8 and try again."
        ) from error
    found: list[TaggedSentence] = []
    tokens: list[str] = []
    tags: list[str] = []
    # Only line feeds part lines: tokens may be characters that str.splitlines takes for line ends.
    for number, line in enumerate((*text.split("\n"), ""), start=1):
        line = line.rstrip("\r")
        if line.strip(" \t"):
            if not line.startswith(DOCUMENT_START):
                token, tag = _columns(line, path, number)
                tokens.append(token)
                tags.append(tag)
        elif tokens:
            found.append(TaggedSentence(tuple(tokens), tuple(spans_of_tags(tags))))
            tokens, tags = [], []
    if not found:
        raise DataError(f"{path} holds no sentence.", next_step="Give lines of a token, a blank and its tag.")
    return found


def _columns(line: str, path: Path, number: int) -> tuple[str, str]:
    """Token and tag of a line."""
    line = line.rstrip(" \t")
    cut = max(line.rfind(" "), line.rfind("\t"))
    if cut < 0:
        raise DataError(
            f"{path}, line {number}: {line[:40]!r} has no tag.",
            next_step="Give a token, a space or tab, and its tag on every line.",
        )
    token, tag = line[:cut], line[cut + 1 :]
    if parts_of_tag(tag)[0] == "?":
        raise DataError(
            f"{path}, line {number}: {tag[:40]!r} is not a tag of BIO, BIOES, BMES or BILOU.",
            next_step="Use O, B-LABEL and I-LABEL.",
        )
    columns = token.split()
    return (columns[0] if len(columns) > 1 else token or " "), tag


def label_names(sentences: Sequence[TaggedSentence]) -> list[str]:
    """All labels, sorted.

    >>> label_names([TaggedSentence(("a", "b"), (Span(1, 2, "y"), Span(0, 1, "x")))])
    ['x', 'y']
    """
    return sorted({label for sentence in sentences for label in sentence.labels})
