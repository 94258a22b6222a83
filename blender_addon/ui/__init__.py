# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees. Thin: the work is done in ``scene`` and ``link``."""

from __future__ import annotations

import bpy

from .importer import LIKENESS_FH_package, LIKENESS_OT_import, menu_entry

CLASSES = (LIKENESS_OT_import, LIKENESS_FH_package)


def register() -> None:
    """Register classes and menu entries."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(menu_entry)


def unregister() -> None:
    """The opposite of `register`."""
    bpy.types.TOPBAR_MT_file_import.remove(menu_entry)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
