# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's own virtual environment: where it lies, whether it is whole, how it goes.

Three marks tell its state: ``installed.json`` in the folder (whole), ``plan.json`` in the environment (what it is made
for), ``touched`` in the environment (a package may be half there: only a new environment helps).
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from .long_paths import venv_of

__all__ = ["Environment", "Installed", "Plan", "SetUpError", "installed", "python_of", "remove"]

MARKER, BEFORE, PLAN, TOUCHED = "installed.json", "installed.before.json", "plan.json", "touched"
DOWNLOADS, LOG, REMOVING = "downloads", "set_up.log", "removing"


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


@dataclass(frozen=True)
class Plan:
    """What an environment is made for; one made for something else is made anew."""

    python: str
    device: str
    index: str


class Environment:
    """The environment of a folder while it is being set up."""

    def __init__(self, folder: Path) -> None:
        """Nothing is touched yet."""
        self.folder, self.venv = folder, venv_of(folder)
        self.python = python_of(self.venv)
        self.downloads, self.log = folder / DOWNLOADS, folder / LOG

    def is_usable(self, plan: Plan) -> bool:
        """Whether it is there, made for this plan, and no package in it is half there."""
        if (self.venv / TOUCHED).exists() or not _has_base(self.venv):
            return False
        try:
            return Plan(**json.loads((self.venv / PLAN).read_text(encoding="utf-8"))) == plan
        except (OSError, ValueError, TypeError):
            return False

    def made(self, plan: Plan) -> None:
        """Note what it was made for, once Python and pip are in it."""
        _write(self.venv / PLAN, json.dumps(asdict(plan)))

    def begin(self) -> None:
        """From here on packages may change, until `settle` or `finish`."""
        if (self.folder / MARKER).exists():
            (self.folder / MARKER).replace(self.folder / BEFORE)
        (self.venv / TOUCHED).touch()

    def settle(self, changed: bool) -> None:
        """No package is half there. Where none has changed either, what was whole still is."""
        if (self.folder / BEFORE).exists():
            if changed:
                (self.folder / BEFORE).unlink()
            else:
                (self.folder / BEFORE).replace(self.folder / MARKER)
        (self.venv / TOUCHED).unlink(missing_ok=True)

    def finish(self, found: Installed) -> None:
        """It is whole; what was fetched is no longer needed."""
        _write(self.folder / MARKER, json.dumps(asdict(found), indent=1))
        (self.folder / BEFORE).unlink(missing_ok=True)
        shutil.rmtree(self.downloads, ignore_errors=True)

    def discard(self) -> None:
        """Delete it, whole or not; what was fetched stays. Raises OSError, and then it is as it was."""
        aside = self.venv.with_name(REMOVING)
        if aside.is_dir():
            shutil.rmtree(aside)
        if self.venv.is_symlink():
            self.venv.unlink()
        elif self.venv.is_dir():
            self.venv.replace(aside)  # all or nothing: Windows refuses while a program in it runs
            for name in (MARKER, BEFORE):
                (self.folder / name).unlink(missing_ok=True)
            shutil.rmtree(aside)


def python_of(venv: Path) -> Path:
    """An environment's interpreter."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def installed(folder: Path) -> Installed | None:
    """The backend in a folder; None where there is none, a set-up did not finish, or the Python it needs has gone."""
    try:
        found = Installed(**json.loads((folder / MARKER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if _has_base(Path(found.python).parents[1]) else None


def remove(folder: Path) -> None:
    """Delete the backend; what else lies in the folder stays. Stop the server first. Raises SetUpError."""
    here = Environment(folder)
    try:
        here.discard()
        for name in (MARKER, BEFORE, LOG, "lock"):
            (folder / name).unlink(missing_ok=True)
        if here.downloads.is_dir():
            shutil.rmtree(here.downloads)
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


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
