"""Features and what they say of one shopper, in words."""

from __future__ import annotations

import math
from collections.abc import Callable

from storewise.core.money import exponent

WHOLE_FROM = 100  # units of money: decimals of more say nothing

Say = Callable[[float], str]


def _days(value: float) -> str:
    return "today" if value < 1 else f"{value:.0f} day{'s' if round(value) != 1 else ''} ago"


def _last(kind: str) -> Say:
    return lambda v: f"last {kind} {_days(v)}"


def _count(noun: str, plural: str | None = None) -> Say:
    return lambda v: f"{v:.0f} {noun if round(v) == 1 else plural or noun + 's'}"


def _share(text: str) -> Say:
    return lambda v: f"{100 * v:.0f} % {text}"


def _power(noun: str) -> Say:
    return lambda v: f"{math.expm1(v):,.0f} {noun}"


# Name → what it is, and how a value of it is said; a text takes an amount of money: the value is the logarithm of 1 plus
# its minor units. The page says the same by strings of its own, `feature.NAME` and `says.NAME` (tests compare them).
WORDS: dict[str, tuple[str, Say | str]] = {
    "recency_days": ("time since the last order", lambda v: f"last order {_days(v)}"),
    "orders_log": ("number of orders", _power("orders so far")),
    "tenure_days": ("time since the first order", lambda v: f"first order {_days(v)}"),
    "order_rate": ("orders a day", lambda v: f"{v * 30.4:.1f} orders a month"),
    "gap_mean_days": ("mean days between orders", lambda v: f"{v:.0f} days between orders on average"),
    "gap_spread_days": ("spread of the days between orders", lambda v: f"gaps vary by {v:.0f} days"),
    "gap_last_days": ("days between the last two orders", lambda v: f"{v:.0f} days between the last two orders"),
    "cycle_position": (
        "time since the last order over the usual gap",
        lambda v: f"{v:.1f} usual gaps since the last order",
    ),
    "overdue": (
        "days overdue over the spread of the gaps",
        lambda v: f"{'overdue' if v > 0 else 'not due yet'} by {abs(v):.1f} spreads",
    ),
    "orders_trend": ("orders of the last 91 days against the 91 before", lambda v: "buys " + _trend(v)),
    "orders_year_ago": ("orders in the same days one year ago", _count("order in these days a year ago", "orders in these days a year ago")),
    "orders_around_year_ago": ("orders around the same days one year ago", _count("order around these days a year ago", "orders around these days a year ago")),
    "orders_fading_14": ("orders, each half after 14 days", lambda v: f"{v:.2f} orders, each half after 14 days"),
    "orders_fading_91": ("orders, each half after 91 days", lambda v: f"{v:.2f} orders, each half after 91 days"),
    "spend_fading_log": ("amount spent, half after 91 days", "spent {}, each order half after 91 days"),
    "recency_2_days": ("time since the order before the last", lambda v: f"order before the last {_days(v)}"),
    "recency_3_days": ("time since the third last order", lambda v: f"third last order {_days(v)}"),
    "recency_5_days": ("time since the fifth last order", lambda v: f"fifth last order {_days(v)}"),
    "recency_10_days": ("time since the tenth last order", lambda v: f"tenth last order {_days(v)}"),
    "gap_position": ("time since the last order against the spread of gaps", lambda v: f"{v:.1f} spreads from the usual gap"),
    "gap_longest_ratio": ("time since the last order over the longest gap", lambda v: f"{v:.1f} longest gaps since the last order"),
    "gaps_due_share": ("share of gaps that would end in the days to come", _share("of gaps this long end in the days to come")),
    "gaps_short_share": ("share of gaps no longer than the days to come", _share("of gaps are no longer than the days to come")),
    "months_6": ("months with an order, of the last 6", _count("of the last 6 months with an order", "of the last 6 months with an order")),
    "months_13": ("months with an order, of the last 13", _count("of the last 13 months with an order", "of the last 13 months with an order")),
    "months_2_to_4": ("months with an order, of the three before the last", _count("of the three months before the last with an order", "of the three months before the last with an order")),
    "year_cos": ("time of the year of their orders", lambda v: "time of the year they order in"),
    "year_sin": ("time of the year of their orders", lambda v: "time of the year they order in"),
    "last_lines": ("products of the last order", _count("line in the last order", "lines in the last order")),
    "last_lines_ratio": ("products of the last order over the mean", lambda v: f"last order with {math.exp(v):.1f} times the usual lines"),
    "lines_trend": ("products bought in the last 91 days against the 91 before", lambda v: "buys products " + _trend(v)),
    "pieces_a_line": ("pieces of a product", lambda v: f"{v:.0f} pieces of a product"),
    "products_91_log": ("different products in 91 days", _power("different products in 91 days")),
    "current_trend": ("trend of what they buy", lambda v: "what they buy sells " + _trend(v)),
    "current_buyers_log": ("buyers of what they buy", _power("shoppers in 28 days for what they buy")),
    "current_share": ("share of what they buy that still sells", _share("of what they buy sold in 28 days")),
    "season_fit": ("season of what they buy", lambda v: "a year ago what they buy sold " + _trend(v)),
    "spend_log": ("amount spent", "spent {} so far"),
    "spend_91_log": ("amount spent in 91 days", "spent {} in 91 days"),
    "order_value_log": ("mean value of an order", "orders of {} on average"),
    "order_value_last": ("value of the last order over the mean", lambda v: f"last order {v:.1f} times the mean"),
    "lines_mean": ("products an order", lambda v: f"{v:.0f} lines an order"),
    "units_mean": ("pieces an order", lambda v: f"{v:.0f} pieces an order"),
    "price_level": ("price level", lambda v: f"pays {math.exp(v):.1f} times the shop's mean price"),
    "products_log": ("different products bought", _power("different products")),
    "categories": ("different categories bought", _count("category", "categories")),
    "repeat_share": ("share of lines bought again", _share("of lines are repeats")),
    "return_share": ("share of pieces sent back", _share("of pieces sent back")),
    "return_recency_days": ("time since the last return", lambda v: f"last return {_days(v)}"),
    "p_alive": ("probability of still being a customer (BG/NBD)", lambda v: f"still a customer with {100 * v:.0f} %"),
    "bg_p_purchase": ("probability of an order by BG/NBD", lambda v: f"BG/NBD expects an order with {100 * v:.0f} %"),
    "bg_orders": ("orders expected by BG/NBD", lambda v: f"BG/NBD expects {v:.2f} orders"),
    "bg_value_log": ("amount expected by BG/NBD", "BG/NBD expects {}"),
    "own_orders": ("orders of this product", _count("order of this product", "orders of this product")),
    "own_recency_days": ("time since this product", lambda v: f"bought this product {_days(v)}"),
    "own_gap_mean_days": ("days between orders of this product", lambda v: f"buys it every {v:.0f} days"),
    "own_cycle_position": (
        "time since this product over its usual gap",
        lambda v: f"{v:.1f} usual gaps since this product",
    ),
    "own_share": ("share of orders with this product", _share("of orders have this product")),
    "own_orders_91": ("orders of this product in 91 days", _count("order of it in 91 days", "orders of it in 91 days")),
    "own_orders_since": ("orders since this product", _count("order since without it", "orders since without it")),
    "own_units_mean": ("pieces of this product an order", lambda v: f"{v:.0f} pieces of it an order"),
    "own_returned": ("returns of this product", _count("return of it", "returns of it")),
    "product_buyers_28_log": ("buyers of the product in 28 days", _power("shoppers bought it in 28 days")),
    "product_buyers_91_log": ("buyers of the product in 91 days", _power("shoppers bought it in 91 days")),
    "product_trend": ("trend of the product", lambda v: "the product sells " + _trend(v)),
    "product_age_days": ("time since the product's first sale", lambda v: f"first sold {_days(v)}"),
    "product_quiet_days": ("time since the product's last sale", lambda v: f"last sold {_days(v)}"),
    "product_again_share": ("share of buyers who buy the product again", _share("of its buyers buy it again")),
    "product_again_days": ("days until the product is bought again", lambda v: f"bought again after {v:.0f} days"),
    "product_price": ("price of the product", lambda v: f"{math.exp(v):.1f} times the shop's mean price"),
    "price_fit": ("price against what the shopper pays", lambda v: f"{math.exp(v):.1f} times what they usually pay"),
    "bought_together": ("goes with what was bought", lambda v: f"bought together with theirs (strength {v:.2f})"),
    "category_share": ("share of the category in their lines", _share("of their lines are of its category")),
    "category_lines_91": ("lines of the category in 91 days", _count("line of its category in 91 days", "lines of its category in 91 days")),
    "text_fit": ("text like what was bought", lambda v: f"text like theirs by {v:.2f}"),
    "text_nearest": ("text like one product bought", lambda v: f"text like one of theirs by {v:.2f}"),
    "shown_position_log": ("place in the list", _power("products stand before it")),
    "shown_price": ("price shown", lambda v: f"shown at {math.exp(v):.1f} times the shop's mean price"),
    "shown_discount": ("price shown against what it usually costs", lambda v: f"shown at {math.exp(v):.2f} of its usual price"),
    "shown_slot": ("slot", lambda v: "the slot it is shown in"),
    "shown_source": ("what made the list", lambda v: "what made the list"),
    "signed_in": ("signed in", lambda v: "signed in" if v > 0.5 else "an anonymous session"),
    "shown_before_log": ("times shown to them before", _power("times shown to them before")),
    "shown_since_click_log": ("times shown since their last click on it", _power("times shown since their last click on it")),
    "shown_1d_log": ("times shown to them within a day", _power("times shown to them within a day")),
    "shown_recency_days": ("time since it was last shown to them", lambda v: f"last shown to them {_days(v)}"),
    "shopper_shown_log": ("products shown to them in 28 days", _power("products shown to them in 28 days")),
    "shopper_click_gain": ("their clicks against the shop's rate", lambda v: f"clicks {math.exp(v):.1f} times as often as others"),
    "product_shown_log": ("times the product was shown in 91 days", _power("times shown to anybody in 91 days")),
    "product_click_gain": ("clicks on the product against its places", lambda v: f"clicked {math.exp(v):.1f} times as often as its places bring"),
    "now_hour_cos": ("hour of the day", lambda v: "the hour of the day"),
    "now_hour_sin": ("hour of the day", lambda v: "the hour of the day"),
    "now_weekday_cos": ("day of the week", lambda v: "the day of the week"),
    "now_weekday_sin": ("day of the week", lambda v: "the day of the week"),
    "taste": ("what the bought products' texts say", lambda v: "what the texts of their products say"),
    "text": ("what the product's text says", lambda v: "what the product's text says"),
    "hour_cos": ("hour of their orders", lambda v: "hour of the day they order at"),
    "hour_sin": ("hour of their orders", lambda v: "hour of the day they order at"),
    "weekday_cos": ("weekday of their orders", lambda v: "day of the week they order on"),
    "weekday_sin": ("weekday of their orders", lambda v: "day of the week they order on"),
}  # fmt: skip
for _days_back in (7, 14, 28, 56, 91, 182, 365):
    _noun = f"in {_days_back} days"
    WORDS[f"orders_{_days_back}"] = (f"orders {_noun}", _count(f"order {_noun}", f"orders {_noun}"))
