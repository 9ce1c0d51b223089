"""A shop's data: tables, validation, privacy, sources, stores, and the dataset that models see."""
