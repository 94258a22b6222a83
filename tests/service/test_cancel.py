"""Whatever a job is doing, it has stopped within two seconds, and the next one runs."""

import time
from pathlib import Path
from typing import Any

import pytest
from running import Running, end_hard, until

LIMIT = 2.0
"""Seconds."""


def cancel(server: Running, job: dict[str, Any]) -> float:
    """Seconds until it is cancelled."""
    start = time.monotonic()
    answer = server.http.post(f"/v1/jobs/{job['id']}/cancel")
    assert answer.status_code == 202, answer.text
    assert answer.json()["id"] == job["id"]
    until(lambda: server.job(job)["state"] == "cancelled", 30, "the job to be cancelled")
    return time.monotonic() - start


def gone(server: Running, job: dict[str, Any]) -> bool:
    return not (server.home / "service" / "jobs" / job["id"]).exists()


@pytest.mark.parametrize("stage", ["faces", "fit", "maps", "write"])
def test_a_job_is_cancelled_at_any_stage(server: Running, astronaut: Path, stage: str) -> None:
    server.worker()
    job = server.submit(astronaut, texture_size=2048)
    until(lambda: server.job(job)["stage"] == stage, 120, f"stage {stage}")
    assert cancel(server, job) < LIMIT
    ended = server.job(job)
    assert (ended["error"], ended["has_avatar"]) == (None, False)
    assert ended["finished"]
    assert gone(server, job)


def test_a_waiting_job_is_cancelled_and_the_running_one_is_not(server: Running, astronaut: Path) -> None:
    first, second = server.submit(astronaut, texture_size=512), server.submit(astronaut, texture_size=256)
    assert cancel(server, second) < LIMIT
    assert gone(server, second)
    assert server.wait(first)["state"] == "done"


def test_a_job_is_cancelled_while_the_models_load(server: Running, astronaut: Path) -> None:
    end_hard(server.worker())
    until(lambda: server.health()["worker"]["state"] == "restarting", 10, "the worker's end to be noticed")
    job = server.submit(astronaut, texture_size=256)
    assert server.job(job)["state"] == "queued"
    assert cancel(server, job) < LIMIT


def test_cancelling_twice_is_cancelling(server: Running, astronaut: Path) -> None:
    server.worker()
    job = server.submit(astronaut, texture_size=2048)
    server.wait(job, ["running"])
    codes = [server.http.delete(f"/v1/jobs/{job['id']}").status_code for _ in range(2)]
    assert codes[0] == 202
    assert codes[1] in (202, 204)  # in time, or deleted since it was cancelled already


def test_a_cancel_that_comes_too_late_deletes_nothing(server: Running, astronaut: Path) -> None:
    job = server.done(astronaut)
    answer = server.http.post(f"/v1/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "done")
    assert server.http.get(f"/v1/jobs/{job['id']}/avatar").status_code == 200


def test_the_next_job_runs(server: Running, astronaut: Path) -> None:
    job = server.submit(astronaut, texture_size=2048)
    server.wait(job, ["running"])
    cancel(server, job)
    server.done(astronaut)
