"""A shop whose relations are known: phones with their cases, cups that replace each other, and noise."""

from __future__ import annotations

import numpy as np
import polars as pl

from storewise.data.dataset import Dataset
from storewise.data.interactions import DAY_S, Interactions

TITLES = [
    "Acme phone X", "Acme case for phone X", "Teapot", "Sugar tongs",
    "Red porcelain cup", "Blue porcelain cup", "Doormat", "Umbrella", "Candle", "Garden chair",
]  # fmt: skip
PHONE, CASE, TEAPOT, TONGS, RED, BLUE = range(6)
CATEGORIES = ["phone", "case", "tea", "sugar", "cup", "cup", "mat", "rain", "light", "garden"]
PRICES = [50_000, 1_500, 2_000, 1_900, 600, 600, 900, 1_200, 300, 8_000]


def products() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "product_id": [f"p{i}" for i in range(10)],
            "title": TITLES,
            "category": CATEGORIES,
            "brand": ["Acme", "Acme", *[None] * 8],
            "price_minor": PRICES,
            "attributes": ['{"model": "X"}', '{"fits": ["X", "Y"]}', "broken", *[None] * 7],
        }
    )


def shop(customers: int = 300, seed: int = 0) -> Dataset:
    """Everyone visits four times, a day or more apart: half of the phones are bought with a case, cases seldom
    alone; teapot and tongs come together from both sides; a shopper takes the red cup or the blue one."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        for visit in range(4):
            basket = set(rng.choice(np.arange(6, 10), int(rng.integers(1, 3)), replace=False).tolist())
            if rng.random() < 0.3:
                basket |= {PHONE} | ({CASE} if rng.random() < 0.3 else set())
            if rng.random() < 0.2:
                basket |= {TEAPOT, TONGS}
            if rng.random() < 0.5:
                basket.add(RED if rng.random() < 0.5 else BLUE)
            at = float(visit * 10 + rng.integers(0, 9)) * DAY_S
            rows += [(customer, product, at) for product in sorted(basket)]
    who, what, at_s = zip(*rows, strict=True)
    behaviour = Interactions.build(who, what, at=at_s, n_customers=customers, n_products=10)
    return Dataset(products(), [str(i) for i in range(customers)], behaviour, watermark=behaviour.end)
