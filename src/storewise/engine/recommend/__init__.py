"""One request, from who asks to the list with its reasons."""

from storewise.engine.recommend.answer import NO_FILTERS, Answer, Ask, Item, Step
from storewise.engine.recommend.recommender import ELIGIBILITY, Recommender

__all__ = ["ELIGIBILITY", "NO_FILTERS", "Answer", "Ask", "Item", "Recommender", "Step"]
