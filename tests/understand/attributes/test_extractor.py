"""Rules and lists together: what holds for every product, what the shop teaches, what survives a restart."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.understand.attributes import (
    AttributeValue,
    Extractor,
    Product,
    from_frame,
    of_frame,
    resolve,
    to_frame,
)
from storewise.understand.attributes.calibrate import Calibration
from storewise.understand.attributes.gazetteer import built_in
from storewise.understand.attributes.learn import learn

BARE = Extractor()


def found(title: str, extractor: Extractor = BARE) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for value in extractor([Product(title)])[0]:
        values.setdefault(value.name, []).append(value.text)
    return values


@pytest.mark.parametrize(
    ("title", "name", "values"),
    [
        ("RED METAL SIGN LARGE", "colour", ["red"]),
        ("RED METAL SIGN LARGE", "material", ["metal"]),
        ("RED METAL SIGN LARGE", "size", ["large"]),
        ("CAROUSEL CHILDRENS APRON", "audience", ["children"]),
        ("Children's rain coat", "audience", ["children"]),
        ("Navy Blue polo", "colour", ["navy"]),
        ("不锈钢保温杯 红色 500ml", "material", ["stainless steel"]),
        ("不锈钢保温杯 红色 500ml", "colour", ["red"]),
        ("不锈钢保温杯 红色 500ml", "volume", ["500 ml"]),
        ("👟男女童鞋 黑白 M码", "size", ["M"]),
        ("RetroSpot polka dot bag", "pattern", ["polka dot"]),
        ("haier/海尔 冰箱 200升", "brand", ["haier/海尔"]),
        ("Ｒｅｄ ｂａｇ", "colour", ["red"]),
    ],
)
def test_values_are_found(title: str, name: str, values: list[str]) -> None:
    assert found(title).get(name) == values


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("法国红酒 750ml", "colour"), ("红木家具", "colour"), ("Xeon Silver server", "colour"), ("蓝牙耳机", "colour"),
        ("清代釉青花加白花鸟", "colour"), ("Reading glasses", "material"), ("猫头鹰摆件", "audience"), ("Blackboard", "colour"),
    ],
)  # fmt: skip
def test_a_word_inside_another_is_not_a_value(title: str, name: str) -> None:
    assert name not in found(title)


def test_nothing_is_found_inside_a_brand_or_a_longer_value() -> None:
    shop = Extractor()
    shop._learn(learn([Product("x", given={"brand": ("Red Bull",)})]), Calibration())
    assert found("Red Bull energy drink 250ml", shop)["brand"] == ["Red Bull"]
    assert "colour" not in found("Red Bull energy drink 250ml", shop)
    assert found("Rose gold ring")["colour"] == ["rose gold"]
    assert "material" not in found("Rose gold ring")


def test_a_brand_after_for_is_not_the_maker() -> None:
    shop = Extractor()
    shop._learn(learn([Product("x", given={"brand": (b,)}) for b in ("Acme", "Zenith")]), Calibration())
    assert found("Acme case for Zenith phone", shop)["brand"] == ["Acme"]
    assert "brand" not in found("Case for Zenith", shop)


def test_a_given_value_wins_and_takes_the_span_that_says_the_same() -> None:
    product = Product("Blue and red bag", given={"colour": ("Red",), "brand": ("Acme",)})
    values = {v.name: v for v in BARE([product])[0]}
    assert [v.value for v in BARE([product])[0] if v.name == "colour"] == ["red"]
    assert (values["colour"].start, values["colour"].end, values["colour"].method) == (9, 12, "given")
    assert (values["brand"].start, values["brand"].confidence) == (-1, 1.0)


def test_other_methods_take_part_by_their_confidence() -> None:
    def said(value: str, start: int, sure: float) -> AttributeValue:
        return AttributeValue("type", value, None, value, "title", start, start + len(value), sure, "tagger")

    title = "gadget for lamp"
    sure, unsure = said("gadget", 0, 0.95), said("gadget", 0, 0.31)
    assert [v.value for v in BARE([Product(title)], others=[[sure]])[0] if v.name == "type"] == ["gadget"]
    with_lamp = BARE([Product("gadget lamp")], others=[[unsure]])[0]
    assert [v.value for v in with_lamp if v.name == "type"] == ["lamp"]


PHRASES = [e.phrase for e in built_in()][::9]
WORDS = st.sampled_from(
    [*PHRASES, "red", "红", "500ml", "12件装", "👟", "set of 3", "ＸＬ码", ",", "for", "/", "İ"]
)
TITLES = st.one_of(
    st.text(max_size=50),
    st.lists(WORDS, max_size=15).map(" ".join),
    st.lists(WORDS, max_size=15).map("".join),
)


@given(TITLES, TITLES)
@settings(max_examples=80, deadline=None)
def test_spans_slice_the_original_and_do_not_overlap(title: str, description: str) -> None:
    product = Product(title, description)
    values = BARE([product])[0]
    for value in values:
        assert value.placed
        assert getattr(product, value.field)[value.start : value.end] == value.raw
        assert 0 < value.confidence <= 1
    for i, one in enumerate(values):
        assert not any(one.name == other.name and one.overlaps(other) for other in values[i + 1 :])


@given(TITLES)
@settings(max_examples=50, deadline=None)
def test_choosing_again_changes_nothing(title: str) -> None:
    chosen = resolve(BARE.candidates(Product(title)))
    assert resolve(chosen) == chosen


def shop_of(n: int = 60) -> list[Product]:
    kinds = [("Mugs", "mug"), ("Lamps", "lantern"), ("Chairs", "armchair")]
    brands = ["Acme", "Bolt & Co", "Zenith"]
    return [
        Product(
            f"{brands[i % 3]} red {kinds[i // 3 % 3][1]} {i}",
            category=kinds[i // 3 % 3][0],
            given={"brand": (brands[i % 3],)},
        )
        for i in range(n)
    ]


def test_the_shop_teaches_its_brands_and_types() -> None:
    shop = Extractor()
    shop.train(shop_of())
    told = found("Bolt & Co blue armchair", shop)
    assert told["brand"] == ["Bolt & Co"]
    assert told["type"] == ["Chairs"]
    sure = {v.name: v.confidence for v in shop([Product("Acme green lantern 4")])[0]}
    assert sure["brand"] > 0.9


def test_brands_are_learned_from_titles_alone() -> None:
    titles = [f"{brand} {word} {thing}" for brand in ("Red Tape", "Fabindia") for word in ("Casual", "Formal", "Slim")
              for thing in ("Shoes", "Shirt", "Kurta")]  # fmt: skip
    learned = {e.value for e in learn([Product(t) for t in titles]) if e.name == "brand"}
    assert learned == {"Red Tape", "Fabindia"}
    assert [
        e for e in learn([Product(t.upper()) for t in titles]) if e.name == "brand"
    ] == []  # no capitals, no evidence


def test_wrong_rules_lose_their_confidence() -> None:
    liar = [Product(f"Red thing {i}", given={"colour": ("blue",)}) for i in range(80)]
    honest = [Product(f"Red thing {i}", given={"colour": ("red",)}) for i in range(80)]
    sure = {}
    for name, products in (("liar", liar), ("honest", honest)):
        shop = Extractor()
        shop.train(products)
        sure[name] = max(
            (v.confidence for v in shop([Product("Red lamp")])[0] if v.value == "red"), default=0.0
        )
    assert sure["liar"] < 0.3
    assert sure["honest"] > 0.9


def test_a_restored_extractor_answers_as_the_trained_one() -> None:
    shop, again = Extractor(), Extractor()
    shop.train(shop_of())
    again.restore(shop.state())
    products = [Product("Bolt & Co red mug, set of 2"), *shop_of(10)]
    assert again(products) == shop(products)
    assert again.fingerprint == shop.fingerprint != BARE.fingerprint


def test_odd_products_are_normal() -> None:
    frame = pl.DataFrame(
        {
            "product_id": ["a", "b", "c"],
            "title": ["", None, "红" * 100_000],
            "attributes": ["[1", "[]", '{"Color": ["red", null, {"x": 1}], "other": 3}'],
        }
    )
    products = of_frame(frame)
    started = time.process_time()
    values = BARE(products)
    assert time.process_time() - started < 3.0
    assert values[0] == values[1] == []
    assert products[2].given == {"colour": ("red",)}


def test_a_frame_keeps_the_values() -> None:
    values = BARE([Product("Red bag 2 kg"), Product("x")])
    assert from_frame(to_frame(["a", "b"], values))["a"][0].text == values[0][0].text
    with pytest.raises(DataError, match="lacks 'unit'"):
        from_frame(to_frame(["a", "b"], values).drop("unit"))


def test_chinese_household_goods_have_types_and_teas_no_colour() -> None:
    titles = [
        "大红袍 武夷岩茶 礼盒装",
        "立白洗衣液 3升瓶装",
        "宝宝纸尿裤 L码 58片",
        "移动电源20000毫安时 大容量充电宝",
    ]
    found = Extractor()([Product(title) for title in titles])
    types = [[v.value for v in values if v.name == "type"] for values in found]
    assert types == [["tea"], ["detergent"], ["nappy"], ["power bank"]]
    assert not any(v.name == "colour" for v in found[0])
