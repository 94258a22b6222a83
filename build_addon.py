"""``python build_addon.py``: blender_addon/ becomes dist/likeness-VERSION.zip, a checked Blender extension."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "blender_addon"
LEFT_OUT = ("__pycache__", "*.ini", ".*")


def build(folder: Path = ROOT / "dist") -> Path:
    """Build the extension into ``folder`` with Blender's own tool and have it validated; returns the zip."""
    manifest = tomllib.loads((SOURCE / "blender_manifest.toml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{manifest['id']}-{manifest['version']}.zip"
    with tempfile.TemporaryDirectory(prefix="likeness-") as room:
        staged, made = Path(room) / manifest["id"], Path(room) / target.name
        shutil.copytree(SOURCE, staged, ignore=shutil.ignore_patterns(*LEFT_OUT))
        shutil.copy(ROOT / "LICENSES" / "GPL-3.0-or-later.txt", staged / "LICENSE")
        tool, tags = _tools()
        _run(tool, "build", f"--valid-tags={tags}", f"--source-dir={staged}", f"--output-filepath={made}")
        _run(tool, "validate", f"--valid-tags={tags}", str(made))
        shutil.move(made, target)
    return target


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


def _run(tool: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, str(tool), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    print(build())  # noqa: T201
