"""Tagging: labelled spans of tokens, learned from tagged sentences."""
