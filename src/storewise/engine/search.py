"""Use case: a shopper's words → products, by the serving snapshot, with a true reason for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from storewise.core.errors import InputError, LimitExceeded
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.reasons import Language
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Filters
from storewise.recommend.search.explain import Match
from storewise.recommend.search.searcher import Found, Hit

MAX_QUERY = 1000  # characters
_HOW: dict[Language, dict[str, str]] = {
    "en": {"exact": "“{found}”", "other": "“{found}” for “{word}”", "in": "{words} in {fields}",
           "meaning": "Similar in meaning", "and": ", "},
    "zh": {"exact": "“{found}”", "other": "“{found}”（“{word}”）", "in": "{fields}含{words}", "meaning": "含义相近",
           "and": "、"},
}  # fmt: skip
_FIELDS: dict[Language, dict[str, str]] = {
    "en": {"title": "title", "description": "description", "category": "category", "brand": "brand",
           "attributes": "attributes", "features": "attributes", "id": "product id"},
    "zh": {"title": "标题", "description": "描述", "category": "类目", "brand": "品牌", "attributes": "属性",
           "features": "属性", "id": "商品编号"},
}  # fmt: skip


@dataclass(frozen=True)
class Query:
    """What is asked. ``complete``: the last word may be unfinished (a box that searches while one types)."""

    text: str
    n: int = 20
    filters: Filters = field(default_factory=Filters)
    complete: bool = True


@dataclass(frozen=True)
class Result:
    """``notes``: in words, what was left out and why."""

    query: Query
    found: Found
    snapshot: Snapshot
    notes: tuple[str, ...]


def search(snapshot: Snapshot, query: Query) -> Result:
    """Find products; by words alone where the snapshot has no vectors, or their encoder is not installed here.

    Raises:
        InputError: for a query without a letter or digit.
        LimitExceeded: for a query of more than 1,000 characters.
    """
    if len(query.text) > MAX_QUERY:
        raise LimitExceeded(
            f"The query has {len(query.text):,} characters.", next_step=f"Give at most {MAX_QUERY:,}."
        )
    if not query.text.strip():
        raise InputError(
            "The query is empty.", next_step="Give q=words, or list what sells with GET /v1/popular."
        )
    searcher = snapshot.searcher
    vector, notes = None, tuple[str, ...]()
    if snapshot.content is None:
        notes = ("by words alone: products have not been read as vectors",)
    elif snapshot.content.encoder is None:
        notes = ("by words alone: the encoder of the product vectors is not installed here",)
    else:
        vector = snapshot.content.encoder.queries([query.text])[0]
    eligible = snapshot.eligibility.mask(query.filters)
    found = searcher(query.text, query.n, vector=vector, eligible=eligible, complete=query.complete)
    return Result(query, found, snapshot, notes)


def payload(result: Result, language: Language = "en") -> dict[str, Any]:
    """The answer in plain values, as the API and the command line give it; see docs/api.md."""
    catalogue = result.snapshot.catalogue
    items = [_item(hit, position, catalogue, language) for position, hit in enumerate(result.found.hits)]
    read_as = [{"word": word.text, "known": bool(word.alternatives)} for word in result.found.wanted]
    return {
        "query": result.query.text,
        "snapshot": result.snapshot.id,
        "total": result.found.total,
        "words": read_as,
        "notes": list(result.notes),
        "items": items,
    }


def _item(hit: Hit, position: int, catalogue: Catalogue, language: Language) -> dict[str, Any]:
    reason = {
        "kind": "words" if hit.matches else "meaning",
        "matches": [
            {"word": m.word, "found": m.found, "how": m.kind, "fields": list(m.fields)} for m in hit.matches
        ],
        "similarity": hit.similarity,
        "text": told(hit.matches, language),
    }
    return catalogue.payload(hit.product) | {"position": position, "score": hit.score, "reason": reason}


def told(matches: Sequence[Match], language: Language = "en") -> str:
    """The reason as a sentence.

    >>> told([Match("lampp", "lamp", "corrected", ("title",))])
    '“lamp” for “lampp” in title'
    >>> told([])
    'Similar in meaning'
    """
    how, names = _HOW[language], _FIELDS[language]
    if not matches:
        return how["meaning"]
    grouped: dict[str, list[str]] = {}
    for match in matches:
        same = match.kind in ("exact", "parts") or match.found == match.word
        text = how["exact" if same else "other"].format(word=match.word, found=match.found)
        grouped.setdefault(names.get(match.fields[0], match.fields[0]), []).append(text)
    parts = [how["in"].format(words=how["and"].join(words), fields=name) for name, words in grouped.items()]
    return ("; " if language == "en" else "；").join(parts)
