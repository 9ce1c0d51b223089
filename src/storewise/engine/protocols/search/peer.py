"""The simple rule beside: BM25 by the library bm25s, tuned as well as its settings allow."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from storewise.core.errors import MissingExtra
from storewise.core.progress import Progress
from storewise.engine.protocols.search.folds import ranked
from storewise.recommend.search.stemmer import singular

K1 = (0.9, 1.5, 2.2)
B = (0.3, 0.55, 0.8)


def available() -> bool:
    """Whether the library is installed."""
    return importlib.util.find_spec("bm25s") is not None


def texts(fields: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """What may be searched: concatenations of fields by name, from the title alone to everything.

    >>> texts({"title": ["a"], "brand": ["b"]})
    {'title': ['a'], 'title+brand': ['a b'], '3 title+brand': ['a a a b']}
    """
    found: dict[str, list[str]] = {}
    wordy = [name for name in fields if name not in ("attributes", "features", "id")]
    more = [*wordy, *(name for name in ("attributes",) if name in fields)]
    for used in (["title"], ["title", "description"], wordy, more):
        kept = [name for name in used if name in fields]
        if kept:
            found["+".join(kept)] = _joined(fields, kept)
    if "title" in fields and len(more) > 1:
        found["3 " + "+".join(more)] = _joined(fields, ["title", "title", *more])
    return found


def _joined(fields: Mapping[str, Sequence[str]], names: Sequence[str]) -> list[str]:
    return [
        " ".join(part for part in parts if part) for parts in zip(*(fields[n] for n in names), strict=True)
    ]


def trials(
    fields: Mapping[str, Sequence[str]], queries: Sequence[str], progress: Progress
) -> Iterator[tuple[dict[str, Any], list[list[int]]]]:
    """Each setting with its list for each query. Stemming: none, ours, and Snowball's English if it is installed.

    Raises:
        MissingExtra: without bm25s.
    """
    if not available():
        raise MissingExtra("bm25s", "benchmarks")
    import bm25s

    settings = [(name, text, stem) for name, text in texts(fields).items() for stem in _stemmers()]
    for name, text, stem in progress.track(settings, label="tuning bm25s"):
        told = {"stopwords": "en", "stemmer": _stemmers()[stem], "show_progress": False}
        corpus = bm25s.tokenize(text, **told)
        asked = bm25s.tokenize(list(queries), return_ids=False, **told)
        for k1 in K1:
            for b in B:
                model = bm25s.BM25(k1=k1, b=b)
                model.index(corpus, show_progress=False)
                known = model.vocab_dict
                lists = [_list(model, [w for w in words if w in known]) for words in asked]
                yield {"fields": name, "stemmer": stem, "k1": k1, "b": b}, lists


def _list(model: Any, words: list[str]) -> list[int]:
    return ranked(np.asarray(model.get_scores(words))) if words else []


def _stemmers() -> dict[str, Any]:
    found: dict[str, Any] = {"none": None, "plural": lambda words: [singular(word) for word in words]}
    if importlib.util.find_spec("Stemmer") is not None:
        found["english"] = importlib.import_module("Stemmer").Stemmer("english")
    return found
