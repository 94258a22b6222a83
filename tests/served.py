"""A web server on this machine that serves bytes, with ranges, and misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What is served at each path, and what was asked.

    Attributes:
        files: bytes by path ("/a.bin").
        stop_after: bytes after which each of the next answers breaks off; one is used up per answer.
        pause_after: bytes after which each of the next answers waits until `go` is set, and then breaks off.
        status: answers to give instead, by path.
        kind: Content-Type by path.
        etag: version of all files; "" for a server that gives none.
        ranges: whether it can go on in the middle.
        asked: (path, Range header) of each request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    stop_after: list[int] = field(default_factory=list)
    pause_after: list[int] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    status: dict[str, int] = field(default_factory=dict)
    kind: dict[str, str] = field(default_factory=dict)
    etag: str = '"1"'
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Served]:
    """Run the server for a while."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            served.asked.append((self.path, asked))
            data = served.files.get(self.path)
            status = served.status.get(self.path, 404 if data is None else 200)
            if data is None or status >= 400:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            if asked and served.ranges and self.headers.get("If-Range") == served.etag:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                status = 206
            self.send_response(status)
            self.send_header("Content-Type", served.kind.get(self.path, "application/octet-stream"))
            self.send_header("Content-Length", str(len(data) - start))
            if served.etag:
                self.send_header("ETag", served.etag)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            pause = served.pause_after.pop(0) if served.pause_after else None
            stop = pause if pause is not None else served.stop_after.pop(0) if served.stop_after else len(data)
            self.wfile.write(data[start : start + stop])
            if pause is not None:
                self.wfile.flush()
                served.go.wait()
            if start + stop < len(data):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        served.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
