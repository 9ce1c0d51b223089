"""Answers over HTTP: the app, its routes, who may ask, and the page."""
