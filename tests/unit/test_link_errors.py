"""The add-on's client against servers that err: strangers, liars, the slow and the broken."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from blender_addon.link.client import Client, ServiceError  # noqa: E402
from blender_addon.link.work import JobWatch, Ticket, Work  # noqa: E402

Answer = Callable[[socket.socket], None]


class Server:
    """Gives raw answers to raw requests and keeps what it was sent."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _: None
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            with link:
                link.settimeout(5)
                self.asked.append(_request(link))
                self.answer(link)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _request(link: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        got += link.recv(1 << 16)
    head, _, body = got.partition(b"\r\n\r\n")
    headers = BytesParser().parsebytes(head.partition(b"\r\n")[2])
    while len(body) < int(headers.get("Content-Length", 0)):
        body += link.recv(1 << 16)
    return head + b"\r\n\r\n" + body


def reply(content: bytes, status: str = "200 OK", *more: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *more]
    return lambda link: link.sendall("\r\n".join([*lines, "", ""]).encode() + content)


def raw(content: bytes) -> Answer:
    return lambda link: link.sendall(content)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url, "secret", timeout=0.5)


def error_of(call: Callable[[], Any]) -> ServiceError:
    with pytest.raises(ServiceError) as error:
        call()
    assert error.value.message.endswith(".")
    assert error.value.message == str(error.value)
    return error.value


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(b"<html>hello</html>"), "strange"),
        (reply(b"[1, 2]"), "strange"),
        (reply(b'{"a": ' + b"[" * 100_000), "strange"),
        (reply(b""), "strange"),
        (reply(b"gone", "302 Found", "Location: http://elsewhere/"), "strange"),
        (reply(b"<h1>no</h1>", "502 Bad Gateway"), "strange"),
        (reply(b'{"error": "text"}', "400 Bad Request"), "strange"),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "strange"),
        (raw(b""), "unreachable"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "unreachable"),
        (lambda _: time.sleep(0.8), "unreachable"),
    ],
)
def test_strangers(server: Server, client: Client, answer: Answer, code: str) -> None:
    server.answer = answer
    assert error_of(client.health).code == code


def test_the_servers_own_words(server: Server, client: Client) -> None:
    problem = {"error": {"code": "worker_busy", "message": "A head is being made; try again soon."}}
    server.answer = reply(json.dumps(problem).encode(), "503 Service Unavailable", "Retry-After: 4")
    error = error_of(client.heads)
    assert (error.code, error.status, error.retry_after) == ("worker_busy", 503, 4.0)
    assert error.message == problem["error"]["message"]


def test_every_request_carries_the_token(server: Server, client: Client) -> None:
    server.answer = reply(b'{"jobs": []}')
    assert client.jobs() == []
    assert b"Authorization: Bearer secret\r\n" in server.asked[0]
    assert server.asked[0].startswith(b"GET /v1/jobs HTTP/1.1\r\n")


@pytest.mark.parametrize("content", [b"{}", b'{"jobs": {}}', b'{"jobs": [1]}'])
def test_lists_of_another_version(server: Server, client: Client, content: bytes) -> None:
    server.answer = reply(content)
    assert error_of(client.jobs).code == "version"


def test_ids_do_not_leave_their_place(server: Server, client: Client) -> None:
    server.answer = reply(b'{"id": "x", "state": "done"}')
    client.job("../../shutdown?x=1")
    assert server.asked[0].startswith(b"GET /v1/jobs/..%2F..%2Fshutdown%3Fx%3D1 HTTP/1.1")


def test_upload(server: Server, client: Client, tmp_path: Path) -> None:
    """Any bytes under any name arrive as they are."""
    names = ['a "quoted" name.jpg', "Äpfel 雪.png"]
    for name in names:
        (tmp_path / name).write_bytes(bytes(range(256)) * 3000)
    server.answer = reply(b'{"id": "x", "state": "queued"}', "201 Created")
    assert client.submit([tmp_path / name for name in names], {"name": "Zoë"})["id"] == "x"
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    kind = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-type"))
    message = BytesParser().parsebytes(kind + b"\r\n\r\n" + body)
    settings, *photos = message.get_payload()
    assert json.loads(settings.get_payload(decode=True)) == {"name": "Zoë"}
    assert [p.get_payload(decode=True) for p in photos] == [bytes(range(256)) * 3000] * 2
    assert 'filename="a %22quoted%22 name.jpg"' in photos[0]["Content-Disposition"]


