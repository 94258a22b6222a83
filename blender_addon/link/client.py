# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's HTTP API as Python calls. Blocking: call them from a thread (``work.Work``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .aside import Aside
from .transport import ServiceError, Transport, is_loopback
from .upload import Upload

__all__ = ["Client", "ServiceError"]

CHUNK = 1 << 18
MAX_PICTURE = 1 << 24
PATIENCE = 180.0
"""Seconds that the server may take over photos: it decodes them, and its worker may have to start first."""
ELSEWHERE = ("not_here", "no_such_path")
"""How a server refuses a path of ours whose files it does not see: it is another machine's, behind a tunnel perhaps."""


class Client:
    """One Likeness server. Every method may raise ServiceError, whose message is a sentence for people.

    A Job is the dict that docs/service.md describes: id, state, stage, fraction, total, message, notes, error, …
    """

    def __init__(self, url: str, token: str, *, timeout: float = 10.0, ca_file: str | None = None) -> None:
        """Remember where the server is; nothing is sent yet.

        Args:
            url: as http://127.0.0.1:5000 or https://computer:8443.
            token: the server's.
            timeout: seconds to wait for the next sign of life.
            ca_file: PEM file of the certificates to trust instead of the system's, or None.
        """
        self._http = Transport(url, token, timeout=timeout, ca_file=ca_file)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._http.url

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self._http.secure

    def health(self) -> dict[str, Any]:
        """Name, version, api, device, worker, queue, limits of the server."""
        return self._http.json("GET", "/v1/health")

    def methods(self) -> list[dict[str, Any]]:
        """The methods: name, title, licences, whether they are ready and what they need."""
        return self._list("/v1/methods", "methods")

    def heads(self) -> list[dict[str, Any]]:
        """The head models: name, title, licence, whether they are ready."""
        return self._list("/v1/heads", "heads")

    def weights(self) -> list[dict[str, Any]]:
        """What can be installed, and whether it is."""
        return self._list("/v1/weights", "weights")

    def weight_task(self, name: str) -> dict[str, Any]:
        """What is being done with an entry, or was done last: action, state, fraction, message, bytes_done, …"""
        return self._task(self._http.json("GET", _weights(name, "/task")))

    def install_weights(self, name: str, accept_licence: bool) -> dict[str, Any]:
        """Have an entry fetched from its authors, whose terms the user has accepted or not; returns the task."""
        return self._begin(name, {"accept_licence": accept_licence})

    def give_weights(
        self, name: str, files: Sequence[Path], progress: Callable[[float], None] | None = None
    ) -> dict[str, Any]:
        """Install an entry from files or an archive of the user's, or a folder of them; returns the task.

        A server on this machine reads them where they are, another is sent them; ``progress`` hears the fraction sent
        and may raise to stop.
        """
        if is_loopback(self._http.host):
            try:
                return self._begin(name, {"path": str(files[0].absolute())})
            except ServiceError as error:
                if error.code not in ELSEWHERE:
                    raise
        listed = sorted(f for f in files[0].iterdir() if f.is_file()) if files[0].is_dir() else files
        body = Upload(listed, noun="file", progress=progress)
        path = _weights(name, "/install")
        return self._task(self._http.json("POST", path, body=body, headers=body.headers(), timeout=PATIENCE))

    def verify_weights(self, name: str) -> dict[str, Any]:
        """Have every number of an entry checked; returns the task, whose ``wrong`` tells at the end."""
        return self._task(self._http.json("POST", _weights(name, "/verify")))

    def remove_weights(self, name: str) -> dict[str, Any]:
        """Have an entry removed; returns the task."""
        return self._task(self._http.json("DELETE", _weights(name)))

    def cancel_weights(self, name: str) -> dict[str, Any]:
        """Have what is done with an entry stop; what was fetched is kept for the next time."""
        return self._task(self._http.json("POST", _weights(name, "/cancel")))

    def faces(self, paths: Sequence[Path | str]) -> list[dict[str, Any]]:
        """The faces in each photo: boxes (x0, y0, x1, y1) in pixels of the oriented photo, largest first.

        Raises ServiceError with `retry_after` while a job holds the worker.
        """
        return self._entries(self._send("/v1/faces", Upload([Path(p) for p in paths])), "photos")

    def submit(self, paths: Sequence[Path | str], settings: dict[str, Any]) -> dict[str, Any]:
        """Send photos and settings; returns the Job, queued."""
        return self._job(self._send("/v1/jobs", Upload([Path(p) for p in paths], settings)))

    def rig(
        self, mesh: Path, settings: dict[str, Any], progress: Callable[[float], None] | None = None
    ) -> dict[str, Any]:
        """Send a mesh of a face that is to become a head, and settings; returns the Job, queued."""
        return self._job(self._send("/v1/jobs/mesh", Upload([mesh], settings, "mesh", progress)))

    def jobs(self) -> list[dict[str, Any]]:
        """All Jobs, newest first."""
        return self._list("/v1/jobs", "jobs")

    def job(self, job_id: str) -> dict[str, Any]:
        """A Job as it stands."""
        return self._job(self._http.json("GET", _path(job_id)))

    def cancel(self, job_id: str) -> dict[str, Any]:
        """End a queued or running job; returns the Job. One that has ended already is left as it is."""
        return self._job(self._http.json("POST", _path(job_id, "/cancel")))

    def delete(self, job_id: str) -> None:
        """Forget an ended job and its files on the server."""
        self._http.json("DELETE", _path(job_id))

    def avatar(self, job_id: str, target: Path, progress: Callable[[float], None] | None = None) -> Path:
        """Fetch the finished avatar, a zip, to ``target``, which appears once it is whole.

        ``progress`` hears the fraction done and may raise to stop; nothing is left behind then.
        """
        with self._http.open("GET", _path(job_id, "/avatar")) as answer, Aside(target) as file:
            done, total = 0, answer.length
            while piece := answer.read(CHUNK):
                file.write(piece)
                done += len(piece)
                if progress is not None and total:
                    progress(min(done / total, 1.0))
        return target

    def preview(self, job_id: str, target: Path) -> Path | None:
        """Fetch the picture of a job, a PNG, to ``target``; None where it has none."""
        try:
            with self._http.open("GET", _path(job_id, "/preview")) as answer, Aside(target) as file:
                file.write(answer.read(MAX_PICTURE))
        except ServiceError as error:
            if error.status == 404:
                return None
            raise
        return target

    def shutdown(self) -> None:
        """Ask the server to end in order."""
        self._http.json("POST", "/v1/shutdown")

    def _begin(self, name: str, source: dict[str, Any]) -> dict[str, Any]:
        body = [json.dumps(source).encode()]
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body[0]))}
        return self._task(self._http.json("POST", _weights(name, "/install"), body=body, headers=headers))

    def _task(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(answer.get("name"), str) or not isinstance(answer.get("state"), str):
            raise self._older()
        return answer

    def _send(self, path: str, upload: Upload) -> dict[str, Any]:
        return self._http.json("POST", path, body=upload, headers=upload.headers(), timeout=PATIENCE)

    def _list(self, path: str, key: str) -> list[dict[str, Any]]:
        return self._entries(self._http.json("GET", path), key)

    def _entries(self, answer: dict[str, Any], key: str) -> list[dict[str, Any]]:
        entries = answer.get(key)
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise self._older()
        return entries

    def _job(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(answer.get("id"), str) or not isinstance(answer.get("state"), str):
            raise self._older()
        return answer

    def _older(self) -> ServiceError:
        return ServiceError(f"The server at {self.url} answers as another version would; update both.", "version")


def _path(job_id: str, rest: str = "") -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}{rest}"


def _weights(name: str, rest: str = "") -> str:
    return f"/v1/weights/{quote(name, safe='')}{rest}"
