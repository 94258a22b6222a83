# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's own virtual environment: where it lies, whether it is whole, how it goes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Installed", "SetUpError", "begin", "finish", "installed", "python_of", "remove", "restore", "venv_of"]

VENV, MARKER, MARKER_BEFORE = "venv", "installed.json", "installed.before.json"
OURS = (MARKER, MARKER_BEFORE, "downloads", "set_up.log", "set_up.log.old", "removing")


class SetUpError(Exception):
    """Why the backend cannot be set up or removed; its text is one sentence for people."""


@dataclass(frozen=True)
class Installed:
    """A whole backend.

    Attributes:
        version: of the backend.
        python: the environment's interpreter.
        device: "cpu" or "cuda".
        wheel_sha256: of the wheel it was installed from.
    """

    version: str
    python: str
    device: str
    wheel_sha256: str

    @property
    def command(self) -> list[str]:
        """What starts a server, for ``Supervisor``."""
        return [self.python, "-I", "-X", "utf8", "-m", "likeness.cli", "serve"]


def venv_of(folder: Path) -> Path:
    """The environment of a folder."""
    return folder / VENV


def python_of(venv: Path) -> Path:
    """An environment's interpreter."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def installed(folder: Path) -> Installed | None:
    """The backend in a folder; None where there is none, where a set-up did not finish, or where its Python is gone."""
    try:
        found = Installed(**json.loads((folder / MARKER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if _has_base(venv_of(folder)) else None


def begin(folder: Path) -> None:
    """From here on the environment may be half of one, until `finish` or `restore`."""
    if (folder / MARKER).exists():
        (folder / MARKER).replace(folder / MARKER_BEFORE)


def restore(folder: Path) -> None:
    """Take `begin` back: the environment was not touched after all."""
    if (folder / MARKER_BEFORE).exists():
        (folder / MARKER_BEFORE).replace(folder / MARKER)


def finish(folder: Path, found: Installed) -> None:
    """Mark the environment as whole."""
    aside = folder / f"{MARKER}.part"
    aside.write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    aside.replace(folder / MARKER)
    (folder / MARKER_BEFORE).unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Delete the backend; what else lies in the folder stays. Stop the server first. Raises SetUpError."""
    venv, aside = venv_of(folder), folder / "removing"
    try:
        for name in (MARKER, MARKER_BEFORE):
            (folder / name).unlink(missing_ok=True)
        if aside.is_dir():
            shutil.rmtree(aside)
        if venv.is_dir() and not venv.is_symlink():
            venv.replace(aside)  # all or nothing: Windows refuses while a program in it runs
            shutil.rmtree(aside)
        for name in OURS:
            path = folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise SetUpError(
            f"The backend in {folder} cannot be removed ({error.strerror}); stop it and try again."
        ) from error


def _has_base(venv: Path) -> bool:
    """Whether the environment's interpreter can start: the Python it was made from may have gone with its Blender."""
    try:
        lines = (venv / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    homes = [Path(line.partition("=")[2].strip()) for line in lines if line.partition("=")[0].strip() == "home"]
    return python_of(venv).exists() and all(home.is_dir() for home in homes)
