"""The steps that turn invoice lines into a shop (Online Retail and tables like it)."""
