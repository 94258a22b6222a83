# SPDX-License-Identifier: GPL-3.0-or-later
"""The file in which a running server says where it is."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Running", "default_home", "read"]

MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class Running:
    """What server.json says; the server may have gone since."""

    url: str
    token: str
    version: str
    started: str


def default_home() -> Path:
    """The backend's own choice of a folder: LIKENESS_HOME, or the user's cache folder."""
    override = os.environ.get("LIKENESS_HOME")
    if override:
        return Path(override)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "likeness" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "likeness"
    return Path(os.environ.get("XDG_CACHE_HOME", "").strip() or Path.home() / ".cache") / "likeness"


def read(home: Path) -> Running | None:
    """What the server of a home says; None where there is no file or no sense in it."""
    path = home / "service" / "server.json"
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(MAX_BYTES))
        return Running(*(str(content[key]) for key in ("url", "token", "version", "started")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
