"""A/B tests in the shop: variants of a pipeline, who gets which, and what the log says of them."""
