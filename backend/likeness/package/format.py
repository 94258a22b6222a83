"""What marks an avatar package."""

FORMAT = "likeness avatar"
MANIFEST = "avatar.json"
GEOMETRY = "geometry.npz"

SCHEMA = 1
"""Raised whenever an older reader would misread a package."""
