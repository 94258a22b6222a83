"""Shared by all tests: data paths, and skips that name what is missing."""

import os
from pathlib import Path

import pytest

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


def pytest_configure(config: pytest.Config) -> None:
    # Small networks run best on one thread, and two test processes must not fight for the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
