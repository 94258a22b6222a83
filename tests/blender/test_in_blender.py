"""Each file of `inside` runs in a Blender process of its own (the bpy module), with the built extension installed.

``make test-blenders`` runs them in other versions of Blender, too.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import blenders
import made_official
import pytest

INSIDE = Path(__file__).parent / "inside"
FILES = [path.stem for path in sorted(INSIDE.glob("*.py")) if "\ndef test_" in path.read_text()]
WITH_BACKEND = ("journey", "meshes", "weights")
"""Files that talk to a real backend."""
WITH_FLAME = ("deca",)
"""Files that talk to a real backend that has FLAME and DECA, or what stands in for them; in one Blender only."""

VERSIONS = os.environ.get("LIKENESS_TEST_BLENDERS", "here").split()


def python_of(version: str) -> Path:
    """The interpreter that has that Blender; skips where there is none."""
    if version == "here":
        if importlib.util.find_spec("bpy") is None:
            pytest.skip("needs the extra `blender`")
        return Path(sys.executable)
    blender = blenders.BLENDERS[version]
    reason = blenders.make(blender)
    if reason:
        pytest.skip(reason)
    return blender.executable


@pytest.mark.parametrize(
    ("version", "name"), [(v, n) for v in VERSIONS for n in FILES if v == VERSIONS[0] or n not in WITH_FLAME]
)
def test_inside_blender(
    version: str, name: str, bpy_environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if name in WITH_FLAME:
        bpy_environment |= request.getfixturevalue("flame_environment")
    if name in WITH_BACKEND:
        bpy_environment |= request.getfixturevalue("backend_environment")
        request.getfixturevalue("face")
        made_official.write(tmp_path / "official")
        bpy_environment["LIKENESS_TEST_WEIGHTS"] = str(tmp_path / "official")
    file, room = INSIDE / f"{name}.py", tmp_path / name
    command = [str(python_of(version)), str(INSIDE / "run.py"), str(file), f"--basetemp={room}"]
    done = subprocess.run(command, env=bpy_environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    assert " passed" in done.stdout
