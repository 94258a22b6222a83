"""The extension's zip: what is in it, the same each time, and accepted by Blender."""

from __future__ import annotations

import os
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The zip, built twice under different file modes and clocks; `build` has Blender's own validator look at it."""
    pytest.importorskip("bpy", reason="needs Blender's extension tool, which comes with bpy")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        import build_addon

        zips = []
        for umask, zone in ((0o022, "UTC"), (0o077, "Asia/Tokyo")):
            patch.setenv("TZ", zone)
            old = os.umask(umask)
            try:
                zips.append(build_addon.build(tmp_path_factory.mktemp("dist")))
            finally:
                os.umask(old)
        yield zips
    sys.modules.pop("build_addon", None)


def test_reproducible(built: list[Path]) -> None:
    assert built[0] != built[1]
    assert built[0].read_bytes() == built[1].read_bytes()


def test_entries_are_in_order_and_without_dates(built: list[Path]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_carries_all_of_the_add_on(built: list[Path]) -> None:
    source = ROOT / "blender_addon"
    with zipfile.ZipFile(built[0]) as archive:
        names = set(archive.namelist())
    modules = {p.relative_to(source).as_posix() for p in source.rglob("*.py")}
    assert modules <= names
    assert {"LICENSE", "blender_manifest.toml", "backend/constraints.txt"} <= names
    assert not [n for n in names if "__pycache__" in n or n.endswith((".ini", ".pyc"))]


def test_carries_the_backend(built: list[Path], tmp_path: Path) -> None:
    """The wheel is whole, of the add-on's version, and has what the program needs beside its modules."""
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".whl")]
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        assert archive.read("backend/constraints.txt") == (ROOT / "constraints.txt").read_bytes()
        wheel = Path(archive.extract(name, tmp_path))
    assert name == f"backend/likeness-{manifest['version']}-py3-none-any.whl"
    backend = ROOT / "backend"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
    assert {p.relative_to(backend).as_posix() for p in (backend / "likeness").rglob("*.py")} <= names
    for kind in ("*.safetensors", "*.toml"):
        assert {p.relative_to(backend).as_posix() for p in (backend / "likeness").rglob(kind)} <= names
    assert [n for n in names if n.endswith("share/likeness/blender_addon/scene/rig.py")]


def test_permissions_have_reasons() -> None:
    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert set(manifest["permissions"]) == {"files", "network"}
    assert (manifest["blender_version_min"], manifest["blender_version_max"]) == ("4.2.0", "5.3.0")
