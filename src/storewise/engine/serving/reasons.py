"""Reasons in words, in the languages of the shop's pages."""

from __future__ import annotations

from typing import Any, Literal

from storewise.engine.serving.catalogue import Catalogue
from storewise.recommend.request import Reason
from storewise.recommend.rerank.base import Move

Language = Literal["en", "zh"]

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "bought_with": "Bought with “{product}”",
        "bought_with?": "Bought with products you chose",
        "repeat": "You buy this every {value:.0f} days",
        "repeat?": "You have bought this before",
        "popular": "Popular: bought by {value:.0f} customers",
        "popular?": "Popular in this shop",
        "popular_in": "Popular in {text}",
        "popular_in?": "Popular in its category",
        "similar_customers": "Bought by {value:.0f} customers like you",
        "similar_customers?": "Bought by customers like you",
        "similar_content": "Similar to “{product}”",
        "similar_content?": "Similar to products you chose",
        "taste": "Fits your taste, near “{product}”",
        "taste?": "Fits your taste",
        "fallback": "Popular in this shop",
        "trending?": "Selling more than before",
        "season?": "In season: this time last year it sold more",
        "price?": "Priced as you usually buy",
        "like_basket?": "Like products you bought",
        "habit": "{value:.0%} of what you buy is of this {text}",
        "habit?": "Of a kind you often buy",
    },
    "zh": {
        "bought_with": "常与“{product}”一起购买",
        "bought_with?": "常与您选过的商品一起购买",
        "repeat": "您大约每 {value:.0f} 天购买一次",
        "repeat?": "您以前买过",
        "popular": "热销：{value:.0f} 位顾客购买过",
        "popular?": "本店热销",
        "popular_in": "“{text}”类热销",
        "popular_in?": "同类热销",
        "similar_customers": "{value:.0f} 位与您相似的顾客购买过",
        "similar_customers?": "与您相似的顾客购买过",
        "similar_content": "与“{product}”相似",
        "similar_content?": "与您选过的商品相似",
        "taste": "符合您的口味，接近“{product}”",
        "taste?": "符合您的口味",
        "fallback": "本店热销",
        "trending?": "销量上升",
        "season?": "应季：去年此时销量上升",
        "price?": "符合您常买的价位",
        "like_basket?": "与您买过的商品相似",
        "habit": "您购买的商品中有 {value:.0%} 属于该{text}",
        "habit?": "您常买的类型",
    },
}

_GROUPS: dict[Language, dict[str, str]] = {"en": {}, "zh": {"category": "类别", "brand": "品牌"}}
"""What a habit is of."""


def render(reason: Reason, catalogue: Catalogue, language: Language = "en") -> str:
    """The reason as a sentence; what the reason does not say is not made up.

    >>> import polars as pl
    >>> shop = Catalogue.of(pl.DataFrame({"product_id": ["a"], "title": ["Lamp"]}))
    >>> render(Reason("bought_with", product=0), shop)
    'Bought with “Lamp”'
    >>> render(Reason("repeat", value=34.2), shop, "zh")
    '您大约每 34 天购买一次'
    >>> render(Reason("habit", value=0.4, text="category"), shop, "zh")
    '您购买的商品中有 40% 属于该类别'
    """
    words = _WORDS[language]
    needed = {
        "bought_with": reason.product,
        "similar_content": reason.product,
        "taste": reason.product,
        "popular_in": reason.text,
    }
    told = needed.get(reason.kind, reason.value)
    if reason.kind == "similar_customers" and reason.value == 1:
        told = None
    template = words[reason.kind if told is not None or reason.kind == "fallback" else f"{reason.kind}?"]
    title = catalogue.titles[reason.product] if reason.product is not None else ""
    text = _GROUPS[language].get(reason.text or "", reason.text) if reason.kind == "habit" else reason.text
    return template.format(product=title, value=reason.value or 0.0, text=text or "")


_MOVES: dict[Language, tuple[str, str]] = {
    "en": (
        "Moved from place {before} to {after} by “{rule}”",
        "From place {before} to {after}: made room for “{rule}”",
    ),
    "zh": ("被“{rule}”从第 {before} 位移到第 {after} 位", "因“{rule}”从第 {before} 位移到第 {after} 位"),
}

_RULES: dict[Language, dict[str, str]] = {
    "en": {},
    "zh": {
        "category_mix": "类别搭配",
        "category_cap": "类别上限",
        "diversity": "多样性",
        "frequency_cap": "展示频次上限",
        "margin_floor": "毛利下限",
        "place": "指定位置",
    },
}
"""The rules' own names; a shop may give others."""


def moved(move: Move, language: Language = "en") -> dict[str, Any]:
    """A rule that moved an item, in plain values and in words; places count from 1.

    >>> moved(Move("diversity", 4, 1))["text"]
    'Moved from place 5 to 2 by “diversity”'
    """
    places = {"before": move.before + 1, "after": move.after + 1}
    text = _MOVES[language][move.made_room].format(rule=_RULES[language].get(move.rule, move.rule), **places)
    return {"rule": move.rule, **places, "made_room": move.made_room, "text": text}


def language(wanted: str | None, accept: str | None) -> Language:
    """From ``lang``, else from an Accept-Language header, else English.

    >>> language(None, "zh-CN,zh;q=0.9,en;q=0.8"), language("en", "zh"), language(None, "fr")
    ('zh', 'en', 'en')
    """
    if wanted in ("en", "zh"):
        return wanted  # type: ignore[return-value]
    choices = []
    for part in (accept or "").split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            choices.append((-float(quality or 1), name.lower()[:2]))
        except ValueError:
            continue
    known = [name for _, name in sorted(choices, key=lambda choice: choice[0]) if name in ("en", "zh")]
    return known[0] if known else "en"  # type: ignore[return-value]
