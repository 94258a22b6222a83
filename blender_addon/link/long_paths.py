# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows without long paths holds 259 characters, and PyTorch's own files take 200 of them."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

__all__ = ["place", "venv_of"]

LONGEST_IN_VENV = 200
"""Characters of the longest file below an environment (PyTorch's notices) and the backslash before it."""
MAX_PATH = 259


def venv_of(folder: Path) -> Path:
    """Where the environment of a folder lies: in it, wherever its files have room there."""
    return place(folder, _holds_long_paths(), Path(os.environ.get("LOCALAPPDATA") or Path.home()))


def place(folder: Path, long_paths: bool, local: Path) -> Path:
    """The folder ``venv`` in ``folder``, or one with a short name in the user's local folder."""
    venv = folder / "venv"
    if long_paths or len(str(venv.absolute())) + LONGEST_IN_VENV <= MAX_PATH:
        return venv
    return local / "likeness" / hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:8] / "venv"


def _holds_long_paths() -> bool:
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False
