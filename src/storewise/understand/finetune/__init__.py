"""Adapting text encoders to a shop: what to learn from, how many parameters to train, and the training itself."""
