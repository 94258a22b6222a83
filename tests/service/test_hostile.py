"""Requests that no client of ours would send: by the published description, and by damaging good ones."""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import ENVIRONMENT, Running, until

COUNT = 500
"""Malformed uploads."""

LEAST = 200
"""Requests that schemathesis makes at least."""
HERE = Path(__file__).parent
HOOKED = ENVIRONMENT | {
    "SCHEMATHESIS_HOOKS": "fuzzed_bodies",
    "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE), ENVIRONMENT.get("PYTHONPATH")))),
}


@pytest.fixture(scope="module")
def server(home: Path) -> Any:
    with Running(home, "--max-queue", 3) as running:
        yield running


@pytest.fixture(scope="module")
def finished(server: Running, astronaut: Path) -> dict[str, Any]:
    return server.done(astronaut)


def still_there(server: Running, job: dict[str, Any]) -> None:
    """No job was lost, nothing lies about, nothing crashed."""
    assert server.process.poll() is None
    for waiting in server.get("/v1/jobs")["jobs"]:
        if waiting["state"] in ("queued", "running"):
            server.http.delete(f"/v1/jobs/{waiting['id']}")
    assert server.job(job) == job
    assert len(server.http.get(f"/v1/jobs/{job['id']}/avatar").content) == job["avatar_bytes"]
    service = server.home / "service"
    until(lambda: not any((service / "incoming").iterdir()), 10, "uploads to be removed")
    listed = {entry["id"] for entry in server.get("/v1/jobs")["jobs"]}
    assert {folder.name for folder in (service / "jobs").iterdir()} <= listed
    assert "Traceback" not in (service / "service.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("verbs", ["reading and writing", "deleting"])
def test_the_published_description_holds(
    server: Running, finished: dict[str, Any], astronaut: Path, verbs: str, tmp_path: Path
) -> None:
    kept = finished if verbs != "deleting" else server.done(astronaut)
    only = ["--exclude-method", "DELETE"] if verbs != "deleting" else ["--include-method", "DELETE"]
    command = [
        *[sys.executable, "-m", "schemathesis.cli", "run", server.about["url"] + "/v1/openapi.json"],
        *["--header", f"Authorization: Bearer {server.about['token']}"],
        *["--exclude-path", "/v1/shutdown", *only, "--max-examples", "25", "--seed", "1"],
        *["--phases", "coverage,fuzzing", "--request-timeout", "60", "--no-color"],
        # The description cannot say what a photo is, so well-formed forms may still be refused.
        *["--checks", "all", "--exclude-checks", "positive_data_acceptance"],
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=tmp_path, env=HOOKED, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    made = re.search(r"(\d+) generated", done.stdout)
    assert made, done.stdout
    if verbs != "deleting":
        assert int(made[1]) >= LEAST
        still_there(server, kept)
    else:
        assert server.process.poll() is None


def good_form(photo: bytes) -> bytes:
    return b"\r\n".join(
        [
            b"--bound",
            b'Content-Disposition: form-data; name="photos"; filename="me.png"',
            b"Content-Type: image/png",
            b"",
            photo,
            b"--bound",
            b'Content-Disposition: form-data; name="settings"',
            b"",
            b'{"texture_size": 256}',
            b"--bound--",
            b"",
        ]
    )


def damaged(photo: bytes, dice: random.Random) -> tuple[bytes, dict[str, str], bool]:
    """Body, headers, and whether it is sent without telling its length."""
    headers = {"Content-Type": "multipart/form-data; boundary=bound"}
    body = bytearray(good_form(photo))
    way = dice.randrange(10)
    if way == 0:  # cut off
        del body[dice.randrange(len(body)) :]
    elif way == 1:  # a few bytes changed in the form's own lines
        head = len(body) - len(photo)
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(head)
            body[at if at < head // 2 else at + len(photo)] = dice.randrange(256)
    elif way == 2:  # the picture's header changed
        start = body.index(photo[:8])
        for _ in range(dice.randrange(1, 9)):
            body[start + dice.randrange(64)] = dice.randrange(256)
    elif way == 3:  # something else than a picture
        body = bytearray(good_form(dice.randbytes(dice.randrange(5000))))
    elif way == 4:  # another boundary than is told
        headers["Content-Type"] = f"multipart/form-data; boundary={dice.choice(['x', 'bounds', 'b' * 300, '--bound'])}"
    elif way == 5:  # another type
        kinds = ["text/plain", "application/json", "multipart/mixed; boundary=bound", "multipart/form-data", "", ";;="]
        headers["Content-Type"] = dice.choice(kinds)
    elif way == 6:  # odd names
        odd = dice.choice([b"../../x", b"", b"\xff\xfe", b"a" * 3000, b'a"b', b"con", b"a\r\nX: y", b"%00"])
        body = bytearray(bytes(body).replace(b"me.png", odd)[: len(body) - dice.randrange(2) * 40])
    elif way == 7:  # odd settings
        odd = dice.choice([b"{", b"[" * 5000, b"\xff", b'{"seed": 1e999}', b'{"name": 1}', b"NaN", b'{"a":' * 2000])
        body = bytearray(bytes(body).replace(b'{"texture_size": 256}', odd))
    elif way == 8:  # parts repeated, left out or turned about
        parts = bytes(body).split(b"--bound\r\n")
        dice.shuffle(parts)
        body = bytearray(b"--bound\r\n".join(parts * dice.randrange(1, 4)))
    else:  # noise
        body = bytearray(dice.randbytes(dice.randrange(20_000)))
    return bytes(body), headers, dice.random() < 0.2


def test_500_malformed_uploads(server: Running, finished: dict[str, Any], astronaut: Path) -> None:
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:  # small, so that damage hits what matters
        Image.open(astronaut).resize((96, 96)).save(Path(folder, "small.png"))
        photo = Path(folder, "small.png").read_bytes()

    def send(number: int) -> tuple[int, int, str]:
        body, headers, chunked = damaged(photo, random.Random(number))
        content: Any = iter([body[i : i + 700] for i in range(0, len(body), 700)]) if chunked else body
        path = "/v1/faces" if number % 7 == 0 else "/v1/jobs"
        answer = server.http.post(path, content=content, headers=headers)
        return number, answer.status_code, answer.text

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(COUNT)))
    busy = {"busy", "starting"}  # the honest 503 of /v1/faces while a job runs
    for number, status, text in answers:
        if status >= 400:
            error = json.loads(text)["error"]
            assert error["message"].endswith("."), (number, text)
            assert status < 500 or (status == 503 and error["code"] in busy and number % 7 == 0), (number, status, text)
        else:
            assert status in (200, 201)
    assert sum(400 <= status < 500 for _, status, _ in answers) > COUNT * 0.7
    still_there(server, finished)
    server.done(astronaut)


def test_http_that_is_none(server: Running, finished: dict[str, Any]) -> None:
    import socket

    host, port = server.about["url"].removeprefix("http://").split(":")
    dice = random.Random(5)
    token = f"Authorization: Bearer {server.about['token']}\r\n"
    post = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n{token}"
    lines = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        f"{post}Content-Length: -5\r\n\r\n".encode(),
        f"{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nZZ".encode(),
        f"GET /v1/jobs/%ff%00 HTTP/1.1\r\nHost: localhost\r\n{token}\r\n".encode(),
        f"GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n{token}\r\n".encode(),
        *(dice.randbytes(300) for _ in range(20)),
    ]
    for line in lines:
        with socket.create_connection((host, int(port)), timeout=10) as wire:
            answer = b""
            try:  # the server may hang up before all has been said
                wire.sendall(line)
                wire.shutdown(socket.SHUT_WR)
                while chunk := wire.recv(65536):
                    answer += chunk
            except OSError:
                pass
            assert not answer.startswith(b"HTTP/1.1 5"), (line[:80], answer[:200])
    still_there(server, finished)


def test_a_client_that_asks_for_everything_at_once(server: Running, finished: dict[str, Any]) -> None:
    paths = ["/v1/health", "/v1/jobs", "/v1/methods", f"/v1/jobs/{finished['id']}/avatar", "/v1/openapi.json"]
    limits = httpx.Limits(max_connections=40)
    with (
        httpx.Client(base_url=server.about["url"], headers=server.http.headers, limits=limits, timeout=60) as client,
        ThreadPoolExecutor(40) as pool,
    ):
        statuses = list(pool.map(lambda i: client.get(paths[i % len(paths)]).status_code, range(300)))
    assert set(statuses) == {200}
