"""Smaller and faster: a static student, fewer words and layers, fewer dimensions, coded vectors."""
