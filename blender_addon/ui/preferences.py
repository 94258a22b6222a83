# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: which backend, where things are kept, what was agreed to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .connection import Choice
from .events import Event
from .session import session

__all__ = ["CLASSES", "DRAWN", "PACKAGE", "LikenessPreferences", "choice", "folder_for", "preferences"]

PACKAGE = (__package__ or "").rpartition(".")[0]
KINDS = (
    ("SET_UP", "Set up by Blender", "A backend of its own in the extension's folder, made by the button below", 1),
    ("OWN", "Installed by hand", "A backend that you installed yourself", 2),
    ("REMOTE", "On another computer", "A server that you run elsewhere; your photos are sent there", 3),
)
DEVICES = (
    ("cpu", "CPU", "Works on every computer; a head takes about half a minute", 1),
    ("cuda", "NVIDIA GPU (CUDA)", "Faster with an NVIDIA card; downloads about 3 GB more", 2),
)
DRAWN = Event()
"""The page is drawn: who fills it is handed the preferences, the layout and the context."""


def _chosen_anew(_: Any, context: bpy.types.Context) -> None:
    session().forget_backend()


class LikenessPreferences(bpy.types.AddonPreferences):
    """Preferences of the add-on"""

    bl_idname = PACKAGE

    agreed: bpy.props.StringProperty(
        name="Agreed on",
        description="When you confirmed that you may use the faces you load",
        options={"HIDDEN"},
    )
    kind: bpy.props.EnumProperty(
        name="Backend",
        description="Where the program runs that turns photos into heads",
        items=KINDS,
        default="SET_UP",
        update=_chosen_anew,
    )
    python: bpy.props.StringProperty(
        name="Python",
        description="Python 3.11 to 3.13 to install the backend with; left empty, Blender's own, which stays as it is",
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Compute on",
        description="Which build of PyTorch is installed",
        items=DEVICES,
        default="cpu",
    )
    own: bpy.props.StringProperty(
        name="Program",
        description="The program `likeness`, the Python it is installed in, or the folder of its environment",
        subtype="FILE_PATH",
        update=_chosen_anew,
    )
    home: bpy.props.StringProperty(
        name="Weights and Jobs",
        description="Where the backend keeps head models, weights and finished jobs; left empty, its usual place, "
        "which the command line shares",
        subtype="DIR_PATH",
        update=_chosen_anew,
    )
    avatars: bpy.props.StringProperty(
        name="Avatars",
        description="Where finished avatars are copied to before they are imported; left empty, the extension's folder",
        subtype="DIR_PATH",
    )
    url: bpy.props.StringProperty(
        name="Address",
        description="Of the server, as https://computer:8443",
        update=_chosen_anew,
    )
    token: bpy.props.StringProperty(
        name="Token",
        description="The server's token. Blender keeps it in your preferences, unencrypted",
        subtype="PASSWORD",
        update=_chosen_anew,
    )
    ca_file: bpy.props.StringProperty(
        name="Certificate",
        description="PEM file of the server's own certificate, where it has no official one",
        subtype="FILE_PATH",
        update=_chosen_anew,
    )
    sends_to: bpy.props.StringProperty(
        name="Sends photos to",
        description="The server that you agreed to send photos to",
        options={"HIDDEN"},
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Backend first, then places, then what was agreed to."""
        DRAWN.tell(self, self.layout, context)


def preferences(context: bpy.types.Context) -> LikenessPreferences:
    """The add-on's preferences."""
    entry: Any = context.preferences.addons[PACKAGE]
    return entry.preferences


def folder_for(name: str) -> Path:
    """A folder of the extension's user folder; it need not exist yet."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path=name, create=False))
    except ValueError:  # the add-on runs from a folder of scripts
        return Path(bpy.utils.user_resource("DATAFILES", path=f"likeness/{name}"))


def choice(context: bpy.types.Context) -> Choice:
    """What the preferences say, for a thread."""
    p = preferences(context)
    return Choice(
        kind=p.kind,
        folder=folder_for("backend"),
        own=bpy.path.abspath(p.own),
        home=Path(bpy.path.abspath(p.home)) if p.home else None,
        url=p.url.strip(),
        token=p.token.strip(),
        ca_file=bpy.path.abspath(p.ca_file),
    )


CLASSES = (LikenessPreferences,)
