"""Runs inside Blender: the extension is installed from its zip, the scene is empty."""

import importlib
import os
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest
from measure import EXTENSION


@pytest.fixture(scope="session")
def room() -> Path:
    return Path(os.environ["LIKENESS_TEST_ROOM"])


@pytest.fixture(scope="session")
def expected(room: Path) -> dict[str, np.ndarray]:
    """Vertices and pixels in the package's frame and the photos' pixels."""
    return dict(np.load(room / "expected.npz"))


@pytest.fixture(scope="session")
def add_on(room: Path) -> ModuleType:
    (built,) = room.glob("likeness-*.zip")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    done = bpy.ops.extensions.package_install_files(filepath=str(built), repo="user_default", enable_on_install=True)
    assert done == {"FINISHED"}
    return importlib.import_module(EXTENSION)
