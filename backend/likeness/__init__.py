"""Likeness: from photos to a rigged, textured head."""

__version__ = "0.1.0"
