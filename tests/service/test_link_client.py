"""The add-on's client and its watch over a job, against the real service, with a real head."""

from __future__ import annotations

import os
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from blender_addon.link.client import Client, ServiceError  # noqa: E402
from blender_addon.link.package import open_package  # noqa: E402
from blender_addon.link.supervisor import Supervisor  # noqa: E402
from blender_addon.link.work import JobWatch, Work  # noqa: E402

SMALL = {"texture_size": 256, "name": "Eileen"}
PATIENCE = 600.0


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """A server with a job list of its own, and with the models that this user has compiled already."""
    from likeness.heads.library import open_head
    from likeness.weights import face_networks, store

    open_head("anny")
    networks = face_networks.install()
    room = tmp_path_factory.mktemp("link")
    home = room / "home"
    home.mkdir()
    for path in (networks, store.home() / "heads"):
        if path.exists():
            (home / path.name).symlink_to(path)
    supervisor = Supervisor([sys.executable, "-m", "likeness.cli", "serve"], home, room / "log")
    yield supervisor
    supervisor.stop()


@pytest.fixture
def client(supervisor: Supervisor) -> Client:
    return supervisor.ensure()


@pytest.fixture(scope="module")
def finished(supervisor: Supervisor, astronaut: Path) -> str:
    """The id of a job that has gone all the way."""
    job = supervisor.ensure().submit([astronaut], SMALL)
    assert (job["state"] in ("queued", "running"), job["photos"]) == (True, ["astronaut.png"])
    watch = JobWatch(supervisor.ensure, job["id"])
    totals = []
    while not watch.wait(0.05):
        totals += [watch.job["total"]] if watch.job else []
    assert (watch.lost, watch.job and watch.job["error"]) == ("", None)
    assert watch.job["state"] == "done"
    assert totals == sorted(totals)
    assert len(set(totals)) > 3
    return str(job["id"])


def test_faces(client: Client, astronaut: Path) -> None:
    (photo,) = client.faces([astronaut])
    assert (photo["width"], photo["height"], photo["error"]) == (512, 512, None)
    x0, y0, x1, y1 = photo["faces"][0]["box"]
    assert x0 < 224 < x1
    assert y0 < 110 < y1


def test_avatar(client: Client, finished: str, tmp_path: Path) -> None:
    heard: list[float] = []
    target = tmp_path / "new" / "Äileen.likeness.zip"
    assert client.avatar(finished, target, heard.append) == target
    assert heard[-1] == 1.0
    assert heard == sorted(heard)
    assert zipfile.ZipFile(target).testzip() is None
    with open_package(target) as package:
        assert package.name == SMALL["name"]
        assert "jawOpen" in package.expressions
    assert list(target.parent.iterdir()) == [target]


def test_avatar_given_up(client: Client, finished: str, tmp_path: Path) -> None:
    def enough(fraction: float) -> None:
        raise InterruptedError

    target = tmp_path / "head.zip"
    target.write_bytes(b"what was there")
    with pytest.raises(InterruptedError):
        client.avatar(finished, target, enough)
    assert target.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [target]


def test_preview(client: Client, finished: str, tmp_path: Path) -> None:
    path = client.preview(finished, tmp_path / "head.png")
    assert path is not None
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_lists(client: Client, finished: str) -> None:
    assert finished in [job["id"] for job in client.jobs()]
    assert {method["name"] for method in client.methods()} >= {"open"}
    assert {head["name"] for head in client.heads()} >= {"anny"}
    assert client.weights()


def test_cancelled_and_deleted(client: Client, astronaut: Path, finished: str) -> None:
    job = client.submit([astronaut], SMALL)["id"]
    begun = time.monotonic()
    client.cancel(job)
    while client.job(job)["state"] in ("queued", "running"):
        assert time.monotonic() - begun < 2.0
        time.sleep(0.02)
    assert client.job(job)["state"] == "cancelled"
    assert client.cancel(job)["state"] == "cancelled"  # and not deleted
    client.delete(job)
    with pytest.raises(ServiceError) as error:
        client.job(job)
    assert error.value.status == 404
    assert client.cancel(finished)["state"] == "done"


def test_refusals_are_sentences(client: Client, tmp_path: Path) -> None:
    text = tmp_path / "letter.png"
    text.write_text("no picture")
    for paths, settings in (([text], {}), ([], {}), ([ROOT / "tests/data/astronaut.png"], {"method": "none"})):
        with pytest.raises(ServiceError) as error:
            client.submit(paths, settings)
        assert error.value.status is not None
        assert 400 <= error.value.status < 500
        assert error.value.message.endswith(".")
    with pytest.raises(ServiceError, match=r"gone\.png cannot be read") as error:
        client.submit([tmp_path / "gone.png"], {})
    assert error.value.code == "file"


@pytest.mark.parametrize("moment", [0.0, 0.3])
def test_server_killed_during_a_job(supervisor: Supervisor, astronaut: Path, finished: str, moment: float) -> None:
    """The watch hears what became of the job, from the server that was started again; the next job runs."""
    client = supervisor.ensure()
    job = client.submit([astronaut], SMALL)["id"]
    pid = client.health()["pid"]
    watch = JobWatch(supervisor.ensure, job)
    while not watch.job or (watch.job["total"] < moment and watch.job["state"] in ("queued", "running")):
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    assert watch.wait(PATIENCE)
    assert watch.lost == ""
    assert watch.job["state"] in (("failed", "done") if moment == 0.0 else ("failed",))  # a queued one runs on
    if watch.job["state"] == "failed":
        assert watch.job["error"]["code"] == "server_stopped"
    again = supervisor.ensure()
    assert again.health()["pid"] != pid
    assert again.job(finished)["state"] == "done"


def test_watch_of_a_job_that_is_not_there(supervisor: Supervisor) -> None:
    watch = JobWatch(supervisor.ensure, "nothing")
    assert watch.wait(10)
    assert watch.lost.endswith(".")
    assert watch.job is None


def test_work(client: Client) -> None:
    work = Work(2)
    tickets = [work.submit(client.health) for _ in range(5)]
    failing = work.submit(client.job, "nothing")
    assert all(t.wait(20) for t in [*tickets, failing])
    assert [t.result["name"] for t in tickets if t.result] == ["likeness"] * 5
    assert failing.error.endswith(".")
    assert failing.result is None
    assert failing.trace == ""
    work.close()
