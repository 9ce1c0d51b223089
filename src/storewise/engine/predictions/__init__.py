"""Predictions of a shop: what is learned, what is kept of it, how it is said."""
