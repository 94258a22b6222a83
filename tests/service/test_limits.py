"""Nothing is taken that is too much, and what a client calls a file never becomes a path."""

import http.client
import io
import json
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from running import Running, memory_mb, until

from likeness.service.limits import Limits

OPTIONS = ["--max-photos", 3, "--max-photo-mb", 4, "--max-total-mb", 6, "--max-megapixels", 2, "--max-queue", 2]


@pytest.fixture(scope="module")
def server(home: Path) -> Any:
    with Running(home, *OPTIONS) as running:
        yield running


def picture(width: int = 256, height: int = 256, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 150)).save(data, kind)
    return data.getvalue()


def send(server: Running, *photos: tuple[str, bytes], settings: str | None = None, path: str = "/v1/jobs") -> Any:
    data = {} if settings is None else {"settings": settings}
    return server.http.post(path, files=[("photos", photo) for photo in photos], data=data)


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert "message" in answer.json()["error"], answer.text
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture(autouse=True)
def _empty_queue(server: Running) -> Any:
    yield

    def emptied() -> bool:
        jobs = server.get("/v1/jobs")["jobs"]
        for job in jobs:
            server.http.delete(f"/v1/jobs/{job['id']}")  # cancels it, and deletes it the next time
        return not jobs

    until(emptied, 20, "the queue to be empty")
    assert list((server.home / "service" / "incoming").iterdir()) == []


def test_the_defaults_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
    limits = Limits()
    for text in (f"| {limits.photos} |", f"| {limits.photo_bytes >> 20} MB |", f"| {limits.total_bytes >> 20} MB |"):
        assert text in page
    assert f"| {limits.pixels // 1_000_000} megapixels |" in page
    assert f"| {limits.queue} |" in page
    assert f"| {limits.mesh_bytes >> 20} MB | `--max-mesh-mb` |" in page


def test_health_tells_the_limits(server: Running) -> None:
    told = {"photos": 3, "photo_bytes": 4 << 20, "total_bytes": 6 << 20, "pixels": 2_000_000, "queue": 2}
    told |= {"mesh_bytes": 256 << 20, "weights_bytes": 8 << 30}
    assert server.health()["limits"] == told


def test_too_many_photos(server: Running) -> None:
    photos = [(f"{i}.png", picture()) for i in range(4)]
    assert refused(send(server, *photos)) == (413, "too_many_photos")
    assert refused(send(server, *photos, path="/v1/faces")) == (413, "too_many_photos")
    assert send(server, *photos[:3]).status_code == 201


def test_too_big_a_photo(server: Running) -> None:
    answer = send(server, ("big.png", picture() + bytes(4 << 20)))
    assert refused(answer) == (413, "photo_too_large")
    assert answer.json()["error"]["message"] == "big.png is too big; send photos of at most 4 MB."


def test_too_many_pixels(server: Running) -> None:
    answer = send(server, ("wide.png", picture(2001, 1000)))
    assert refused(answer) == (413, "photo_too_large")
    assert "2001 x 1000" in answer.json()["error"]["message"]
    assert send(server, ("fits.png", picture(2000, 1000))).status_code == 201


def test_too_much_is_refused_by_its_header_and_by_its_length(server: Running) -> None:
    photos = [(f"{i}.png", picture() + bytes(3 << 20)) for i in range(3)]
    answer = send(server, *photos)
    assert refused(answer) == (413, "upload_too_large")

    def endless() -> Any:  # chunked: no length is told
        yield b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n\r\n'
        for _ in range(64):
            yield bytes(1 << 20)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = server.http.post("/v1/jobs", content=endless(), headers=headers)
    assert refused(answer)[0] == 413


def test_an_upload_is_not_held_in_memory(home: Path, tmp_path: Path) -> None:
    with Running(tmp_path / "home", "--max-photo-mb", 300, "--max-total-mb", 300) as server:
        pid = server.process.pid
        if not Path(f"/proc/{pid}/status").exists():
            pytest.skip("needs /proc to see a process's memory")
        server.health()
        before, most = memory_mb(pid), 0.0

        def parts() -> Any:
            nonlocal most
            yield b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n\r\n' + picture()
            for _ in range(200):
                most = max(most, memory_mb(pid))
                yield bytes(1 << 20)
            yield b"\r\n--b--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        assert server.http.post("/v1/jobs", content=parts(), headers=headers).status_code == 201
        assert most - before < 40, "MB"


def test_the_queue_has_an_end(server: Running, astronaut: Path) -> None:
    server.worker()
    running = server.submit(astronaut, texture_size=2048)
    server.wait(running, ["running"])
    for _ in range(2):
        server.submit(astronaut)
    answer = send(server, ("a.png", picture()))
    assert refused(answer) == (429, "queue_full")
    assert int(answer.headers["retry-after"]) > 0
    assert server.health()["queue"] == 2


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("{", "bad_settings"),
        ("[]", "bad_settings"),
        ("null", "bad_settings"),
        ('{"texture_size": 255}', "bad_settings"),
        ('{"texture_size": 4097}', "bad_settings"),
        ('{"texture_size": "huge"}', "bad_settings"),
        ('{"seed": -1}', "bad_settings"),
        ('{"seed": 1e400}', "bad_settings"),
        ('{"face": -1}', "bad_settings"),
        ('{"name": "' + "x" * 81 + '"}', "bad_settings"),
        ('{"name": "\\ud800"}', "bad_settings"),
        ('{"colour": "red"}', "bad_settings"),
        ('{"method": "../open"}', "bad_settings"),
        ('{"method": "nothing"}', "unknown_method"),
        (json.dumps({"name": "x" * 70_000}), "settings_too_large"),
    ],
)
def test_settings_that_make_no_sense(server: Running, settings: str, code: str) -> None:
    server.worker()
    answer = send(server, ("a.png", picture()), settings=settings)
    assert refused(answer) == (413 if code == "settings_too_large" else 422, code)
    assert len(answer.json()["error"]["message"]) < 400


