"""The real program in a process of its own: the astronaut becomes a package, or nothing at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from likeness import package

LIKENESS = [sys.executable, "-m", "likeness.cli"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def likeness(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LIKENESS, *map(str, arguments)], capture_output=True, text=True, timeout=600, env=ENVIRONMENT, check=False
    )


@pytest.fixture(scope="module")
def done(astronaut: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("done") / "Astronaut.likeness"
    return out, likeness("reconstruct", astronaut, "-o", out, "--texture-size", 512)


def test_the_astronaut_becomes_a_package(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, process = done
    assert process.returncode == 0, process.stderr
    assert [p.name for p in out.parent.iterdir()] == ["Astronaut.likeness"]
    avatar = package.load(out)  # checks every index, shape and path
    assert avatar.name == "Astronaut"
    assert "jawOpen" in avatar.expression_names
    assert {"root", "neck", "head", "jaw", "eye.L", "eye.R"} <= set(avatar.joint_names)
    skin = avatar.materials["Skin"].maps
    assert {"albedo", "normal", "roughness"} <= set(skin)
    assert skin["albedo"].pixels.shape == (512, 512, 3)
    (view,) = avatar.views
    assert view.photo.shape == (512, 512, 3)
    # The head stands where the face is: its middle projects into the face's box.
    eyes = avatar.joints[[avatar.joint_names.index(n) for n in ("eye.R", "eye.L")]]
    np.testing.assert_allclose(view.camera.project(eyes), [(203, 101), (247, 104)], atol=8)
    assert 0.12 < np.ptp(avatar.vertices[:, 0]) < 0.7  # metres
    assert avatar.provenance["licences"]
    assert avatar.provenance["photos"] == [{"name": "astronaut.png", "notes": []}]


def test_progress_is_told_at_every_stage(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, process = done
    stages = [line.split()[2] for line in process.stderr.splitlines()]
    order = [s for i, s in enumerate(stages) if s not in stages[:i]]
    assert [s for s in order if s != "head"] == ["start", "faces", "fit", "maps", "write"]
    assert process.stdout == ""
    assert process.stderr.splitlines()[-1].endswith(f"Wrote {out}")


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    process = likeness("reconstruct", tmp_path / "nobody.jpg", "-o", tmp_path / "a.likeness")
    assert process.returncode == 2
    sentence = f"likeness: There is no photo at {tmp_path / 'nobody.jpg'}; check its name and folder."
    assert process.stderr.splitlines()[-1] == sentence
    assert "Traceback" not in process.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "stage"), [(signal.SIGINT, "  fit  "), (signal.SIGTERM, "  write  ")])
def test_an_interrupt_leaves_nothing_behind(astronaut: Path, tmp_path: Path, number: int, stage: str) -> None:
    command = [*LIKENESS, "reconstruct", str(astronaut), "-o", str(tmp_path / "a.likeness"), "--texture-size", "512"]
    # A shell's background jobs are born deaf to Ctrl+C, and so would be what they start.
    hear = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, **hear) as process:
        assert process.stderr
        for line in process.stderr:
            if stage in line:
                process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "likeness: Interrupted; nothing half-written was left behind."
    assert list(tmp_path.iterdir()) == []
