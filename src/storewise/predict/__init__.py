"""Predicting behaviour: calibrated probabilities of what a shopper does next. The table below registers predictors."""

COMPONENTS: dict[str, str] = {}
