"""Homes with everything installed, and servers on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from running import Running

if TYPE_CHECKING:
    from likeness.heads.base import HeadModel

LONG = ("test_crash", "test_set_up", "test_jobs", "test_hostile", "test_cancel")
"""Files that take longest come first, so that two workers end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session")
def stock(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Face networks and the default head, so that no test fetches or compiles them."""
    from likeness.weights import face_networks
    from likeness.weights.store import home

    folder = tmp_path_factory.mktemp("stock")
    shutil.copyfile(face_networks.install(), folder / face_networks.path().name)
    (folder / "heads").mkdir()
    for head in (home() / "heads").glob("anny-*.safetensors"):
        shutil.copyfile(head, folder / "heads" / head.name)
    return folder


@pytest.fixture(scope="module")
def home(stock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LIKENESS_HOME of its own for each file of tests."""
    return Path(shutil.copytree(stock, tmp_path_factory.mktemp("home") / "likeness"))


@pytest.fixture
def own_home(stock: Path, tmp_path: Path) -> Path:
    """The same for one test."""
    return Path(shutil.copytree(stock, tmp_path / "home"))


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Running]:
    """A server that all tests of a file share."""
    with Running(home) as running:
        yield running


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A home with nothing in it, for tests that need no worker."""
    return tmp_path / "home"
