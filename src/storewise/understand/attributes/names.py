"""Our attribute behind a shop's column or key: "Color", "baseColour", "attr_t_product_colour" and 颜色 are colour."""

from __future__ import annotations

import re

_FILLERS = {
    "attr",
    "attribute",
    "t",
    "n",
    "b",
    "product",
    "item",
    "base",
    "main",
    "primary",
    "recommended",
    "article",
    "name",
}
_ALIASES: dict[str, tuple[str, ...]] = {
    "brand": ("brand", "supplier", "manufacturer", "vendor", "maker", "品牌"),
    "type": ("type", "kind", "类型", "品类"),
    "colour": ("colour", "color", "colours", "colors", "颜色"),
    "material": ("material", "materials", "fabric", "材质", "面料"),
    "audience": ("audience", "gender", "sex", "target group", "age group", "适用人群", "性别"),
    "pattern": ("pattern", "图案"),
    "size": ("size", "尺码"),
    "quantity": ("quantity per pack", "pack quantity", "pack size", "pack count", "pieces", "件数"),
    "weight": ("weight", "net weight", "重量", "净含量"),
    "volume": ("volume", "capacity", "容量"),
    "length": ("length", "cable length", "display diagonal", "screen size", "diagonal", "长度"),
    "power": ("power", "wattage", "功率"),
    "voltage": ("voltage", "电压"),
    "current": ("current", "电流"),
    "storage": ("storage", "storage capacity", "total storage capacity", "internal memory", "memory", "内存"),
    "charge": ("battery capacity", "电池容量"),
    "frequency": ("frequency", "processor frequency"),
    "age": ("age", "recommended age", "年龄"),
}
_NAME_OF = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}


def known_name(column: str) -> str | None:
    """The attribute that a column holds, or None; words that qualify it make it another one.

    >>> [known_name(c) for c in ("baseColour", "attr_t_product_colour", "cable_colour", "articleType", "品牌")]
    ['colour', 'colour', None, 'type', 'brand']
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).lower()
    parts = [w for w in re.split(r"[\W_]+", words) if w]
    bare = [w for w in parts if w not in _FILLERS] or parts
    return _NAME_OF.get(" ".join(bare))
