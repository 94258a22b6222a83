"""What clients call things: fit to be shown, never a path."""

from __future__ import annotations

import unicodedata

__all__ = ["photo_name", "shown"]

LENGTH = 100


def shown(text: str) -> str:
    """Without control characters, and what else is not seen or turns a line about."""
    text = unicodedata.normalize("NFC", text)
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")).strip()


def photo_name(raw: bytes, place: int) -> str:
    """The file name of the photo at a place, counted from 0: no folders, not too long, never empty."""
    text = shown(raw.decode("utf-8", "replace").replace("\\", "/").rsplit("/", 1)[-1])
    if set(text) <= set(". "):
        return f"photo {place + 1}"
    stem, dot, suffix = text.rpartition(".")
    if not dot or len(text) <= LENGTH:
        return text[:LENGTH]
    suffix = suffix[:8]
    return stem[: LENGTH - len(suffix) - 1] + dot + suffix
