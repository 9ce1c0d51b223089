from __future__ import annotations

from storewise.data.privacy import Pseudonyms
from storewise.engine.serving.shoppers import Shoppers

KEYED = Pseudonyms(bytes(32))


def test_own_ids_are_turned_and_pseudonyms_pass() -> None:
    shoppers = Shoppers(KEYED, known=lambda key: key == "c:" + "a" * 32)
    made = shoppers.customer("12345")
    assert made == KEYED.customer("12345") != "12345"
    assert shoppers.customer(made) == made  # handed out before
    assert shoppers.customer("a" * 32) == "a" * 32  # known to the shop
    assert shoppers.session("a" * 32) == KEYED.session("a" * 32)  # known as a customer, not as a session


def test_an_own_id_that_looks_like_a_pseudonym_is_turned() -> None:
    md5 = "d41d8cd98f00b204e9800998ecf8427e"
    assert Shoppers(KEYED, known=lambda key: False).customer(md5) == KEYED.customer(md5)
