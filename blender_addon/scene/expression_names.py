# SPDX-License-Identifier: GPL-3.0-or-later
"""Order in the names of expressions: areas of the face, and left and right.

ARKit's names say both, `mouthSmileLeft`; left is the person's left. Names of other sets (`FLAME exp 000`) have neither
and come last.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["AREAS", "area", "mirrored", "pairs", "title"]

AREAS = {
    "brow": "Brows",
    "eye": "Eyes",
    "jaw": "Jaw",
    "mouth": "Mouth",
    "cheek": "Cheeks",
    "nose": "Nose",
    "tongue": "Tongue",
    "other": "Other",
}
"""Areas in the order of the panel, with their titles."""
SIDES = {"Left": "Right", "Right": "Left"}


def area(name: str) -> str:
    """A key of `AREAS`."""
    return next((a for a in AREAS if name.startswith(a) and name[len(a) : len(a) + 1].isupper()), "other")


def mirrored(name: str) -> str:
    """The name of the other side's expression; a name without a side is its own."""
    for side, other in SIDES.items():
        if name.endswith(side):
            return name[: -len(side)] + other
    return name


def pairs(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names as rows of a panel: (left, right) where both sides exist, else (name,)."""
    known = list(names)
    rows: list[tuple[str, ...]] = []
    for name in known:
        other = mirrored(name)
        if other == name or other not in known:
            rows.append((name,))
        elif name.endswith("Left"):
            rows.append((name, other))
    return rows


def title(name: str) -> str:
    """A label for people: "mouthSmileLeft" of the area mouth is "Smile"."""
    where = area(name)
    if where == "other":
        return name
    rest = name[len(where) :]
    if rest in SIDES:
        return "Sideways"
    for side in SIDES:
        rest = rest.removesuffix(side)
    words = "".join(f" {c}" if c.isupper() else c for c in rest).split()
    return " ".join([words[0], *(w.lower() for w in words[1:])])
