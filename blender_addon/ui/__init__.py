# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees. Thin: the work is done in ``scene`` and ``link``.

Each module names its classes in ``CLASSES`` and may have ``register()`` and ``unregister()`` of its own; what is slow
to import (numpy, the link, the scene) is imported where it is used: switching the add-on on takes no time.
"""

from __future__ import annotations

from types import ModuleType

import bpy

from . import (
    appearance,
    assets,
    backend,
    compare,
    consent,
    export,
    expression,
    faces,
    identity,
    importer,
    lists,
    log,
    main,
    method,
    photos,
    pose,
    preferences,
    properties,
    reconstruct,
    results,
    rig_mesh,
    session,
    set_up,
    studio,
    thumbnails,
    weights,
)

MODULES: tuple[ModuleType, ...] = (
    preferences,
    properties,
    importer,
    consent,
    lists,
    log,
    set_up,
    main,
    faces,
    photos,
    method,
    weights,
    reconstruct,
    rig_mesh,
    results,
    compare,
    backend,
    identity,
    expression,
    pose,
    appearance,
    studio,
    assets,
    export,
    thumbnails,
    session,
)
"""In the order of registration: what others refer to comes first; the session ends first of all."""


def register() -> None:
    """Register classes, menu entries, properties and timers."""
    for module in MODULES:
        for cls in module.CLASSES:
            bpy.utils.register_class(cls)
        if hasattr(module, "register"):
            module.register()


def unregister() -> None:
    """The opposite of `register`."""
    for module in reversed(MODULES):
        if hasattr(module, "unregister"):
            module.unregister()
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)
