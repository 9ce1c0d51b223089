"""Choosing on validation: try configurations, learn a fusion's weights, and say why one method is taken."""
