"""``python tests/gui/debian.py [SUITE]``: a Debian with Blender and a virtual screen in a folder; prints the folder.

Needs root on a Debian-like machine. Debian's archive is the one that the machine's own apt uses. The folder lies in the
user's cache, or where ``LIKENESS_GUI_CACHE`` says, takes 1.9 GB and about 70 seconds, and is made once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUITES = {"trixie": "4.3", "sid": "5.2"}
"""Debian's suites and the Blender that they had when this was written; sid moves on."""

PACKAGES = [
    *("blender", "python3-numpy", "python3-zstandard", "python3-requests", "python3-cattr"),  # Blender's own add-ons
    *("xvfb", "openbox", "xdotool", "imagemagick", "libgl1-mesa-dri", "libegl-mesa0", "libegl1", "tkdnd"),
]

FROM_HOST = ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt")


class ImpossibleError(Exception):
    """Why this machine cannot have the folder, in one sentence."""


def cache() -> Path:
    """Where the folders lie."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LIKENESS_GUI_CACHE") or Path(base) / "likeness-gui").resolve()


def place(suite: str) -> Path:
    """The suite's folder; another recipe has another folder."""
    recipe = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8]
    return cache() / f"{suite}-{recipe}"


def missing() -> str | None:
    """What keeps this machine from making the folder, in one sentence; None when nothing does."""
    if not sys.platform.startswith("linux") or not shutil.which("apt-get"):
        return "Blender's window is tested on Debian and its kin only: there is no apt-get here."
    if os.geteuid() != 0:
        return "A Debian in a folder needs root, for chroot."
    return None


def make(suite: str) -> Path:
    """The folder with the suite, made unless it is there; raises `ImpossibleError`."""
    reason = missing()
    if reason:
        raise ImpossibleError(reason)
    folder = place(suite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for old in folder.parent.glob(f"{suite}-*"):
                shutil.rmtree(old)
            half = folder.with_name(f"{folder.name}-half-made")
            fill(half, suite)
            half.rename(folder)
    return folder


def fill(folder: Path, suite: str) -> None:
    """Debian's base, then Blender."""
    if not shutil.which("debootstrap"):
        run("apt-get", "update", "--quiet")
        run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "debootstrap")
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(folder), archive())
    for name in FROM_HOST:
        if Path("/", name).is_file():
            shutil.copyfile(Path("/", name), folder / name)
    (folder / "etc/apt/apt.conf.d/90host").write_text(apt_settings())
    policy = folder / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")  # no services in here
    policy.chmod(0o755)
    inside = ("chroot", str(folder), "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "apt-get", "--quiet")
    run(*inside, "update")
    run(*inside, "install", "--yes", "--no-install-recommends", *PACKAGES)
    run(*inside, "clean")


def archive() -> str:
    """The address of Debian's archive in the machine's own apt sources."""
    wanted = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)",
        "Created-By: Packages",
    ]
    for line in subprocess.run(wanted, capture_output=True, text=True, check=True).stdout.splitlines():
        address, *kind = line.split()
        if kind == ["Debian", "Debian", "main"]:
            return address
    raise ImpossibleError("This machine's apt knows no Debian archive.")


def apt_settings() -> str:
    """How the host's apt gets out (proxies, certificates); snapshots' expired dates are no obstacle."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    kept = [s for s in dump.splitlines() if s.startswith(("Acquire::http::", "Acquire::https::", "Acquire::Retries"))]
    return "\n".join([*kept, 'Acquire::Check-Valid-Until "false";', 'APT::Install-Recommends "false";', ""])


def run(*command: str) -> None:
    """One step; its noise is shown when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise ImpossibleError(f"{command[0]} failed:\n{done.stdout[-3000:]}")


if __name__ == "__main__":
    try:
        print(make(*sys.argv[1:] or ["trixie"]))
    except ImpossibleError as why:
        raise SystemExit(str(why)) from None
