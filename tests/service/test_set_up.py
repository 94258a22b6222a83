"""The backend set up as the button in Blender does it: real environments, real pip, the real wheel, and what fails."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from blender_addon.link import checks  # noqa: E402
from blender_addon.link.set_up import SetUp, SetUpError, installed, needs_update, remove  # noqa: E402
from blender_addon.link.supervisor import Supervisor  # noqa: E402

PATIENCE = 1500.0
BASE = str(Path(sys.base_prefix, "python.exe" if sys.platform == "win32" else "bin/python3"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backend as it travels in the extension, the pinned versions beside it."""
    import build_addon

    folder = tmp_path_factory.mktemp("backend")
    shutil.copy(ROOT / "constraints.txt", folder)
    return build_addon.build_wheel(folder)


def altered(wheel: Path, folder: Path, old: bytes, new: bytes, name: str) -> Path:
    """A wheel with another METADATA; its files and its list of files keep their names."""
    folder.mkdir()
    shutil.copy(wheel.with_name("constraints.txt"), folder)
    target = folder / name
    version = name.split("-")[1]
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for entry in source.namelist():
            content = source.read(entry)
            renamed = re.sub(r"likeness-[\d.]+\.(dist-info|data)", rf"likeness-{version}.\1", entry)
            if entry.endswith("METADATA"):
                assert old in content
                content = content.replace(old, new)
            if entry.endswith("RECORD"):  # without hashes: METADATA is another one now
                content = b"".join(
                    re.sub(rb"likeness-[\d.]+\.(dist-info|data)", rb"likeness-%s.\1" % version.encode(), line).split(
                        b","
                    )[0]
                    + b",,\n"
                    for line in content.splitlines()
                )
            out.writestr(renamed, content)
    return target


def run(folder: Path, wheel: Path, **more: object) -> SetUp:
    """One set-up from start to end; no index of PyTorch is named, the machine's own has it."""
    options: dict[str, object] = {"python": BASE, "device": "cpu", "online": True, "index": "", "models": False} | more
    one = SetUp(folder, wheel=wheel, **options)  # type: ignore[arg-type]
    one.start()
    heard = []
    while not one.wait(0.02):
        heard.append(one.fraction)
    assert heard == sorted(heard)
    return one


def files(folder: Path) -> set[str]:
    return {str(p) for p in folder.rglob("*") if "__pycache__" not in p.parts}


def children_in(folder: Path) -> list[str]:
    """Command lines of processes that run out of a folder (Linux)."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and str(os.getpid()) != place.name:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def backend(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A backend that was set up at the second attempt; the first one was cancelled while PyTorch was being unpacked."""
    folder = tmp_path_factory.mktemp("user") / "likeness" / "backend"
    site = Path(BASE).parents[1]
    before = files(ROOT / "blender_addon"), {p.name for p in site.glob("lib/python3.*/site-packages/*")}
    first = SetUp(folder, BASE, wheel, "cpu", True, index="", models=False)
    first.start()
    while not (first.stage == "PyTorch" and first.message.startswith("Installing")):
        assert not first.wait(0.01), first.message
    time.sleep(1.0)
    begun = time.monotonic()
    first.cancel()
    assert first.wait(10)
    took = time.monotonic() - begun
    left = children_in(folder)
    half = installed(folder)
    begun = time.monotonic()
    second = run(folder, wheel, models=True)
    after = files(ROOT / "blender_addon"), {p.name for p in site.glob("lib/python3.*/site-packages/*")}
    size = sum(p.lstat().st_size for p in folder.rglob("*"))
    print(f"set up in {time.monotonic() - begun:.0f} s, {size / 1e9:.2f} GB")
    yield SimpleNamespace(
        folder=folder, first=first, took=took, left=left, half=half, second=second, before=before, after=after
    )
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
class TestTheWholeWay:
    """In order: set up, used, updated, removed."""

    def test_cancelled_half_way(self, backend: SimpleNamespace) -> None:
        assert backend.first.state == "cancelled"
        assert backend.took < 2.0
        assert backend.left == []
        assert backend.half is None

    def test_retried(self, backend: SimpleNamespace, wheel: Path) -> None:
        second = backend.second
        assert (second.state, second.fraction) == ("done", 1.0), second.log[-20:]
        assert "PyTorch 2." in second.message
        found = installed(backend.folder)
        assert found is not None
        assert wheel.name.split("-")[1] == found.version
        assert found.device == "cpu"
        assert not needs_update(found, wheel)
        assert not (backend.folder / "downloads").exists()
        log = (backend.folder / "set_up.log").read_text()
        assert "Successfully installed" in log
        assert "Progress " not in log

    def test_nothing_else_was_touched(self, backend: SimpleNamespace) -> None:
        assert backend.before == backend.after

    def test_it_serves(self, backend: SimpleNamespace, tmp_path: Path) -> None:
        found = installed(backend.folder)
        assert found is not None
        one = Supervisor(found.command, tmp_path / "home", tmp_path / "log", want_version=found.version)
        try:
            assert one.ensure().health()["version"] == found.version
        finally:
            one.stop()

    def test_again_changes_nothing(self, backend: SimpleNamespace, wheel: Path) -> None:
        """An update that is cancelled before anything changes leaves what was whole."""
        one = SetUp(backend.folder, BASE, wheel, "cpu", True, index="", models=False)
        one.start()
        while one.stage != "PyTorch":
            assert not one.wait(0.005), one.message
        one.cancel()
        assert one.wait(10)
        assert one.state == "cancelled"
        assert installed(backend.folder) is not None

    def test_updated(self, backend: SimpleNamespace, wheel: Path, tmp_path: Path) -> None:
        """A newer wheel replaces the backend and leaves PyTorch where it is."""
        old = installed(backend.folder)
        assert old is not None
        version = f"Version: {old.version}".encode()
        newer = altered(wheel, tmp_path / "newer", version, b"Version: 99.0", "likeness-99.0-py3-none-any.whl")
        assert needs_update(old, newer)
        torch = next((backend.folder / "venv").rglob("site-packages/torch/__init__.py"))
        born = torch.stat().st_ctime_ns
        one = run(backend.folder, newer)
        assert one.state == "done", one.log[-20:]
        new = installed(backend.folder)
        assert new is not None
        assert new.version == "99.0"
        assert torch.stat().st_ctime_ns == born
        assert not needs_update(new, newer)

    def test_its_python_has_gone(self, backend: SimpleNamespace) -> None:
        """Blender was replaced by a newer one: the environment is known to be dead."""
        notes = backend.folder / "venv" / "pyvenv.cfg"
        text = notes.read_text()
        notes.write_text(re.sub(r"(?m)^home = .*$", "home = /gone/blender/python/bin", text))
        assert installed(backend.folder) is None
        notes.write_text(text)
        assert installed(backend.folder) is not None

    def test_removed(self, backend: SimpleNamespace) -> None:
        own = backend.folder / "notes.txt"
        own.write_text("the user's own")
        remove(backend.folder)
        assert list(backend.folder.iterdir()) == [own]
        assert installed(backend.folder) is None
        remove(backend.folder)


