"""Blender's window with the add-on installed from its zip, and a real backend. ``make test-gui`` runs these tests."""

from __future__ import annotations

import os
import runpy
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import debian
import pytest
from relay import Relay
from sidebar import Sidebar
from window import Window

if TYPE_CHECKING:
    from likeness.heads.base import HeadModel

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SUITES = os.environ.get("LIKENESS_TEST_GUI", "").split()
MODULE = "bl_ext.user_default.likeness"


@dataclass
class Desk:
    """Where a test sits: the window, and a folder for its pictures."""

    window: Window
    suite: str

    def picture(self, name: str) -> Path:
        """Keep the screen as out/gui/SUITE/NAME.png."""
        return self.window.picture(ROOT / "out" / "gui" / self.suite / f"{name}.png")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file comes first, so that two workers end together."""
    items.sort(key=lambda item: item.path.stem != "test_recovery")


def build(folder: Path) -> Path:
    """The extension's zip, built."""
    return Path(runpy.run_path(str(ROOT / "build_addon.py"))["build"](folder))


def give_extension(window: Window, built: Path) -> None:
    """Install and enable the add-on."""
    inside = window.bring(built)
    window.do(
        f"bpy.ops.extensions.package_install_files(filepath={inside!r}, repo='user_default', enable_on_install=True)\n"
        f"assert {MODULE!r} in bpy.context.preferences.addons\n"
        "watch_add_on()"
    )


@contextmanager
def give_backend(window: Window) -> Iterator[Relay]:
    """Tell the add-on of a backend installed by hand: this repository's, run outside. Its home has all models."""
    from likeness.weights.store import home

    inside = window.room / "backend"
    shutil.copytree(home(), inside / "home", ignore=lambda _, names: {"service", *(n for n in names if ".lock" in n)})
    shutil.copyfile(HERE / "relay.py", inside / "relay.py")
    program, line = inside / "likeness", inside / "line"
    called = [f"exec python3 {window.inside(inside / 'relay.py')} {window.inside(line)}", '"$@"']
    program.write_text("#!/bin/sh\n" + " ".join(called) + "\n")
    program.chmod(0o755)
    relay = Relay(window.debian, line)
    try:
        window.do(
            f"p = bpy.context.preferences.addons[{MODULE!r}].preferences\n"
            f"p.kind, p.own, p.home = 'OWN', {window.inside(program)!r}, {window.inside(inside / 'home')!r}"
        )
        yield relay
    finally:
        relay.close()


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built zip."""
    return build(tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="module", params=SUITES or [""])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A fresh Blender with a fresh user's folder."""
    if not request.param:
        pytest.skip("opens windows: run `make test-gui`")
    if why := debian.missing():
        pytest.skip(why)
    try:
        folder = debian.make(request.param)
    except debian.ImpossibleError as error:
        if request.param == "trixie":
            raise
        pytest.skip(f"Debian's {request.param} moves on and cannot be had now: {error}")
    with Window(folder) as window:
        yield Desk(window, request.param)


@pytest.fixture(scope="module")
def installed(desk: Desk, extension: Path) -> Desk:
    """The add-on installed and enabled."""
    give_extension(desk.window, extension)
    return desk


@pytest.fixture(scope="module")
def sidebar(installed: Desk) -> Sidebar:
    """The tab Likeness, open."""
    return Sidebar(installed.window)


@pytest.fixture(scope="module")
def backend(installed: Desk, anny_head: HeadModel) -> Iterator[Relay]:
    """A real backend, chosen in the add-on's preferences."""
    with give_backend(installed.window) as relay:
        yield relay


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A picture of what a failed test had on the screen."""
    report = yield
    desk = getattr(item, "funcargs", {}).get("desk")
    if report.failed and isinstance(desk, Desk):
        try:
            print(f"see {desk.picture(f'failed-{item.name}')}", file=sys.stderr)
        except Exception as error:
            print(f"no picture: {error}", file=sys.stderr)
    return report
