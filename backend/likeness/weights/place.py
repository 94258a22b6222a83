"""Where downloaded weights, compiled heads and the service's jobs live. Costs nothing to import."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["home"]


def home() -> Path:
    """The user's folder for weights and compiled heads; `LIKENESS_HOME` overrides it."""
    override = os.environ.get("LIKENESS_HOME")
    return Path(override) if override else Path(platformdirs.user_cache_dir("likeness", appauthor=False))
