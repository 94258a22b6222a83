"""The parts of the set-up that need no environment: what pip says, which Pythons do, short paths, marks."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from blender_addon.link import builds, environment, growth, long_paths  # noqa: E402
from blender_addon.link.commands import CancelledError, Commands  # noqa: E402
from blender_addon.link.environment import Environment, Installed, Plan, SetUpError, installed  # noqa: E402
from blender_addon.link.growth import Growth  # noqa: E402
from blender_addon.link.only_one import only_one  # noqa: E402
from blender_addon.link.pip_talk import PipTalk  # noqa: E402
from blender_addon.link.wheel import allows  # noqa: E402

PLAN = Plan("3.11", "cpu", "")
FOUND = Installed("1.2", "", "cpu", "ab" * 32)


@pytest.mark.parametrize(
    ("specifier", "minors"),
    [
        (">=3.11,<3.14", [11, 12, 13]),
        ("<3.14, >=3.11", [11, 12, 13]),
        (">3.11,!=3.13,<=3.14", [12, 13, 14]),
        ("", range(10, 16)),
    ],
)
def test_allowed_pythons(specifier: str, minors: list[int]) -> None:
    found = [minor for minor in range(10, 16) if allows(specifier, (3, minor))]
    assert found == ([12, 14] if "!=" in specifier else list(minors))


def test_progress_of_pip() -> None:
    """Bytes add up over files, and a file that is taken from the disk counts nothing."""
    heard: list[tuple[int, str]] = []
    talk = PipTalk(lambda t: heard.append((t.fetched, t.message)))
    lines = [
        ("Collecting torch==2.13.0 (from -c constraints.txt (line 77))", True),
        ("  Downloading https://x/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl (200.0 MB)", True),
        ("Progress 0 of 200000000", False),
        ("Progress 150000000 of 200000000", False),
        ("Progress 200000000 of 200000000", False),
        ("Processing /opt/wheels/typing_extensions-4.16.0-py3-none-any.whl (from torch)", True),
        ("  Using cached sympy-1.14.0-py3-none-any.whl (6.3 MB)", True),
        ("  Downloading filelock-4.2.12-py3-none-any.whl (222 kB)", True),
        ("Progress 222000 of 222000", False),
    ]
    for line, worth in lines:
        assert talk.hear(line) == worth
    assert heard[-1] == (200000000 + 222000, "Fetching filelock, 0 of 0 MB")
    assert heard[3] == (150000000, "Fetching torch, 150 of 200 MB")
    assert not talk.changed
    talk.hear("Installing collected packages: mpmath, sympy, torch")
    assert talk.changed
    assert talk.message == "Installing 3 packages"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('", "check the network"),
        ("WARNING: ... certificate verify failed: self-signed certificate in certificate chain", "certificate"),
        ("ERROR: HTTP error 403 while getting https://x/torch.whl", "refuses access"),
        ("ERROR: No matching distribution found for torch>=2.6", "has no torch that fits"),
        ("    The user requested (constraint) torch==2.13.0", "has no torch==2.13.0"),
        ("ERROR: Could not install packages due to an OSError: [WinError 32] in use", "stop the backend"),
        ("ERROR: something new", "something new"),
        ("", "no reason given"),
    ],
)
def test_why_pip_failed(line: str, word: str) -> None:
    talk = PipTalk(lambda _: None)
    talk.hear("Collecting torch")
    talk.hear(line)
    talk.hear("[notice] A new release of pip is available" if "Errno" in line else "")
    why = talk.why() if line else PipTalk(lambda _: None).why()
    assert word in why
    assert why.endswith(".")


def test_short_paths(tmp_path: Path) -> None:
    """A folder as deep as Blender's own on Windows would leave PyTorch's files no room there."""
    deep = tmp_path / ("x" * 120)
    assert long_paths.place(deep, True, tmp_path) == deep / "venv"
    assert long_paths.place(Path("/b"), False, tmp_path) == Path("/b/venv")
    short = long_paths.place(deep, False, Path("/local"))
    assert len(str(short)) + long_paths.LONGEST_IN_VENV <= long_paths.MAX_PATH
    assert short != long_paths.place(deep / "other", False, Path("/local"))


def test_longest_file_of_pytorch() -> None:
    """The reserve for PyTorch's deepest file is enough for the one that is installed here."""
    torch = importlib.metadata.distribution("torch")
    longest = max(len(str(file)) for file in torch.files)
    assert len("\\Lib\\site-packages\\") + longest <= long_paths.LONGEST_IN_VENV


