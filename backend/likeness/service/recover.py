"""What an earlier server left behind, however it ended."""

from __future__ import annotations

import json
from contextlib import suppress

from likeness.service.folders import Folders
from likeness.service.schema import Job, Problem
from likeness.service.store import Store

__all__ = ["recover"]


def recover(store: Store, folders: Folders, time: str, stopped: str) -> list[Job]:
    """The jobs, oldest first, put in order; uploads and parts of files that were never finished are removed.

    Jobs that ran are done where their package was in place already, else failed. Jobs that waited still wait.
    """
    jobs = store.all()
    for job in jobs:
        if job.state == "running":
            if not _finish(job, folders):
                job.state, job.message = "failed", stopped
                job.error = Problem(code="server_stopped", message=stopped)
            job.finished = time
        elif job.state == "queued" and not all(
            (folders.job(job.id) / "photos" / f"{i:02d}").is_file()
            for i in range(1, len([job.mesh] if job.mesh else job.photos) + 1)
        ):
            sentence = f"Its {'mesh is' if job.mesh else 'photos are'} gone; start it again."
            job.state, job.message, job.finished = "failed", sentence, time
            job.error = Problem(code="photos_lost", message=sentence)
        elif job.has_avatar and not folders.avatar(job.id).is_file():
            job.has_avatar, job.avatar_bytes = False, None
        else:
            continue
        job.position = None
        store.put(job)
    folders.tidy({job.id for job in jobs if job.state in ("queued", "done")})
    for job in jobs:
        if job.state == "done":
            folders.drop_photos(job.id)
    return jobs


def _finish(job: Job, folders: Folders) -> bool:
    """Whether the package of a job was in place when the server ended; if so the job is done."""
    with suppress(OSError, ValueError, KeyError):
        size = folders.avatar(job.id).stat().st_size
        about = json.loads(folders.about(job.id).read_text(encoding="utf-8"))
        job.head, job.licences = about["head"], about["licences"]
        job.state, job.stage, job.message, job.error = "done", "write", "Done", None
        job.fraction, job.total, job.has_avatar, job.avatar_bytes = 1.0, 1.0, True, size
        return True
    return False