def test_a_refusal_before_all_was_read(server: Server, tmp_path: Path) -> None:
    """A server may answer 413 at once and hang up; its sentence gets through where the system lets it."""
    photo = tmp_path / "big.jpg"
    photo.write_bytes(bytes(30 << 20))
    problem = json.dumps({"error": {"code": "photo_too_large", "message": "Too big."}}).encode()

    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        link, _ = listener.accept()
        link.recv(1 << 16)
        reply(problem, "413 Content Too Large")(link)
        link.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        link.close()

    thread = threading.Thread(target=serve)
    thread.start()
    error = error_of(lambda: Client(f"http://127.0.0.1:{listener.getsockname()[1]}", "t").submit([photo], {}))
    thread.join()
    listener.close()
    assert (error.code, error.status) in (("photo_too_large", 413), ("unreachable", None))


def test_avatar_cut_short(server: Server, client: Client, tmp_path: Path) -> None:
    server.answer = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 4000)
    target = tmp_path / "head.zip"
    assert error_of(lambda: client.avatar("x", target)).code == "unreachable"
    assert list(tmp_path.iterdir()) == []


def test_avatar_without_a_place(server: Server, client: Client, tmp_path: Path) -> None:
    server.answer = reply(b"zip")
    (tmp_path / "file").touch()
    assert error_of(lambda: client.avatar("x", tmp_path / "file" / "head.zip")).code == "file"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_disk_full(server: Server, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = reply(b"z" * (1 << 20))
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a: opened(Path("/dev/full"), "wb", 0))
    assert error_of(lambda: client.avatar("x", tmp_path / "head.zip")).code == "no_space"


def test_no_preview(server: Server, client: Client, tmp_path: Path) -> None:
    server.answer = reply(b'{"error": {"code": "no_preview", "message": "None."}}', "404 Not Found")
    assert client.preview("x", tmp_path / "head.png") is None
    assert list(tmp_path.iterdir()) == []


def test_work_reports_what_goes_wrong() -> None:
    work = Work(1)

    def fail() -> None:
        raise KeyError("odd")

    good: Ticket[int] = work.submit(lambda: 7)
    bad = work.submit(fail)
    assert good.wait(5)
    assert bad.wait(5)
    assert (good.result, good.error, good.done) == (7, "", True)
    assert "KeyError" in bad.error
    assert "in fail" in bad.trace
    work.close()


def test_work_uses_few_threads() -> None:
    before, work, gate = set(threading.enumerate()), Work(2), threading.Event()
    tickets = [work.submit(gate.wait, 5) for _ in range(6)]
    ours = [t for t in set(threading.enumerate()) - before if t.name == "likeness"]
    assert len(ours) == 2
    assert not any(t.done for t in tickets)
    gate.set()
    assert all(t.wait(5) for t in tickets)
    work.close()
    for thread in ours:
        thread.join(5)
    assert not any(t.is_alive() for t in ours)


def test_watch_waits_for_a_server_that_hiccups(server: Server, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobWatch, "INTERVAL", 0.02)
    answers = [raw(b""), reply(b'{"id": "x", "state": "running"}'), raw(b""), reply(b'{"id": "x", "state": "done"}')]
    server.answer = lambda link: answers.pop(0)(link)
    watch = JobWatch(lambda: client, "x")
    assert watch.wait(5)
    assert (watch.lost, watch.waiting) == ("", "")
    assert watch.job == {"id": "x", "state": "done"}


def test_watch_gives_up(client: Client, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobWatch, "INTERVAL", 0.02)
    monkeypatch.setattr(JobWatch, "PATIENCE", 0.2)
    server.answer = raw(b"")
    watch = JobWatch(lambda: client, "x")
    assert watch.wait(5)
    assert "broke the connection" in watch.lost