@pytest.mark.parametrize(
    ("platform", "device"), [("linux", "cpu"), ("linux", "cuda"), ("win32", "cuda"), ("darwin", "cpu")]
)
def test_builds(platform: str, device: builds.Device) -> None:
    build = builds.build_for(device, platform)
    assert build is not None
    assert build.disk > build.size.installed + build.size.fetched
    assert build.index == "" or build.index.startswith("https://download.pytorch.org/whl/")


def test_no_build() -> None:
    assert builds.build_for("cuda", "darwin") is None


@pytest.fixture
def place(tmp_path: Path) -> Environment:
    """An environment as venv leaves it, as far as the marks are concerned."""
    here = Environment(tmp_path)
    here.python.parent.mkdir(parents=True)
    here.python.touch()
    (here.venv / "pyvenv.cfg").write_text(f"home = {tmp_path}\nversion = 3.11.7\n")
    here.made(PLAN)
    return here


def whole(here: Environment) -> Installed:
    found = Installed(FOUND.version, str(here.python), FOUND.device, FOUND.wheel_sha256)
    here.finish(found)
    return found


def test_marks(place: Environment) -> None:
    assert installed(place.folder) is None
    assert place.is_usable(PLAN)
    assert not place.is_usable(Plan("3.11", "cuda", ""))
    place.begin()
    assert not place.is_usable(PLAN)  # as after a power cut: a package may be half there
    place.settle(changed=True)
    assert place.is_usable(PLAN)
    assert installed(place.folder) is None
    found = whole(place)
    assert installed(place.folder) == found
    assert found.command[0] == str(place.python)


def test_marks_of_an_update(place: Environment) -> None:
    found = whole(place)
    place.begin()
    assert installed(place.folder) is None
    place.settle(changed=False)
    assert installed(place.folder) == found
    place.begin()
    place.settle(changed=True)
    place.begin()
    place.settle(changed=False)
    assert installed(place.folder) is None, "what was whole has changed, and is not finished"


def test_a_power_cut_during_an_update(place: Environment) -> None:
    whole(place)
    place.begin()
    assert installed(place.folder) is None
    assert not place.is_usable(PLAN)
    place.discard()
    assert installed(place.folder) is None
    assert list(place.folder.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": "1"}', json.dumps({"a": 1})])
def test_damaged_mark(place: Environment, content: str) -> None:
    (place.folder / environment.MARKER).write_text(content)
    assert installed(place.folder) is None


def test_growth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar moves with the room taken, never backwards past nothing and never to the end."""
    free = iter([1000, 900, 1200, 0, 0, 0, 0])
    monkeypatch.setattr(growth, "INTERVAL", 0.01)
    monkeypatch.setattr(growth.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free, 0)))
    heard: list[float] = []
    with Growth(tmp_path, 500, heard.append) as watch:
        watch.begin()
        watch.begin()
        end = time.monotonic() + 5
        while len(heard) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert heard[:3] == [0.2, 0.0, 0.99]


def test_one_at_a_time(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(SetUpError, match="Another Blender"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_nothing_runs_after_cancel() -> None:
    commands = Commands()
    commands.cancel()
    with pytest.raises(CancelledError):
        commands.run([sys.executable, "-c", "print(1)"], print, {})
