# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a set-up and can be told before anything is fetched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .builds import Build
from .environment import Environment, SetUpError
from .pythons import Python
from .wheel import Wheel

__all__ = ["check_folder", "check_python", "check_room"]

ADD_ON = Path(__file__).resolve().parents[1]


def check_python(python: Python, wheel: Wheel) -> None:
    """Raises SetUpError for a Python that the backend does not run on, or that cannot make environments."""
    if not wheel.runs_on(python.version[:2]):
        raise SetUpError(
            f"The backend runs on Python {wheel.fitting_pythons()}, but {python.path} is Python {python.release}: "
            "choose another Python in the add-on's preferences."
        )
    if python.lacks:
        raise SetUpError(
            f"{python.path} lacks {' and '.join(python.lacks)} to make an environment: choose another Python in the "
            f"add-on's preferences, or install your system's package python{python.release}-venv."
        )


def check_folder(folder: Path, python: Python) -> None:
    """Raises SetUpError for a folder inside the add-on or inside Blender's own Python."""
    here = folder.resolve()
    for kept in (ADD_ON, Path(python.prefix).resolve()):
        if kept in (here, *here.parents):
            raise SetUpError(f"The backend must not be put into {kept}: choose another folder.")


def check_room(environment: Environment, build: Build) -> None:
    """Raises SetUpError where the disk has too little room for what is still to come."""
    place = environment.venv.parent
    free = shutil.disk_usage(place).free
    lacking = build.disk - _size(environment.venv) - _size(environment.downloads) - free
    if lacking > 0:
        raise SetUpError(
            f"The backend needs {build.disk / 1e9:.1f} GB, but {place} has {free / 1e9:.1f} GB free: free another "
            f"{lacking / 1e9:.1f} GB and try again."
        )


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:  # gone meanwhile
                continue
    return total
