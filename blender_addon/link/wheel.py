# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's wheel that travels with the add-on: its version, and the Pythons it runs on."""

from __future__ import annotations

import hashlib
import operator
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path

from .environment import SetUpError

__all__ = ["Wheel", "allows", "own_wheel", "read_wheel"]

NEWEST = 30
"""Minor version of Python 3 up to which "which ones would do" is told."""

_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Wheel:
    """What a wheel says of itself; ``pythons`` is its Requires-Python, as ">=3.11,<3.14"."""

    path: Path
    version: str
    pythons: str
    sha256: str

    def runs_on(self, version: tuple[int, int]) -> bool:
        """Whether it runs on Python ``version``, as (3, 13)."""
        return allows(self.pythons, version)

    def fitting_pythons(self) -> str:
        """For people: "3.11, 3.12, 3.13"."""
        return ", ".join(f"3.{minor}" for minor in range(NEWEST) if self.runs_on((3, minor)))


def own_wheel() -> Path | None:
    """The wheel inside the add-on; None in a checkout, where there is none."""
    found = sorted((Path(__file__).parents[1] / "backend").glob("likeness-*.whl"))
    return found[-1] if found else None


def read_wheel(path: Path) -> Wheel:
    """Look into a wheel. Raises SetUpError."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            about = BytesParser().parsebytes(archive.read(name), headersonly=True)
    except (OSError, zipfile.BadZipFile, StopIteration) as error:
        raise SetUpError(f"The add-on's own copy of the backend cannot be read ({path}); install it again.") from error
    return Wheel(path, str(about["Version"]), str(about["Requires-Python"] or ""), sha256)


def allows(specifier: str, version: tuple[int, int]) -> bool:
    """Whether a Requires-Python allows a version. Marks other than the five comparisons are left to pip."""
    for part in specifier.split(","):
        mark = part.strip().rstrip("0123456789. ")
        if mark in _COMPARE:
            bound = tuple(int(n) for n in part.strip()[len(mark) :].strip().split("."))
            if not _COMPARE[mark](version, bound):
                return False
    return True
