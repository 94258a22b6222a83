# SPDX-License-Identifier: GPL-3.0-or-later
"""Why Reconstruct cannot be pressed: sentences that say what to do, nothing where all is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .consent import has_agreed, is_elsewhere, may_send
from .preferences import preferences
from .properties import path_of, settings_of
from .session import Session, session
from .set_up import state

__all__ = ["backend_obstacle", "is_at_hand", "mesh_obstacle", "obstacle", "trouble"]


def backend_obstacle(context: bpy.types.Context) -> str:
    """Why the backend cannot be asked anything."""
    p = preferences(context)
    if not has_agreed(context):
        return "Agree to the notice about faces first."
    if p.kind == "REMOTE":
        if not p.url:
            return "Enter the server's address in the add-on's preferences."
        if is_elsewhere(p.url) and not bpy.app.online_access:
            return "Allow Online Access in Preferences > System > Network to reach the server."
        return "" if may_send(context) else "Allow your photos to be sent to the server first."
    if p.kind == "OWN":
        return "" if p.own else "Choose your backend's program in the add-on's preferences."
    if session().set_up and session().set_up.state == "running":
        return "The backend is being set up; wait until it is ready."
    found = state(context)
    return "" if found is None or found.installed else "Set the backend up first."


def is_at_hand(context: bpy.types.Context) -> bool:
    """Whether the backend can be asked without setting anything up first."""
    found = state(context)
    unknown = preferences(context).kind == "SET_UP" and (found is None or not found.installed)
    return not unknown and not backend_obstacle(context)


def trouble(path: Path) -> str:
    """Why a photo cannot be used, a sentence; nothing where it can, or where it is not known."""
    found = session().faces.get(str(path))
    if session().fact(Path.is_file, path) is False:
        return f"{path.name} is no longer there; take it off the list or add it again."
    if found and (found.get("error") or not found["faces"]):
        why = found.get("error") or "No face was found; use a photo in which it can be seen clearly."
        return why if path.name in why else f"{path.name}: {why}"
    return ""


def mesh_obstacle(context: bpy.types.Context) -> str:
    """Why the selected mesh cannot become a head now."""
    from ..scene.mesh_out import why_not

    now = session()
    if now.task and now.task.going:
        return "A head is being made; wait for it or cancel it."
    if context.mode != "OBJECT":
        return "Go to Object Mode first."
    return (
        backend_obstacle(context)
        or why_not(context.object if hasattr(context, "object") else context.view_layer.objects.active)
        or _unready(now, now.heads, settings_of(context).head, "head")
    )


def obstacle(context: bpy.types.Context) -> str:
    """Why no head can be made now."""
    settings, now = settings_of(context), session()
    if now.task and now.task.going:
        return "A head is being made; wait for it or cancel it."
    if why := backend_obstacle(context):
        return why
    if not settings.photos:
        return "Add at least one photo."
    for photo in settings.photos:
        if why := trouble(path_of(photo)):
            return why
    return _unready(now, now.methods, settings.method, "method") or _unready(now, now.heads, settings.head, "head")


def _unready(now: Session, offered: list[dict[str, Any]], name: str, what: str) -> str:
    if not offered or (what == "head" and name == "auto"):
        return ""
    entry = next((e for e in offered if e["name"] == name), None)
    if entry is None:
        return f"This backend has no {what} called {name}; choose another."
    if entry["ready"]:
        return ""
    if entry.get("needs") and now.weights:
        return f"{entry['title']} is not ready: install what it needs above, under Method."
    return f"{entry['title']} is not ready: {entry['status']}"
