"""A LIKENESS_HOME with a stand-in's FLAME and DECA, made of files in the official layouts; made once, then kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from deca_stand_in import write_checkpoint
from flame_stand_in import StandIn

from likeness.heads.base import HeadModel
from likeness.heads.flame_files import flame_head, open_flame
from likeness.weights import face_networks, store

__all__ = ["linked", "made"]

TESTS = Path(__file__).parent
BACKEND = TESTS.parent / "backend" / "likeness"


def made(folder: Path, open_head: HeadModel) -> Path:
    """The home in ``folder``: edition 2020, DECA's data and checkpoint, and the head compiled by way of ``open_head``.

    It is made anew when code that it comes from has changed; read only, take `linked` to install more.
    """
    code = sorted(
        [*(BACKEND / "heads").glob("*.py"), *(BACKEND / "weights").rglob("*.py"), *TESTS.glob("*_stand_in.py")]
    )
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in code) + open_head.notes.encode()).hexdigest()[:16]
    home = folder / mark
    if home.exists():
        return home
    aside = Path(tempfile.mkdtemp(dir=folder, prefix="making-"))
    try:
        _fill(aside, open_head)
        for old in folder.iterdir():
            if not old.name.startswith("making-"):
                shutil.rmtree(old, ignore_errors=True)
        aside.rename(home)
    except OSError:
        if not home.exists():  # else another test run was quicker
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return home


def _fill(home: Path, open_head: HeadModel) -> None:
    networks = face_networks.install()
    shutil.copyfile(networks, home / networks.name)
    others = {path.name for path in (networks.parent / "heads").iterdir() if "anny" not in path.name}
    shutil.copytree(networks.parent / "heads", home / "heads", ignore=lambda _, names: others & set(names))
    stand_in = StandIn(open_head)
    with tempfile.TemporaryDirectory() as room, pytest.MonkeyPatch.context() as patch:
        official = Path(room)
        stand_in.write_data(official / "data")
        patch.setenv("LIKENESS_HOME", str(home))
        store.install("flame-2020", stand_in.write_model(official))
        store.install("deca-data", official / "data")
        store.install("deca", write_checkpoint(official / "deca_model.tar", stand_in))
        flame_head(open_flame("flame-2020"), open_head)


def linked(home: Path, copy: Path) -> Path:
    """A home of its own with the same files, at no cost: the store writes beside and renames, never into a file."""
    shutil.copytree(home, copy, copy_function=_link, ignore=lambda _, names: {n for n in names if ".lock" in n})
    return copy


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
