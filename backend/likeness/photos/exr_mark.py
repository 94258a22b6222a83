"""How an EXR file is known, for who opens files without reading their pictures."""

from __future__ import annotations

__all__ = ["EXR_MAGIC", "UnsupportedExrError"]

EXR_MAGIC = b"\x76\x2f\x31\x01"


class UnsupportedExrError(Exception):
    """A whole EXR file of a kind that is not read; says which."""
