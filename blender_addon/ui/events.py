# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module tells those above it, which it does not know, that something happened: imports only point down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Event"]


class Event:
    """Functions to be called. A module adds its own in ``register()`` and removes them in ``unregister()``."""

    def __init__(self) -> None:
        self._hearers: list[Callable[..., object]] = []

    def add(self, function: Callable[..., object]) -> None:
        """Call ``function`` from now on; added twice, it is called once."""
        if function not in self._hearers:
            self._hearers.append(function)

    def remove(self, function: Callable[..., object]) -> None:
        """The opposite of `add`."""
        if function in self._hearers:
            self._hearers.remove(function)

    def tell(self, *said: Any) -> None:
        """Call all, in the order in which they were added."""
        for function in tuple(self._hearers):
            function(*said)
