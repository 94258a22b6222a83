"""Which licence counts: the strictest of code, weights and head model."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["is_permissive", "strictest_first"]

PERMISSIVE = ("CC0", "Unlicense", "0BSD", "MIT", "BSD", "BSL-1.0", "Apache", "CC-BY-4", "CC-BY-3")
SHARE_ALIKE = ("MPL", "LGPL", "GPL", "AGPL", "CC-BY-SA")


def _strictness(licence: str) -> int:
    if licence.startswith(PERMISSIVE):
        return next(i for i, p in enumerate(PERMISSIVE) if licence.startswith(p))
    if licence.startswith(SHARE_ALIKE):
        return 100 + next(i for i, p in enumerate(SHARE_ALIKE) if licence.startswith(p))
    return 1000 if "NC" in licence or "non-commercial" in licence.lower() else 500


def is_permissive(licence: str) -> bool:
    """Whether a licence asks for no more than a notice; what it is followed by in brackets is not looked at."""
    return _strictness(licence) < 100


def strictest_first(licences: Iterable[str]) -> list[str]:
    """Distinct licences ordered from the strictest: non-commercial, unknown, share-alike, permissive, public domain."""
    parts = {part.strip() for licence in licences for part in licence.split(" AND ")}
    return sorted(parts, key=lambda part: (-_strictness(part), part))
