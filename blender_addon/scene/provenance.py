# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a head comes from, as custom properties that exports carry on: glTF's extras, FBX's and USD's properties."""

from __future__ import annotations

from typing import Any

import bpy

from ..link.package import Package

__all__ = ["PREFIX", "line", "read", "write"]

PREFIX = "likeness_"
FIELDS = ("note", "method", "method_paper", "head_model", "licences", "date", "made_by", "photos")
LONGEST = 1000


def write(mesh: bpy.types.Object, package: Package) -> None:
    """Plain texts, each under a name of its own; what the package does not say is left out."""
    told = package.provenance
    method, model = told.get("method"), told.get("head_model")
    paper = str(method.get("paper", "")) if isinstance(method, dict) else ""
    licences = told.get("licences")
    fields = {
        "note": told.get("note") or "Reconstructed from a photo.",
        "method": method.get("title", method.get("name")) if isinstance(method, dict) else method,
        "method_paper": "" if paper.startswith("none") else paper,
        "head_model": model.get("title", model.get("name")) if isinstance(model, dict) else package.head,
        "licences": "; ".join(str(entry) for entry in licences) if isinstance(licences, list) else licences,
        "date": told.get("date"),
        "made_by": told.get("made_by"),
        "photos": len(package.views) or None,
    }
    owner: Any = mesh
    for name, value in fields.items():
        if value:
            owner[PREFIX + name] = value if isinstance(value, int) else str(value)[:LONGEST]


def read(mesh: Any) -> dict[str, str]:
    """What `write` wrote, in its order."""
    return {name: str(mesh[PREFIX + name]) for name in FIELDS if PREFIX + name in mesh}


def line(mesh: Any) -> str:
    """One sentence, for formats and places with room for no more."""
    told = read(mesh)
    parts = [told.get("note", "Reconstructed from a photo.").rstrip(".")]
    for name, word in (("method", "method"), ("head_model", "head"), ("licences", "licences"), ("date", "")):
        if name in told:
            parts.append(f"{word} {told[name][:10] if name == 'date' else told[name]}".strip())
    return ", ".join(parts) + "."
