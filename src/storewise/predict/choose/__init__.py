"""Choosing a predictor: folds, attempts, tuning, and the guard for small data."""
