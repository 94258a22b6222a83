"""The add-on's side of the service, the real one: found, started, crashed, frozen, outlived, replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from blender_addon.link import process, server_file, supervisor  # noqa: E402
from blender_addon.link.client import ServiceError  # noqa: E402
from blender_addon.link.supervisor import Supervisor  # noqa: E402

COMMAND = [sys.executable, "-m", "likeness.cli", "serve"]
OLD = "import likeness; likeness.__version__ = '0.0.1'; from likeness.cli import main; main()"

Make = Callable[..., Supervisor]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Supervisors of one home; what they started is ended."""
    made: list[Supervisor] = []

    def one(command: list[str] = COMMAND, **more: Any) -> Supervisor:
        made.append(Supervisor(command, tmp_path / "home", tmp_path / "logs" / "backend.log", **more))
        return made[-1]

    yield one
    for each in made:
        each.stop()


def is_there(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has asked about does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return sys.platform != "linux"


def comes(what: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return what()


def told(home: Path) -> dict[str, Any]:
    return json.loads((home / "service" / "server.json").read_text())


def test_starts_and_is_found_again(make: Make, tmp_path: Path) -> None:
    one = make()
    assert (one.state, one.message, one.log_tail()) == ("stopped", "", "")
    health = one.ensure().health()
    assert (health["name"], health["api"], one.state) == ("likeness", 1, "running")
    assert one.ensure().health()["pid"] == health["pid"]
    assert "serve" in one.log_tail()
    # Another Blender uses it too, and leaves it alone.
    other = make()
    assert other.ensure().health()["pid"] == health["pid"]
    other.stop()
    assert one.ensure().health()["pid"] == health["pid"]
    one.stop()
    assert one.state == "stopped"
    assert not is_there(health["pid"])
    assert not (tmp_path / "home" / "service" / "server.json").exists()


def test_many_threads_start_one(make: Make) -> None:
    one, pids = make(), []
    threads = [threading.Thread(target=lambda: pids.append(one.ensure().health()["pid"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_two_blenders_start_at_once(make: Make) -> None:
    both, pids = (make(), make()), []
    threads = [threading.Thread(target=lambda s=s: pids.append(s.ensure().health()["pid"])) for s in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 2
    assert len(set(pids)) == 1


def test_is_started_again_after_a_crash(make: Make) -> None:
    one = make()
    for _ in range(3):
        pid = one.ensure().health()["pid"]
        os.kill(pid, signal.SIGKILL)
        assert comes(lambda: one.state == "stopped")
        assert "starts again" in one.message
        assert one.ensure().health()["pid"] != pid
        assert (one.state, one.message) == ("running", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals that stop a process for a while")
def test_a_frozen_one_is_replaced(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HEALTH_PATIENCE", 1.0)
    one = make()
    pid = one.ensure().health()["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert one.ensure().health()["pid"] != pid
    assert not is_there(pid)


def test_goes_with_blender(tmp_path: Path) -> None:
    """Blender is killed: nobody says goodbye, yet server and worker end."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from blender_addon.link.supervisor import Supervisor\n"
        f"health = Supervisor({COMMAND!r}, Path({str(tmp_path / 'home')!r}), Path({str(tmp_path / 'log')!r}))"
        ".ensure().health()\n"
        "print(health['pid'], health['worker']['pid'], flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as blender:
        assert blender.stdout is not None
        pids = [int(n) for n in blender.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_there(pid) for pid in pids)
        blender.kill()
    assert comes(lambda: not any(is_there(pid) for pid in pids))
    assert not (tmp_path / "home" / "service" / "server.json").exists()


def test_stop_while_it_starts(make: Make) -> None:
    one, errors = make([sys.executable, "-c", "import time; time.sleep(600)"]), []

    def start() -> None:
        with pytest.raises(ServiceError) as error:
            one.ensure()
        errors.append(error.value.code)

    # One starts it, the others wait for that; none may start it once it has been stopped.
    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert comes(lambda: one.state == "starting")
    begun = time.monotonic()
    one.stop()
    for thread in threads:
        thread.join(10)
    assert errors == 3 * ["cancelled"]
    assert one.state == "stopped"
    assert one.log.read_text().count("--- ") == 1
    assert time.monotonic() - begun < 2 * supervisor.STOP_PATIENCE


def test_a_program_that_is_not_there(make: Make) -> None:
    one = make(["/nowhere/likeness", "serve"])
    with pytest.raises(ServiceError, match="/nowhere/likeness") as error:
        one.ensure()
    assert (error.value.code, one.state, one.message) == ("start", "failed", error.value.message)


def test_last_words(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server said before it gave up is what the user reads."""
    monkeypatch.setattr(supervisor, "REFUSED_PATIENCE", 0.0)
    one = make([*COMMAND, "--host", "0.0.0.0"])
    with pytest.raises(ServiceError, match="--token-file") as error:
        one.ensure()
    assert error.value.code == "start"
    assert "--token-file" in one.log_tail()


def test_a_program_that_says_nothing(make: Make) -> None:
    with pytest.raises(ServiceError, match="ended with code 7 and said nothing"):
        make([sys.executable, "-c", "raise SystemExit(7)"]).ensure()


class Stranger(BaseHTTPRequestHandler):
    """Some other program that has the port by now."""

    answer = b"{}"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("left", ["dead port", "stranger", "damaged", "empty"])
def test_stale_server_file(make: Make, tmp_path: Path, left: str) -> None:
    """A killed server leaves its file; its port may be another program's by now."""
    told_by = {"token": "t" * 40, "pid": 1, "version": "0.1.0", "api": 1, "started": "2020-01-01T00:00:00+00:00"}
    path = tmp_path / "home" / "service" / "server.json"
    path.parent.mkdir(parents=True)
    stranger = HTTPServer(("127.0.0.1", 0), Stranger)
    url = f"http://127.0.0.1:{stranger.server_port}"
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    if left != "stranger":
        stranger.shutdown()
        stranger.server_close()
    content = {"damaged": '{"url": 1, "tok', "empty": ""}
    path.write_text(content.get(left, json.dumps({"url": url, **told_by})))
    try:
        one = make()
        assert one.ensure().url != url
        assert one.ensure().health()["name"] == "likeness"
    finally:
        stranger.shutdown()
        stranger.server_close()


def test_busy_port(make: Make) -> None:
    """Supervised servers take a free port, whatever is asked for by hand."""
    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        one = make([*COMMAND, "--port", str(stranger.server_port)])
        assert not one.ensure().url.endswith(f":{stranger.server_port}")


def test_an_idle_server_of_another_version_is_replaced(make: Make, tmp_path: Path) -> None:
    old = make([sys.executable, "-c", OLD, "serve"])
    pid = old.ensure().health()["pid"]
    assert told(tmp_path / "home")["version"] == "0.0.1"
    new = make(want_version="0.1.0")
    health = new.ensure().health()
    assert health["version"] == "0.1.0"
    assert comes(lambda: not is_there(pid))
    assert old.state == "stopped"


def test_a_busy_server_of_another_version_is_left_to_finish(make: Make, astronaut: Path) -> None:
    old = make([sys.executable, "-c", OLD, "serve"])
    client = old.ensure()
    job = client.submit([astronaut], {})
    new = make(want_version="0.1.0")
    with pytest.raises(ServiceError, match=r"another version \(0.0.1\) is at work") as error:
        new.ensure()
    assert (error.value.code, new.state) == ("version", "failed")
    assert client.cancel(job["id"])["state"] in ("cancelled", "running", "queued")
    assert comes(lambda: client.job(job["id"])["state"] == "cancelled", 5)
    assert new.ensure().health()["version"] == "0.1.0"


def test_a_backend_of_the_wrong_version(make: Make) -> None:
    for wants, word in (({"want_version": "9.9.9"}, "9.9.9"), ({"want_api": 99}, "API 99")):
        one = make(**wants)
        with pytest.raises(ServiceError, match=word) as error:
            one.ensure()
        assert (error.value.code, one.state) == ("version", "failed")


def test_default_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The add-on looks where the backend looks by itself."""
    from likeness.weights.store import home

    for name, value in (
        ("LIKENESS_HOME", ""),
        ("XDG_CACHE_HOME", str(tmp_path)),
        ("LIKENESS_HOME", str(tmp_path / "x")),
    ):
        monkeypatch.setenv(name, value)
        assert server_file.default_home() == home()


def test_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/blender/python")
    monkeypatch.setenv("PYTHONPATH", "/blender/scripts")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    environment = process.clean_environment(LIKENESS_HOME="/x")
    assert "PYTHONHOME" not in environment
    assert "PYTHONPATH" not in environment
    assert (environment["HTTPS_PROXY"], environment["LIKENESS_HOME"]) == ("http://proxy:3128", "/x")
