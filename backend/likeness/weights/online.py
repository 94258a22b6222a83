"""Whether the network may be used."""

from __future__ import annotations

import os

__all__ = ["offline"]


def offline() -> bool:
    """Whether the user wants no network: `LIKENESS_OFFLINE` is set to something other than 0."""
    return os.environ.get("LIKENESS_OFFLINE", "0") not in ("", "0")
