"""Downloads against a server on this machine that breaks off, changes its mind, or answers with a page."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from served import Served, serving

from likeness.errors import WeightsError
from likeness.progress import Cancelled
from likeness.weights import download as module
from likeness.weights.download import download, is_url
from likeness.weights.online import offline

DATA = np.random.default_rng(0).integers(0, 256, 1_000_000, np.uint8).tobytes()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(module, "WAIT", 0.01)
    with serving() as served:
        served.files["/a.bin"] = DATA
        yield served


class Watched:
    """A progress that remembers, and stops when told to."""

    def __init__(self, stop_at: float = 2.0) -> None:
        self.seen: list[float] = []
        self.stop_at = stop_at

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        self.seen.append(fraction)
        if fraction >= self.stop_at:
            raise Cancelled


def test_a_download(web: Served, tmp_path: Path) -> None:
    progress = Watched()
    download(web.url + "/a.bin", tmp_path / "a.bin", progress, "a", len(DATA))
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert progress.seen == sorted(progress.seen)
    assert progress.seen[-1] == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_connection_that_breaks_goes_on(web: Served, tmp_path: Path) -> None:
    web.stop_after = [300_000, 500_000]
    download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    starts = [int((asked or "bytes=0-")[6:-1]) for _, asked in web.asked]
    assert len(starts) == 3
    assert 200_000 < starts[1] <= 300_000 < 700_000 < starts[2] <= 800_000


def test_a_cancelled_download_goes_on_later(web: Served, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        download(web.url + "/a.bin", tmp_path / "a.bin", Watched(0.5), "a")
    assert not (tmp_path / "a.bin").exists()
    have = (tmp_path / "a.bin.part").stat().st_size
    assert 400_000 < have < 1_000_000
    download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert web.asked[-1] == ("/a.bin", f"bytes={have}-")


def test_a_killed_process_goes_on_later(web: Served, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from likeness.weights.download import download\n"
        "def die(stage, fraction, message):\n"
        "    if fraction > 0.6: os._exit(9)\n"
        "download(sys.argv[1], Path(sys.argv[2]), die, 'a')"
    )
    done = subprocess.run([sys.executable, "-c", code, web.url + "/a.bin", str(tmp_path / "a.bin")])
    assert done.returncode == 9
    have = (tmp_path / "a.bin.part").stat().st_size
    assert have > 300_000
    download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert web.asked[-1][1] == f"bytes={have}-"


@pytest.mark.parametrize(("etag", "ranges"), [('"2"', True), ("", True), ('"1"', False), ('W/"1"', True)])
def test_another_version_begins_anew(web: Served, tmp_path: Path, etag: str, ranges: bool) -> None:
    with pytest.raises(Cancelled):
        download(web.url + "/a.bin", tmp_path / "a.bin", Watched(0.5), "a")
    web.files["/a.bin"] = DATA[::-1]
    web.etag, web.ranges = etag, ranges
    download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert (tmp_path / "a.bin").read_bytes() == DATA[::-1]


def test_a_part_of_another_address_is_not_used(web: Served, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    (tmp_path / "a.bin.part.json").write_text(json.dumps({"url": "http://elsewhere/a.bin", "mark": '"1"'}))
    download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_what_servers_answer_instead(web: Served, tmp_path: Path) -> None:
    web.status["/gone.bin"] = 404
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1 answered 404 .* give it with --from"):
        download(web.url + "/gone.bin", tmp_path / "a.bin", Watched(), "a")
    web.kind["/a.bin"] = "text/html; charset=utf-8"
    with pytest.raises(WeightsError, match="answered with a web page"):
        download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")
    web.kind.clear()
    with pytest.raises(WeightsError, match=r"should have 7 bytes and .* sent 1000000"):
        download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a", 7)
    assert not (tmp_path / "a.bin").exists()


def test_a_server_that_never_gets_there(web: Served, tmp_path: Path) -> None:
    web.stop_after = [10] * 20
    with pytest.raises(WeightsError, match="it goes on where it stopped"):
        download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert len(web.asked) == module.TRIES


def test_no_server_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    with pytest.raises(WeightsError, match="check the network") as caught:
        download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert "\n" not in str(caught.value)


def test_a_disk_without_room(web: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(WeightsError, match=r"takes 1\.0 MB and .* has 0\.0 MB free"):
        download(web.url + "/a.bin", tmp_path / "a.bin", Watched(), "a")


def test_a_proxy_is_asked(web: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's environment decides: here the server itself stands in for a proxy."""
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.setenv("no_proxy", "")
    web.files["http://weights.invalid/a.bin"] = DATA
    download("http://weights.invalid/a.bin", tmp_path / "a.bin", Watched(), "a")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_addresses_and_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_url("HTTPS://x/y")
    assert not is_url("C:/x")
    assert not is_url("file:///etc/passwd")
    for value, off in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("LIKENESS_OFFLINE", value)
        assert offline() is off
