"""From cases to rows: the features of each case as of its own moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storewise.predict.base import Labelled, Rows
from storewise.predict.features import EventLog, ShopFacts, customer_rows, pair_rows
from storewise.predict.features.customer import Text
from storewise.predict.targets import Cases, Target


def rows_of(target: Target, log: EventLog, facts: ShopFacts, cases: Cases, *, text: Text = "fit") -> Rows:
    """(n,) rows of cases; ``facts`` are of a moment not after any of them."""
    if target.unit == "customer":
        return customer_rows(log.trails(cases.customers, cases.at), facts, text=text)
    if target.unit == "pair":
        who, rows = np.unique(cases.customers, return_inverse=True)
        moment = float(cases.at[0]) if len(cases) else facts.now
        return pair_rows(log.trails(who, moment), facts, rows, cases.products, text=text)
    trails = log.trails(cases.customers, cases.at)
    return pair_rows(trails, facts, np.arange(len(cases)), cases.products, text=text, shown=cases.shown)


def joined(parts: Sequence[Labelled]) -> Labelled:
    """Rows of the same columns, one part after the other."""
    first = parts[0].rows
    return Labelled(
        Rows(
            np.concatenate([part.rows.numbers for part in parts]),
            np.concatenate([part.rows.categories for part in parts]),
            first.number_names, first.category_names, first.sizes,
            {name: np.concatenate([part.rows.vectors[name] for part in parts]) for name in first.vectors},
            {name: np.concatenate([part.rows.sequences[name] for part in parts]) for name in first.sequences},
        ),
        np.concatenate([part.labels for part in parts]),
    )  # fmt: skip
