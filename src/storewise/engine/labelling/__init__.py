"""A shop's labeller: one column filled from the products that have it, answers kept beside the catalogue."""
