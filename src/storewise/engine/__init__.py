"""The use cases: the only place that knows all parts and opens stores."""
