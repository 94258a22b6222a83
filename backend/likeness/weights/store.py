"""Where weights and compiled heads live, and what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import platformdirs

from likeness.licences import strictest_first
from likeness.weights import catalog
from likeness.weights.catalog import Entry

__all__ = ["describe", "folder", "home", "installed"]


def home() -> Path:
    """The user's folder for weights and compiled heads; `LIKENESS_HOME` overrides it."""
    override = os.environ.get("LIKENESS_HOME")
    return Path(override) if override else Path(platformdirs.user_cache_dir("likeness", appauthor=False))


def folder(name: str) -> Path:
    """Where an entry's converted tensors and their manifest lie, installed or not."""
    return home() / "weights" / name


def installed(name: str) -> bool:
    """Whether an entry is in place; its files are not read."""
    entry = catalog.entry(name)
    if entry.files:
        return (folder(name) / "manifest.json").is_file()
    return any(next(home().glob(mark), None) is not None for mark in entry.marks)


def describe() -> list[dict[str, Any]]:
    """Every entry of the catalogue as plain data: name, title, installed, licence (strictest first), url, files, …"""
    return [_describe(entry) for entry in catalog.load().values()]


def _describe(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "kind": entry.kind,
        "edition": entry.edition,
        "used_by": list(entry.used_by),
        "installed": installed(entry.name),
        "licence": strictest_first(entry.licence.parts())[0],
        "licences": {"code": entry.licence.code, "weights": entry.licence.weights, "model": entry.licence.model},
        "url": entry.url,
        "obtain": entry.obtain,
        "how": entry.how,
        "files": [
            {"name": file.name, "size": file.size or None, "optional": file.optional, "url": file.url}
            for file in entry.files
        ],
    }
