"""Each file of `inside` runs in a Blender process of its own (the bpy module), with the built extension installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

INSIDE = Path(__file__).parent / "inside"


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs the extra `blender`")
@pytest.mark.parametrize("name", ["extension", "rig", "pictures", "light"])
def test_inside_blender(name: str, bpy_environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, str(INSIDE / "run.py"), str(INSIDE / f"{name}.py"), f"--basetemp={tmp_path / name}"]
    done = subprocess.run(command, env=bpy_environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    assert " passed" in done.stdout
