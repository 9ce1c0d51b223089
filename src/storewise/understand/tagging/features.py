"""What a linear-chain CRF sees at a token: neighbours, kinds of characters, affixes, dictionary, repetition.

Everything is learned from the given sentences or looked at in the sentence itself; no language is assumed. Text
of single characters (Chinese, Japanese) gets longer windows of n-grams, words get affixes.
"""

from __future__ import annotations

from collections.abc import Sequence

from storewise.data.tagged_text import TaggedSentence
from storewise.understand.tagging.dictionary import Dictionary, Match, backward, forward
from storewise.understand.tagging.shapes import normal as normal_form
from storewise.understand.tagging.shapes import shape

WINDOWS_OF_CHARACTERS = {1: range(-3, 4), 2: range(-3, 3), 3: range(-3, 2), 4: range(-3, 1)}
WINDOWS_OF_WORDS = {1: range(-2, 3), 2: range(-2, 2), 3: range(-2, 1)}
BEFORE, AFTER = "\x02", "\x03"  # stand for what is outside the sentence
AFFIXES = range(1, 5)
MOST_REPEATED = 12  # places of a token that are compared; a title has fewer

Features = list[list[str]]
"""For each token the names of what is true there."""


def is_character_text(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether tokens are single characters rather than words.

    >>> is_character_text([["手", "机", "壳"]]), is_character_text([["phone", "case", "4"]])
    (True, False)
    """
    tokens = [token for sentence in sentences for token in sentence]
    return sum(len(token) <= 1 for token in tokens) > 0.8 * max(1, len(tokens))


def features_of(
    tokens: Sequence[str], dictionary: Dictionary, *, characters: bool, own: TaggedSentence | None = None
) -> Features:
    """Names of the features of each token; ``own`` is given for sentences that the dictionary was made from.

    >>> found = features_of(["red", "shoe"], Dictionary({}, {}), characters=False)
    >>> len(found), "1:0=red" in found[0], "suffix=hoe" in found[1]
    (2, True, True)
    """
    text = [normal_form(token) for token in tokens]
    found: Features = [[] for _ in text]
    _add_windows(found, text, WINDOWS_OF_CHARACTERS if characters else WINDOWS_OF_WORDS, "")
    _add_shapes(found, tokens)
    if not characters:
        _add_affixes(found, text)
    _add_matches(found, dictionary.matches(tokens, own))
    _add_repetition(found, text)
    return found


def _add_windows(found: Features, text: Sequence[str], windows: dict[int, range], prefix: str) -> None:
    """n-grams around each token, named by size and offset."""
    margin = 4
    padded = [BEFORE] * margin + list(text) + [AFTER] * margin
    for size, offsets in windows.items():
        grams = ["\x01".join(padded[i : i + size]) for i in range(len(padded) - size + 1)]
        for offset in offsets:
            head = f"{prefix}{size}:{offset}="
            for position, names in enumerate(found):
                names.append(head + grams[position + margin + offset])


def _add_shapes(found: Features, tokens: Sequence[str]) -> None:
    """Kinds of characters in a window, alone and joined, and the length of a token."""
    shapes = [shape(token) for token in tokens]
    _add_windows(found, shapes, {1: range(-1, 2), 2: range(-1, 1), 3: range(-2, 1), 4: range(-2, 0)}, "s")
    for names, token in zip(found, tokens, strict=True):
        names.append(f"length={min(len(token), 8)}")


def _add_affixes(found: Features, text: Sequence[str]) -> None:
    for names, token in zip(found, text, strict=True):
        for size in AFFIXES:
            if len(token) > size:
                names.append(f"prefix={token[:size]}")
                names.append(f"suffix={token[-size:]}")


def _add_matches(found: Features, matches: Sequence[Match]) -> None:
    """Where the dictionary's pieces begin, end and cover, by maximum matching from both sides."""
    for name, chosen in (("fw", forward(matches)), ("bw", backward(matches))):
        for match in chosen:
            trust = "hi" if match.share >= 0.7 else "mid" if match.share >= 0.3 else "lo"
            size = min(match.end - match.start, 5)
            for position in range(match.start, match.end):
                place = _place(position, match)
                found[position].append(f"{name}={place}-{match.label}-{trust}")
                found[position].append(f"{name}{size}={place}")
            if match.end < len(found):
                found[match.end].append(f"{name}after={match.label}-{trust}")
            if match.start:
                found[match.start - 1].append(f"{name}before={match.label}-{trust}")
    begins: dict[int, Match] = {}
    ends: dict[int, Match] = {}
    for match in matches:  # by start and then length: the longest comes last
        begins[match.start] = match
        ends.setdefault(match.end - 1, match)
    for name, places in (("begins", begins), ("ends", ends)):
        for position, match in places.items():
            found[position].append(f"{name}={match.label}-{min(match.end - match.start, 5)}")


def _place(position: int, match: Match) -> str:
    if match.end - match.start == 1:
        return "S"
    if position == match.start:
        return "B"
    return "E" if position == match.end - 1 else "M"


def _add_repetition(found: Features, text: Sequence[str]) -> None:
    """How long a piece beginning or ending here stands elsewhere in the sentence too."""
    places: dict[str, list[int]] = {}
    for position, token in enumerate(text):
        places.setdefault(token, []).append(position)
    for position, token in enumerate(text):
        after = before = 0
        for other in places[token][:MOST_REPEATED]:
            if other != position:
                after = max(after, _common(text, position, other, 1))
                before = max(before, _common(text, position, other, -1))
        if after > 1 or before > 1:
            found[position].append(f"again={min(after, 4)},{min(before, 4)}")


def _common(text: Sequence[str], one: int, other: int, step: int, most: int = 4) -> int:
    """Length of the common piece that runs from two places in one direction."""
    size = 0
    while size < most and min(one, other) >= 0 and max(one, other) < len(text) and text[one] == text[other]:
        size, one, other = size + 1, one + step, other + step
    return size
