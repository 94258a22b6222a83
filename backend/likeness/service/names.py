"""What clients call things: fit to be shown, never a path."""

from __future__ import annotations

import unicodedata

__all__ = ["file_name", "photo_name", "shown"]

LENGTH = 100
LONGEST = 200
"""Of the name of a file that is kept under it."""
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
"""Names that are no files on Windows, whatever they end in."""


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


def file_name(raw: bytes) -> str:
    """The name that an official file goes by, where every system can have a file of that name; else "".

    What stands before the last slash is dropped: browsers used to send folders.
    """
    text = raw.decode("utf-8", "replace").replace("\\", "/").rsplit("/", 1)[-1]
    fine = text == shown(text) and 0 < len(text) <= LONGEST and not set(text) & set('/\\:*?"<>|')
    odd = text.startswith(".") or text.endswith((".", " ")) or text.split(".")[0].lower() in DEVICES
    return text if fine and not odd else ""
