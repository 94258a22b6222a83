"""Shared by all tests: data paths, compiled heads, and skips that name what is missing."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from likeness.heads.base import HeadModel

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """A public-domain portrait, 512 x 512."""
    return ROOT / "tests" / "data" / "astronaut.png"


@pytest.fixture(scope="session")
def ict_facekit() -> Path:
    """ICT-FaceKit packed as an npz, where the machine has it."""
    path = SHARED / "heads" / "ict_facekit.npz"
    if not path.exists():
        pytest.skip(f"needs ICT-FaceKit at {path.relative_to(ROOT.parent)} beside the checkout")
    return path


@pytest.fixture(scope="session")
def anny_head() -> HeadModel:
    """The default head; compiled into the user's own folder when it is not there yet."""
    from likeness.heads.library import open_head

    return open_head("anny")


@pytest.fixture(scope="session")
def flame_home(anny_head: HeadModel, pytestconfig: pytest.Config) -> Path:
    """A LIKENESS_HOME in which a stand-in for FLAME 2020 and DECA is installed; kept between runs, read only."""
    import flame_home

    cache = pytestconfig.cache
    assert cache is not None, "needs pytest's cache"
    return flame_home.made(cache.mkdir("flame"), anny_head)


@pytest.fixture(scope="session")
def ict_home(ict_facekit: Path, pytestconfig: pytest.Config) -> Path:
    """A LIKENESS_HOME of its own in which ICT-FaceKit is installed; kept between runs until the code changes."""
    from likeness.heads import library
    from likeness.weights import face_networks
    from likeness.weights.lock import locked

    folder = ROOT / "backend" / "likeness" / "heads"
    names = ("ict*.py", "embedding*.py", "base.py", "gaze.py", "uv.py", "expressions.py")
    code = sorted(path for name in names for path in folder.glob(name))
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in code)).hexdigest()[:16]
    cache = pytestconfig.cache
    assert cache is not None, "needs pytest's cache"
    home = cache.mkdir("heads") / mark
    with locked(home.parent / "lock"):
        if not (home / "heads" / "ict-facekit.npz").exists():
            for old in home.parent.iterdir():
                if old.is_dir() and old.stat().st_mtime < time.time() - 3600:  # another run may be using a younger one
                    shutil.rmtree(old, ignore_errors=True)
            home.mkdir(exist_ok=True)
            shutil.copyfile(face_networks.install(), home / face_networks.path().name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LIKENESS_HOME", str(home))
                library.install("ict-facekit", ict_facekit)
    return home


@pytest.fixture(scope="session")
def ict_head(ict_home: Path) -> HeadModel:
    """The head compiled from ICT-FaceKit."""
    from likeness.heads.library import open_head

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(ict_home))
        return open_head("ict")


def pytest_configure(config: pytest.Config) -> None:
    # Small networks run best on one thread, and two test processes must not fight for the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
