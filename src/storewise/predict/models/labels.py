"""Checks that every predictor makes before it learns."""

from __future__ import annotations

import numpy as np

from storewise.core.errors import DataError
from storewise.predict.base import Labelled


def require_event(data: Labelled) -> None:
    """Raise unless labels are 0 and 1, and both are there.

    Raises:
        DataError: naming what is wrong.
    """
    data.rows.check()
    labels = data.labels
    if len(labels) != len(data.rows):
        raise DataError(
            f"There are {len(labels)} labels for {len(data.rows)} rows.", next_step="Give each row one label."
        )
    if not len(labels):
        raise DataError("There are no rows to learn from.", next_step="Give rows with their outcome.")
    if not np.isin(labels, (0.0, 1.0)).all():
        odd = labels[~np.isin(labels, (0.0, 1.0))][0]
        raise DataError(
            f"A label is {odd:g}; an event's labels are 0 or 1.", next_step="Turn the outcome into 0 and 1."
        )
    if labels.min() == labels.max():
        raise DataError(
            f"All {len(labels)} labels are {labels[0]:.0f}: there is nothing to tell apart.",
            next_step="Give rows of both outcomes, or a longer span of time.",
        )
