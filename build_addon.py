"""``python build_addon.py``: blender_addon/ becomes dist/likeness-VERSION.zip, a checked Blender extension.

The zip carries the backend as a wheel, with the versions it is installed with, so that Blender can set it up. The same
sources give the same zip, byte for byte.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "blender_addon"
CONSTRAINTS = ROOT / "constraints.txt"
OF_THE_BACKEND = ("pyproject.toml", "README.md", "LICENSES", "backend", "blender_addon")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.ini", "*.egg-info", ".*")
DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archives, the first day that a zip knows."""
EPOCH = "315532800"
"""The same for setuptools."""


def build(folder: Path = ROOT / "dist") -> Path:
    """Build the extension into ``folder`` with Blender's own tool and have it validated; returns the zip."""
    manifest = tomllib.loads((SOURCE / "blender_manifest.toml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{manifest['id']}-{manifest['version']}.zip"
    with tempfile.TemporaryDirectory(prefix="likeness-") as temporary:
        room = Path(temporary)
        staged = room / manifest["id"]
        shutil.copytree(SOURCE, staged, ignore=LEFT_OUT)
        shutil.copy(ROOT / "LICENSES" / "GPL-3.0-or-later.txt", staged / "LICENSE")
        build_wheel(staged / "backend", manifest["version"])
        shutil.copy(CONSTRAINTS, staged / "backend")
        tool, tags = _tools()
        built, packed = room / "built.zip", room / target.name
        _run(tool, "build", f"--valid-tags={tags}", f"--source-dir={staged}", f"--output-filepath={built}")
        _repack(built, packed)
        _run(tool, "validate", f"--valid-tags={tags}", packed)
        _move(packed, target)
    return target


def build_wheel(folder: Path, version: str | None = None) -> Path:
    """Build the backend's wheel from this checkout into ``folder``; of another version than ``version`` it is refused.

    It is built from a copy: setuptools would take what an earlier build left in the checkout.
    """
    with tempfile.TemporaryDirectory(prefix="likeness-") as temporary:
        source, built = Path(temporary, "source"), Path(temporary, "built")
        source.mkdir()
        for name in OF_THE_BACKEND:
            path = ROOT / name
            if path.is_dir():
                shutil.copytree(path, source / name, ignore=LEFT_OUT)
            else:
                shutil.copy(path, source)
        pinned = {name: str(CONSTRAINTS) for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}
        options = ("--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--wheel-dir", built)
        _run("-m", "pip", "wheel", *options, source, SOURCE_DATE_EPOCH=EPOCH, **pinned)
        (wheel,) = built.glob("*.whl")
        if version is not None and wheel.name.split("-")[1] != version:
            raise SystemExit(f"The add-on is of version {version}, but the backend is {wheel.name}: make them agree.")
        folder.mkdir(parents=True, exist_ok=True)
        packed = built / "packed.whl"
        _repack(wheel, packed)
        _move(packed, folder / wheel.name)
    return folder / wheel.name


def _repack(source: Path, target: Path) -> None:
    """The files of a zip in order (a wheel's notes last), without dates and owners; a wheel is not packed again."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        names = sorted((n for n in old.namelist() if not n.endswith("/")), key=lambda n: (".dist-info/" in n, n))
        for name in names:
            info = zipfile.ZipInfo(name, DATE)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name), compresslevel=9)


def _move(source: Path, target: Path) -> None:
    """Also from another disk the target is never half there."""
    beside = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, beside)
    beside.replace(target)


def _tools() -> tuple[Path, Path]:
    """Blender's extension tool and its list of allowed tags, from the bpy module; neither imports bpy."""
    spec = importlib.util.find_spec("bpy")
    for place in spec.submodule_search_locations if spec and spec.submodule_search_locations else ():
        for scripts in Path(place).glob("*/scripts"):
            tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
            tags = scripts / "modules" / "_bpy_internal" / "extensions" / "tags.py"
            if tool.is_file() and tags.is_file():
                return tool, tags
    raise SystemExit("Blender's extension tool comes with bpy: pip install 'likeness[blender]'")


def _run(*arguments: str | Path, **environment: str) -> None:
    """Run this Python. Raises SystemExit with what it said."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    print(build())  # noqa: T201
