# SPDX-License-Identifier: GPL-3.0-or-later
"""Likeness: photos to rigged, textured heads."""

from __future__ import annotations


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from . import ui

    ui.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    from . import ui

    ui.unregister()
