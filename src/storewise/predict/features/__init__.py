"""Point-in-time features: one code path for training and serving."""

from storewise.predict.features.customer import customer_rows
from storewise.predict.features.events import EventLog, Trails
from storewise.predict.features.facts import FactsConfig, ShopFacts
from storewise.predict.features.pair import bought_pairs, pair_rows
from storewise.predict.features.shelf import Shelf

__all__ = [
    "EventLog",
    "FactsConfig",
    "Shelf",
    "ShopFacts",
    "Trails",
    "bought_pairs",
    "customer_rows",
    "pair_rows",
]
