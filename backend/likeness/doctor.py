"""Looks at the machine: what works, what does not, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from likeness import __version__
from likeness.errors import LikenessError

__all__ = ["Finding", "examine"]

DISK_GB = 1.0
MEMORY_GB = 4.0


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        state: "ok", "note" (works, could be better) or "bad" (a reconstruction will fail).
        name: of what was looked at.
        found: what is there.
        advice: what to do, empty when nothing.
    """

    state: Literal["ok", "note", "bad"]
    name: str
    found: str
    advice: str = ""


def examine() -> list[Finding]:
    """Look at everything in turn; never raises."""
    looks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("Python", _python),
        ("PyTorch", _torch),
        ("memory", _memory),
        ("storage", _storage),
        ("face networks", _networks),
        ("heads", _heads),
        ("Blender", _blender),
        ("HEIC photos", _heic),
    ]
    findings = []
    for name, look in looks:
        try:
            findings += look()
        except LikenessError as error:
            findings.append(Finding("bad", name, str(error)))
        except Exception as error:  # whatever a broken installation raises on import
            advice = "install Likeness anew into a fresh environment"
            findings.append(Finding("bad", name, f"{type(error).__name__}: {error}".splitlines()[0], advice))
    return findings


def _python() -> list[Finding]:
    found = f"{sys.version.split()[0]} at {sys.executable}, Likeness {__version__}"
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return [Finding("note", "Python", found, "the versions 3.11 to 3.13 are tested")]
    return [Finding("ok", "Python", found)]


def _torch() -> list[Finding]:
    import torch

    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    where = (
        f"graphics card {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "no CUDA card, uses the CPU"
    )
    found = f"{torch.__version__}, {where}, {threads} of {cores} threads"
    if threads > cores:
        return [
            Finding("note", "PyTorch", found, f"set OMP_NUM_THREADS to {cores} or less; threads that fight are slow")
        ]
    return [Finding("ok", "PyTorch", found)]


def _memory() -> list[Finding]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):  # not on Windows
        return []
    if total < MEMORY_GB:
        return [
            Finding("note", "memory", f"{total:.1f} GB", "use --texture-size 1024 or less, and close other programs")
        ]
    return [Finding("ok", "memory", f"{total:.1f} GB")]


def _storage() -> list[Finding]:
    from likeness.weights.store import home

    place = home()
    folder = next(p for p in (place, *place.parents) if p.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return [Finding("bad", "storage", f"{place} cannot be written", "set LIKENESS_HOME to a folder you can write")]
    free = shutil.disk_usage(folder).free / 2**30
    if free < DISK_GB:
        return [Finding("bad", "storage", f"{free:.1f} GB free at {place}", "free some space, or set LIKENESS_HOME")]
    return [Finding("ok", "storage", f"{place}, {free:.0f} GB free")]


def _networks() -> list[Finding]:
    from likeness.weights import face_networks

    if not face_networks.path().is_file():
        advice = "run `likeness weights install landmarks`, or let the first photo fetch them (36 MB)"
        return [Finding("note", "face networks", "not installed yet", advice)]
    for name in face_networks.MEMBERS:
        face_networks.open_network(name)
    return [Finding("ok", "face networks", str(face_networks.path()))]


def _heads() -> list[Finding]:
    from likeness.heads.library import list_heads

    return [
        Finding("ok" if head.status.startswith("ready") else "note", f"head {head.name}", head.status)
        for head in list_heads()
    ]


def _blender() -> list[Finding]:
    if importlib.util.find_spec("bpy"):
        from importlib.metadata import version

        return [Finding("ok", "Blender", f"the bpy module {version('bpy')}")]
    found = shutil.which("blender")
    if found:
        return [Finding("ok", "Blender", found)]
    advice = "for .blend files and portraits run `pip install 'likeness[blender]'`, or put Blender on PATH"
    return [Finding("note", "Blender", "neither the bpy module nor a program on PATH", advice)]


def _heic() -> list[Finding]:
    if importlib.util.find_spec("pillow_heif"):
        return [Finding("ok", "HEIC photos", "can be read")]
    return [Finding("note", "HEIC photos", "cannot be read", "run `pip install pillow-heif` if you have any")]