for _kind in ("view", "click", "cart"):
    WORDS[f"{_kind}_recency_days"] = (f"time since the last {_kind}", _last(_kind))
    WORDS[f"own_{_kind}s_28"] = (
        f"{_kind}s of this product in 28 days",
        _count(f"{_kind} of it in 28 days", f"{_kind}s of it in 28 days"),
    )
    for _days_back in (1, 7, 28):
        _noun = f"in {_days_back} day{'s' if _days_back > 1 else ''}"
        WORDS[f"{_kind}s_{_days_back}"] = (
            f"{_kind}s {_noun}",
            _count(f"{_kind} {_noun}", f"{_kind}s {_noun}"),
        )


def label(feature: str) -> str:
    """What a feature is.

    >>> label("recency_days")
    'time since the last order'
    """
    return WORDS[feature][0] if feature in WORDS else feature


def said(feature: str, value: float, currency: str | None = None) -> str:
    """What a value of a feature says; amounts are of ``currency``, hundredths of something where it is unknown.

    Raises:
        InputError: when the currency is no ISO 4217 code.

    >>> said("recency_days", 3.2), said("gap_mean_days", float("nan"))
    ('last order 3 days ago', 'mean days between orders: not known')
    >>> said("spend_log", math.log1p(12_345), "GBP"), said("spend_log", math.log1p(12_345), "JPY")
    ('spent 123 GBP so far', 'spent 12,345 JPY so far')
    """
    if feature not in WORDS:
        return feature if math.isnan(value) else f"{feature} = {value:.3g}"
    what, say = WORDS[feature]
    if math.isnan(value) and feature not in ("taste", "text"):
        return f"{what}: not known"
    return say.format(_amount(value, currency)) if isinstance(say, str) else say(value)


def _amount(value: float, currency: str | None) -> str:
    """Whole units, with decimals where there are few."""
    places = exponent(currency) if currency is not None else 2
    major = math.expm1(value) / 10**places
    told = f"{major:,.{places if major < WHOLE_FROM else 0}f}"
    return told if currency is None else f"{told} {currency}"


def _trend(value: float) -> str:
    if abs(value) < 0.1:
        return "as before"
    return f"{math.exp(abs(value)):.1f} times {'more' if value > 0 else 'less'} than before"
