# SPDX-License-Identifier: GPL-3.0-or-later
"""One reconstruction as the main thread sees it: photos sent, job watched, package fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..link.client import Client
    from ..link.work import JobWatch
    from .connection import Choice, Host

__all__ = ["Task", "package_path"]

STAGES = {
    "start": "Starting",
    "faces": "Looking for the face",
    "landmarks": "Reading the face",
    "fit": "Fitting the head",
    "maps": "Making textures",
    "write": "Writing the avatar",
}


class Task:
    """Goes from "sending" through "working" and "fetching" to "done", "failed" or "cancelled". Never blocks.

    Attributes:
        state: as above.
        text: what is happening, for people.
        total: fraction of the whole, 0 to 1.
        error: why it failed, a sentence.
        notes: what the backend remarks.
        job: the job as the server last told.
        package: the avatar on this machine once it is done.
    """

    SENDING = "Sending the photos"

    def __init__(self, session: Host, choice: Choice, photos: Sequence[Path], settings: dict[str, Any], keep: Path):
        """Begin at once.

        Args:
            session: whose threads are used.
            choice: the backend.
            photos: files to send.
            settings: of the job, see docs/service.md.
            keep: folder that avatars are copied to.
        """
        self.state, self.text, self.total, self.error = "sending", "Starting the backend", 0.0, ""
        self.notes: list[str] = []
        self.job: dict[str, Any] = {}
        self.package: Path | None = None
        self._session, self._choice, self._keep = session, choice, keep
        self._watch: JobWatch | None = None
        self._stop = False
        self._fetched = 0.0
        session.call(self._send, list(photos), settings, then=self._sent, failed=self._fail)

    @property
    def going(self) -> bool:
        """Whether there is anything left to wait for."""
        return self.state in ("sending", "working", "fetching")

    @property
    def cancelling(self) -> bool:
        """Whether it was asked to stop and has not stopped yet."""
        return self._stop and self.going

    def cancel(self) -> None:
        """Stop as soon as the server has."""
        if not self.going or self._stop:
            return
        self._stop, self.text = True, "Cancelling"
        if self.job:
            self._session.call(self._cancel, self.job["id"], failed=self._fail)

    def abandon(self) -> None:
        """Forget it without a word: Blender or the add-on ends."""
        self._stop = True
        self._end("cancelled")

    def step(self) -> None:
        """Look at what the threads found out."""
        if self.state == "sending" and not self._stop:
            backend = self._session.backend
            self.text = self.SENDING if backend.state in ("running", "connected") else "Starting the backend"
        elif self.state == "working" and self._watch:
            if self._watch.lost:
                self._fail(self._watch.lost)
            elif self._watch.job:
                self._heed(self._watch.job)
        elif self.state == "fetching":
            self.total = 0.98 + 0.02 * self._fetched

    def _client(self) -> Client:
        return self._session.backend.client(self._choice)

    def _send(self, photos: list[Path], settings: dict[str, Any]) -> dict[str, Any] | None:
        client = self._client()
        return None if self._stop else self._submit(client, photos, settings)

    def _submit(self, client: Client, files: list[Path], settings: dict[str, Any]) -> dict[str, Any]:
        """On a thread: send the files; returns the job."""
        return client.submit(files, settings)

    def _sent(self, job: dict[str, Any] | None) -> None:
        from ..link.work import JobWatch

        if job is None:
            self._end("cancelled")
            return
        self.state, self.job = "working", job
        self._watch = JobWatch(self._client, job["id"])
        if self._stop:
            self._session.call(self._cancel, job["id"], failed=self._fail)

    def _cancel(self, job_id: str) -> None:
        self._client().cancel(job_id)

    def _heed(self, job: dict[str, Any]) -> None:
        self.job, self.notes = job, list(job.get("notes") or [])
        self._session.jobs[job["id"]] = job
        self.total = max(self.total, 0.98 * float(job.get("total") or 0.0))
        if not self._stop:
            self.text = _told(job)
        if job["state"] == "done" and not self._stop:
            self.state, self.text = "fetching", "Fetching the avatar"
            self._let_go()
            target = package_path(self._keep, job)
            self._session.call(self._fetch, job["id"], target, then=self._arrived, failed=self._fail)
        elif job["state"] in ("done", "cancelled"):
            self._end("cancelled")
        elif job["state"] == "failed":
            error = job.get("error") or {}
            self._fail(error.get("message") or "The reconstruction failed; the log says more.")

    def _fetch(self, job_id: str, target: Path) -> Path:
        def progress(fraction: float) -> None:
            self._fetched = fraction
            if self._stop:
                raise _StopError

        try:
            return self._client().avatar(job_id, target, progress)
        except _StopError:
            return target

    def _arrived(self, package: Path) -> None:
        if self._stop:
            self._end("cancelled")
            return
        self.total, self.package, self.text = 1.0, package, "Done"
        self._end("done")

    def _fail(self, why: str) -> None:
        if self.going:
            self.error = "" if self._stop else why
            self._end("cancelled" if self._stop else "failed")

    def _end(self, state: str) -> None:
        self.state = state
        self._let_go()

    def _let_go(self) -> None:
        if self._watch:
            self._watch.stop()
            self._watch = None


class _StopError(Exception):
    """The download was cancelled."""


def _told(job: dict[str, Any]) -> str:
    position = job.get("position")
    if job["state"] == "queued":
        return f"Waiting behind {position} other job{'s' * (position > 1)}" if position else "Waiting for the backend"
    return str(job.get("message") or STAGES.get(str(job.get("stage")), "Working"))


def package_path(keep: Path, job: dict[str, Any]) -> Path:
    """Where the avatar of a job is kept on this machine: ``keep``/ID/NAME.likeness.zip."""
    name = "".join(c for c in str(job.get("name") or "") if c.isprintable() and c not in '<>:"/\\|?*').strip(". ")
    return keep / "".join(c for c in job["id"] if c.isalnum() or c in "-_") / f"{name[:100] or 'avatar'}.likeness.zip"
