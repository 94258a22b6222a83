"""The jobs: their list, their queue, and how each of them goes."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from likeness.service.folders import Folders
from likeness.service.limits import Limits
from likeness.service.names import shown
from likeness.service.recover import recover
from likeness.service.refusal import Refused, no_space
from likeness.service.schema import Job, Problem, RigSettings, Settings, State
from likeness.service.store import Store
from likeness.service.workshop import Failure, Stopped, Workshop

__all__ = ["ENDED", "Jobs", "now"]

ENDED: tuple[State, ...] = ("done", "failed", "cancelled")

SPANS = {
    "start": (0.0, 0.02),
    "weights": (0.02, 0.05),
    "faces": (0.05, 0.12),
    "head": (0.12, 0.2),
    "fit": (0.2, 0.4),
    "maps": (0.4, 0.9),
    "write": (0.9, 1.0),
}
"""Where each stage lies in the whole of a job, after its usual share of the time."""

MESH = "rig"
"""Stands for a method where a mesh was given."""

STOPPED = "The service was stopped before this was finished; start it again."

log = logging.getLogger(__name__)


def now() -> str:
    """The time, UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Jobs:
    """Lives on the event loop; all methods are called there, so no two of them run at once."""

    def __init__(self, folders: Folders, store: Store, workshop: Workshop, limits: Limits) -> None:
        """Take up what an earlier server left."""
        self._folders, self._store, self._workshop, self._limits = folders, store, workshop, limits
        self._jobs = {job.id: job for job in recover(store, folders, now(), STOPPED)}
        self._queue = [job for job in self._jobs.values() if job.state == "queued"]
        self._running: Job | None = None
        self._cancelling = False
        self._again: set[str] = set()
        self._stages: dict[str, list[Job]] = {}  # each job as it was when a stage began
        self._arriving = 0
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()
        self._closing = False
        self._place()
        if self._queue:
            self._arrived.set()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self._running is not None or bool(self._queue)

    def all(self) -> list[Job]:
        """Newest first."""
        return list(reversed(self._jobs.values()))

    def get(self, job: str) -> Job:
        """The job of that id; raises Refused where there is none."""
        try:
            return self._jobs[job]
        except KeyError:
            raise Refused(404, "no_such_job", "There is no such job; it may have been deleted.") from None

    @contextmanager
    def room(self) -> Iterator[None]:
        """Keep a place in the queue while the photos come in; raises Refused where it is full."""
        if self._closing:
            raise Refused(503, "stopping", "The service is being stopped; start it again.", retry_after=5)
        if len(self._queue) + self._arriving >= self._limits.queue:
            sentence = f"{self._limits.queue} jobs wait already; try again when some are done."
            raise Refused(429, "queue_full", sentence, retry_after=10)
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def add(self, upload: Path, names: list[str], settings: Settings | RigSettings) -> Job:
        """Make a job of photos, or of a mesh, that lie as ``01``, ``02``, … in the folder ``upload``, which moves into
        the job's."""
        mesh, method = (names[0], MESH) if isinstance(settings, RigSettings) else (None, settings.method)
        job = Job(
            id=secrets.token_hex(8),
            name=shown(settings.name or "") or Path(names[0]).stem,
            message="Waiting" if self._workshop.device else "Waiting for the models to load",
            created=now(),
            photos=[] if mesh else names,
            mesh=mesh,
            settings=settings,
            method=method,
            head=settings.head,
            licences=self._licences(method),
        )
        folder = self._folders.job(job.id)
        folder.mkdir(mode=0o700)
        upload.rename(folder / "photos")
        try:
            self._store.put(job)
        except sqlite3.Error as error:
            self._folders.drop(job.id)
            log.exception("the list of jobs cannot be written")
            raise no_space() from error
        self._jobs[job.id] = job
        self._queue.append(job)
        self._place()
        self._touch(job)
        self._arrived.set()
        return job

    def cancel(self, job: Job) -> None:
        """Cancel what waits or runs."""
        if job in self._queue:
            self._queue.remove(job)
            self._place()
            self._end(job, "cancelled")
        elif job is self._running:
            self._cancelling = True
            job.message = "Stopping"
            self._touch(job)
            self._workshop.stop()

    def delete(self, job: Job) -> None:
        """Forget a job that has ended, and its files."""
        del self._jobs[job.id]
        self._stages.pop(job.id, None)
        try:
            self._store.drop(job.id)
            self._folders.drop(job.id)
        except sqlite3.Error:  # the disk is full; without the files it may not be
            self._folders.drop(job.id)
            with suppress(sqlite3.Error):
                self._store.drop(job.id)
        self._tick()

    async def changes(self, job: Job, after: int, pulse: float) -> AsyncIterator[Job | None]:
        """The job each time it changed, from revision ``after`` on; None every ``pulse`` seconds of silence.

        Who comes late or listens slowly may miss changes, but never the beginning of a stage. Ends after the job
        has ended, or was deleted, or the service stops.
        """
        while not self._closing and job.id in self._jobs:
            changed = self._changed
            missed = next((then for then in self._stages.get(job.id, []) if then.revision > after), job)
            if missed.revision < job.revision:
                after = missed.revision
                yield missed
                continue
            if job.revision > after:
                after = job.revision
                yield job
                continue
            if job.state in ENDED:
                return
            try:
                await asyncio.wait_for(changed.wait(), pulse)
            except TimeoutError:
                yield None

    async def work(self) -> None:
        """Do the jobs in turn, for ever."""
        while True:
            await self._arrived.wait()
            try:
                async with self._workshop.turn():
                    job = self._next()
                    if job is not None:
                        await self._run(job)
            except Failure as failure:  # there is no worker
                job = self._next()
                if job is not None:
                    self._end(job, "failed", Problem(code=failure.code, message=failure.message))
            except Exception:
                log.exception("a job was lost to an error of the service")
                if self._running is not None:
                    sentence = "The service failed; look into its log, free some disk space, and start the job again."
                    self._end(self._running, "failed", Problem(code="internal", message=sentence))
            finally:
                self._running = None

    def hush(self) -> None:
        """The service is about to stop: who watches jobs is let go."""
        self._closing = True
        self._tick()

    def close(self) -> None:
        """Write down that what runs was stopped."""
        self.hush()
        if self._running is not None:
            self._end(self._running, "failed", Problem(code="server_stopped", message=STOPPED))
        self._store.close()

    def _next(self) -> Job | None:
        job = self._queue.pop(0) if self._queue else None
        if not self._queue:
            self._arrived.clear()
        self._place()
        return job

    async def _run(self, job: Job) -> None:
        self._running, self._cancelling = job, False
        job.state, job.started, job.position, job.message = "running", now(), None, "Starting"
        self._keep(job)
        self._touch(job)
        task = {
            "do": "rig" if job.mesh else "job",
            "folder": str(self._folders.job(job.id)),
            "photos": [
                {"file": str(self._folders.job(job.id) / "photos" / f"{i:02d}"), "name": name}
                for i, name in enumerate([job.mesh] if job.mesh else job.photos, 1)
            ],
            "settings": job.settings.model_dump(),
        }

        def heard(stage: str, fraction: float, message: str) -> None:
            self._heard(job, stage, fraction, message)

        try:
            about = await self._workshop.do(task, heard)
        except Stopped:
            self._end(job, "cancelled")
        except Failure as failure:
            if failure.code == "worker_died" and not job.stage and job.id not in self._again:
                self._put_back(job)
            elif not self._closing:
                self._end(job, "failed", Problem(code=failure.code, message=failure.message))
        else:
            if self._cancelling:  # it came too late to stop it, but not too late for the user
                self._end(job, "cancelled")
                return
            job.head, job.licences = about["head"], about["licences"]
            job.avatar_bytes = self._folders.avatar(job.id).stat().st_size
            job.has_avatar, job.fraction, job.total = True, 1.0, 1.0
            self._end(job, "done")

    def _put_back(self, job: Job) -> None:
        """The worker was dead before it began; that was not the job's fault."""
        self._again.add(job.id)
        self._stages.pop(job.id, None)
        job.state, job.started, job.message = "queued", None, "Waiting for the models to load"
        self._running = None
        self._queue.insert(0, job)
        self._keep(job)
        self._place()
        self._touch(job)
        self._arrived.set()

    def _heard(self, job: Job, stage: str, fraction: float, message: str) -> None:
        if job.state != "running" or self._cancelling:
            return
        began = stage not in ("note", job.stage)
        if stage == "note":
            job.notes.append(message)
        else:
            job.stage, job.fraction, job.message = stage, fraction, message
            start, end = SPANS.get(stage, (job.total, job.total))
            job.total = max(job.total, start + fraction * (end - start))
        self._touch(job)
        if began:
            self._stages.setdefault(job.id, []).append(job.model_copy(deep=True))

    def _end(self, job: Job, state: State, error: Problem | None = None) -> None:
        """Write it down first, then tell. The package of a job that is done lies in its place already."""
        job.state, job.error, job.finished, job.position = state, error, now(), None
        job.message = {"done": "Done", "cancelled": "Cancelled"}.get(state, error.message if error else "")
        if job is self._running:
            self._running = None
        if state != "done":
            self._folders.drop(job.id)
        self._folders.drop_photos(job.id)
        self._keep(job)
        self._touch(job)

    def _keep(self, job: Job) -> None:
        """Write a job down; where that fails, `recover` finds the same out from its files at the next start."""
        try:
            self._store.put(job)
        except sqlite3.Error:
            log.exception("the list of jobs cannot be written")

    def _place(self) -> None:
        for i, job in enumerate(self._queue):
            if job.position != i:
                job.position = i
                self._touch(job)

    def _touch(self, job: Job) -> None:
        job.revision = max(job.revision + 1, time.time_ns() // 1_000_000)
        self._tick()

    def _tick(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _licences(self, method: str) -> list[str]:
        """As far as they are known before the job has run."""
        for known in (self._workshop.catalogue or {}).get("methods", []):
            if known["name"] == method:
                return [known["strictest"]]
        return []
