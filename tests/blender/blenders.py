"""Other Blenders to run `inside` in, each in a small environment of its own; ``python blenders.py`` makes them all.

Each is Blender's bpy module with numpy and pytest: packages and the numbers to reach still come from the environment
that runs the tests. 1 GB and half a minute each, in ``.venv-blenders``, made once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Blender:
    """A version of bpy, the Python that it was built for, and the numpy that Blender of that version brings."""

    version: str
    python: str
    numpy: str

    @property
    def folder(self) -> Path:
        return ROOT / ".venv-blenders" / self.version

    @property
    def executable(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def recipe(self) -> list[str]:
        return [f"bpy=={self.version}", f"numpy=={self.numpy}", "pytest==9.2.0"]

    @property
    def made(self) -> bool:
        mark = self.folder / "ready"
        return mark.is_file() and mark.read_text().split() == self.recipe


BLENDERS = {
    made.version: made
    for made in (
        Blender("4.2.23", "3.11", "1.24.4"),
        Blender("5.0.1", "3.11", "1.26.4"),
        Blender("5.2.3", "3.13", "2.5.5"),
    )
}
"""Besides the version that the environment of the tests has."""


def interpreter(version: str) -> str | None:
    """A Python of that version that runs, from PATH or pyenv's folder; None where there is none."""
    return next(filter(_runs, _candidates(version)), None)


def _candidates(version: str) -> Iterator[str]:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        yield sys.executable
    yield from filter(None, [shutil.which(f"python{version}")])
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from (str(path) for path in sorted(versions.glob(f"{version}.*/bin/python{version}"), reverse=True))


def _runs(python: str) -> bool:
    # pyenv's shims are on PATH even for versions that are not switched on: those fail.
    return subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0


def make(blender: Blender) -> str | None:
    """Make its environment unless it stands; returns what is missing for it, in a sentence, or None."""
    if blender.made:
        return None
    python = interpreter(blender.python)
    if python is None:
        return f"Blender {blender.version} needs Python {blender.python}, which is not on this machine."
    subprocess.run([python, "-m", "venv", "--clear", str(blender.folder)], check=True)
    subprocess.run([blender.executable, "-m", "pip", "install", "--quiet", "--no-compile", *blender.recipe], check=True)
    (blender.folder / "ready").write_text(" ".join(blender.recipe))
    return None


if __name__ == "__main__":
    for each in BLENDERS.values():
        print(make(each) or f"Blender {each.version} in {each.folder.relative_to(ROOT)}", flush=True)