NOT_PHOTOS = {
    "empty.jpg": b"",
    "text.png": b"Hello, this is a letter.",
    "page.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 999 999\n",
    "program.exe": b"MZ" + bytes(500),
    "small.png": picture(20, 20),
    "cut.png": picture()[:20],
    "raw.nef": picture(kind="TIFF"),
}


@pytest.mark.parametrize("name", NOT_PHOTOS)
def test_what_is_no_photo_is_told_at_once(server: Running, name: str) -> None:
    answer = send(server, ("good.png", picture()), (name, NOT_PHOTOS[name]))
    assert refused(answer) == (422, "photo_unusable")
    assert name in answer.json()["error"]["message"]
    assert server.get("/v1/jobs")["jobs"] == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd.png", "passwd.png"),
        ("C:\\Windows\\System32\\me.png", "me.png"),
        ("/root/.ssh/id.png", "id.png"),
        ("..", "photo 1"),
        (".", "photo 1"),
        ("", "photo 1"),
        ("NUL", "NUL"),
        ("me\x00\n\x1b[31m.png", "me[31m.png"),
        ("‮gnp.exe", "gnp.exe"),
        ("Über uns – 写真.png", "Über uns – 写真.png"),
        ("x" * 300 + ".jpeg", "x" * 95 + ".jpeg"),
    ],
)
def test_names_never_touch_paths(server: Running, name: str, shown: str) -> None:
    raw = name.encode().replace(b"\\", b"\\\\").replace(b"\n", b"").replace(b"\x00", b"")
    body = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="' + raw + b'"\r\n\r\n' + picture()
    body += b'\r\n--b\r\nContent-Disposition: form-data; name="settings"\r\n\r\n'
    body += json.dumps({"name": "../../" + "y" * 60}).encode() + b"\r\n--b--\r\n"
    answer = server.http.post("/v1/jobs", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert job["photos"] == [shown]
    folder = server.home / "service" / "jobs"
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    assert files in ([], [str(Path(job["id"], "photos", "01"))])  # none where the job has failed already
    outside = {path.name for path in server.home.rglob("*")} & {"passwd.png", "me.png", "id.png", "NUL", "passwd"}
    assert not outside


def test_a_name_that_is_a_path_names_the_download_harmlessly(server: Running, astronaut: Path) -> None:
    job = server.done(astronaut, name='../..\\"x; y\r\n')
    answer = server.http.get(f"/v1/jobs/{job['id']}/avatar")
    assert answer.headers["content-disposition"] == 'attachment; filename="x_y.likeness.zip"'


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/json", b"{}", "not_multipart"),
        ("multipart/form-data", b"", "not_multipart"),
        ("multipart/form-data; boundary=b", b"", "malformed_form"),
        ("multipart/form-data; boundary=b", b"--b--\r\n", "no_photos"),
        ("multipart/form-data; boundary=b", b"nonsense", "malformed_form"),
        ("multipart/form-data; boundary=" + "b" * 500, b"--b--", "malformed_form"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\nx',
            "malformed_form",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="settings"\r\n\r\n{}\r\n--b--\r\n',
            "no_photos",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="photo"\r\n\r\nx\r\n--b--\r\n',
            "unknown_field",
        ),
        (
            "multipart/form-data; boundary=b",
            2 * b'--b\r\nContent-Disposition: form-data; name="settings"\r\n\r\n{}\r\n' + b"--b--\r\n",
            "settings_twice",
        ),
    ],
)
def test_forms_that_make_no_sense(server: Running, kind: str, body: bytes, code: str) -> None:
    answer = server.http.post("/v1/jobs", content=body, headers={"Content-Type": kind})
    assert answer.json()["error"]["code"] == code
    assert answer.status_code in (400, 415, 422)


def test_an_upload_that_is_broken_off_leaves_nothing(server: Running) -> None:
    incoming = server.home / "service" / "incoming"
    for _ in range(3):
        host, port = server.about["url"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as wire:
            wire.sendall(
                f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.about['token']}\r\n"
                "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
                '--b\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\nxxxx'.encode()
            )
            until(lambda: any(incoming.iterdir()), 20, "the upload to begin")
        # Until then it keeps its place in the queue, and the next one might find none.
        until(lambda: not any(incoming.iterdir()), 20, "the rest to be removed")
    assert server.get("/v1/jobs")["jobs"] == []


def test_who_sends_too_much_hears_why(server: Running) -> None:
    """A client of the standard library, as Blender's is: it sends everything before it reads the answer."""
    host, port = server.about["url"].removeprefix("http://").split(":")
    client = http.client.HTTPConnection(host, int(port), timeout=30)
    headers = {
        "Authorization": f"Bearer {server.about['token']}",
        "Content-Type": "multipart/form-data; boundary=b",
    }
    start = time.monotonic()
    client.request("POST", "/v1/jobs", bytes(60 << 20), headers)
    answer = client.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "upload_too_large")
    assert time.monotonic() - start < 10
    client.close()