def refused(folder: Path, wheel: Path, **more: object) -> str:
    one = run(folder, wheel, **more)
    assert one.state == "failed"
    assert installed(folder) is None
    assert one.message.endswith(".")
    return one.message


def test_blender_is_offline(wheel: Path, tmp_path: Path) -> None:
    assert "allow online access" in refused(tmp_path / "new", wheel, online=False)
    assert not (tmp_path / "new" / "venv").exists()


def test_too_little_room(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_200_000_000))
    assert "free another 1.8 GB and try again" in refused(tmp_path / "new", wheel)
    assert not (tmp_path / "new" / "venv").exists()


def test_wrong_python(wheel: Path, tmp_path: Path) -> None:
    later = altered(wheel, tmp_path / "later", b">=3.11", b">=3.99", wheel.name)
    message = refused(tmp_path / "new", later)
    assert f"is Python 3.{sys.version_info.minor}" in message
    old = next(iter(sorted(Path.home().glob(".pyenv/versions/3.10.*/bin/python"))), None)
    if old is not None:
        assert "runs on Python 3.11, 3.12, 3.13" in refused(tmp_path / "new", wheel, python=str(old))
    assert not (tmp_path / "new" / "venv").exists()


@pytest.mark.parametrize("python", ["/nowhere/python", shutil.which("true") or sys.executable + "-"])
def test_no_python(wheel: Path, tmp_path: Path, python: str) -> None:
    assert f"{python} is no Python" in refused(tmp_path / "new", wheel, python=python)


def test_no_wheel(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").touch()
    assert "install it again" in refused(tmp_path / "new", tmp_path / "likeness-1-py3-none-any.whl")


@pytest.mark.parametrize("folder", [ROOT / "blender_addon" / "new", Path(sys.base_prefix) / "new"])
def test_forbidden_folder(wheel: Path, folder: Path) -> None:
    try:
        assert "choose another folder" in refused(folder, wheel)
        assert not folder.exists()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Index(BaseHTTPRequestHandler):
    """A package index that knows who asks, and has nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


def only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """pip's settings as of a user with one index, whatever this machine has."""
    for name, value in (("CONFIG_FILE", os.devnull), ("FIND_LINKS", ""), ("EXTRA_INDEX_URL", ""), ("RETRIES", "1")):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_INDEX_URL", url)


def test_the_users_own_index_is_asked(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        only(monkeypatch, f"http://127.0.0.1:{server.server_port}/mine")
        message = refused(tmp_path / "new", wheel)
        server.shutdown()
    assert "has no pip==" in message
    assert server.asked == ["/mine/pip/"]  # type: ignore[attr-defined]


def test_no_network(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "http://127.0.0.1:9/simple")
    message = refused(tmp_path / "new", wheel)
    assert "cannot be reached" in message
    assert (tmp_path / "new" / "set_up.log").read_text().splitlines()[-1] == message
    remove(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_removing_what_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows has it: a folder with a running program cannot be moved, and then all of it stays."""
    (tmp_path / "venv").mkdir()
    (tmp_path / "installed.json").write_text("{}")

    def in_use(self: Path, target: Path) -> Path:
        raise PermissionError(13, "The file is being used by another process", str(self))

    monkeypatch.setattr(Path, "replace", in_use)
    with pytest.raises(SetUpError, match="stop it and try again"):
        remove(tmp_path)
    assert (tmp_path / "installed.json").exists()
