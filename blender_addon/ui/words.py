# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in panels: sentences broken into lines, sizes, licences."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import bpy

__all__ = ["for_buttons", "licences", "paragraph", "size"]


def paragraph(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: Any = "NONE",
    alert: bool = False,
    width: float | None = None,
    beside: float = 0.0,
) -> None:
    """Write a sentence over as many lines as ``width`` needs, that of the region where none is given.

    ``beside`` is what stands in the same row and takes of it; both in pixels at scale 1.
    """
    column = layout.column(align=True)
    column.alert = alert
    column.scale_y = 0.85
    for i, line in enumerate(textwrap.wrap(text, _letters(context, icon != "NONE", width, beside)) or [""]):
        row = column.row()
        if icon != "NONE":
            row.label(text=line, icon=icon if i == 0 else "BLANK1")
        else:
            row.label(text=line)


def _letters(context: bpy.types.Context, icon: bool, width: float | None, beside: float) -> int:
    """How many letters fit into a line."""
    if width is None:
        region = context.region.width if context.region else 300
        width = region / (context.preferences.system.ui_scale or 1.0)  # 0 without windows
    return max(int((width - beside - 60 - 20 * icon) / 6.2), 16)


def for_buttons(text: str) -> str:
    """A sentence of the backend about weights, where it tells of the command line, told of the panel's buttons."""
    return text.replace("with --from", "with Choose Files")


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if count >= 10 or unit == "bytes" else f"{count:.1f} {unit}"


def licences(names: Sequence[str] | Mapping[str, Any]) -> str:
    """Licences in one line, each once."""
    values = names.values() if isinstance(names, Mapping) else names
    return ", ".join(dict.fromkeys(str(v) for v in values if v)) or "not stated"
