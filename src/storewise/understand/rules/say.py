"""A rule in words: its own, or a sentence made from its condition."""

from __future__ import annotations

from typing import Literal

from storewise.understand.rules.spec import RuleSpec

_DEFAULT = {
    "en": {
        "forbid": "Rule “{name}” holds back products for which: {text}{when}",
        "require": "Rule “{name}” keeps only products for which: {text}{when}",
        "prefer": "Rule “{name}” moves up products for which: {text}{when}",
        "avoid": "Rule “{name}” moves down products for which: {text}{when}",
    },
    "zh": {
        "forbid": "规则“{name}”不推荐符合以下条件的商品：{text}{when}",
        "require": "规则“{name}”只推荐符合以下条件的商品：{text}{when}",
        "prefer": "规则“{name}”优先推荐符合以下条件的商品：{text}{when}",
        "avoid": "规则“{name}”靠后推荐符合以下条件的商品：{text}{when}",
    },
}
_WHEN = {"en": " (when {when})", "zh": "（前提：{when}）"}


def say(spec: RuleSpec, language: Literal["en", "zh"] = "en") -> str:
    """The rule in English or Chinese.

    >>> say(RuleSpec(name="own", prefer='candidate.brand = "own"'))
    'Rule “own” moves up products for which: candidate.brand = "own"'
    >>> say(RuleSpec(name="own", prefer='candidate.brand = "own"', say_zh="优先自有品牌"), "zh")
    '优先自有品牌'
    """
    own = spec.say_en if language == "en" else spec.say_zh
    if own is not None:
        return own
    when = _WHEN[language].format(when=spec.when) if spec.when is not None else ""
    return _DEFAULT[language][spec.action].format(name=spec.name, text=spec.text, when=when)
