"""Server-sent events: how a job goes, as it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from likeness.service.jobs import Jobs
from likeness.service.schema import Job

__all__ = ["events"]

PULSE = 10.0
"""Seconds after which a comment is sent, so that a connection that died is noticed."""


async def events(jobs: Jobs, job: Job, after: int) -> AsyncIterator[bytes]:
    """Events "job" with the job as JSON and its revision as id; the last one when it has ended."""
    async for changed in jobs.changes(job, after, PULSE):
        if changed is None:
            yield b": still here\n\n"
        else:
            yield f"id: {changed.revision}\nevent: job\ndata: {changed.model_dump_json()}\n\n".encode()
