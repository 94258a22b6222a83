"""Worker and server are killed when it hurts; nothing that was finished is lost, and the next job runs."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from running import Running, alive, end_hard, until

from likeness import package


def test_a_killed_worker_fails_its_job_with_a_sentence_and_the_next_one_runs(server: Running, astronaut: Path) -> None:
    worker = server.worker()
    job, next_job = server.submit(astronaut, texture_size=2048), server.submit(astronaut, texture_size=256)
    until(lambda: server.job(job)["stage"] == "fit", 60, "stage fit")
    end_hard(worker)
    failed = server.wait(job)
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == "worker_died"
    if sys.platform != "win32":  # there, being killed looks like any other end
        assert "memory ran out" in failed["error"]["message"]
    assert failed["message"] == failed["error"]["message"]
    assert server.wait(next_job)["state"] == "done"
    assert server.worker() != worker


def test_a_worker_killed_while_idle_is_replaced(server: Running, astronaut: Path) -> None:
    worker = server.worker()
    end_hard(worker)
    until(lambda: server.health()["worker"]["pid"] not in (worker, None), 60, "a new worker")
    server.done(astronaut)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_job_whose_worker_was_dead_before_it_began_is_not_lost(server: Running, astronaut: Path) -> None:
    worker = server.worker()
    os.kill(worker, signal.SIGSTOP)
    job = server.submit(astronaut, texture_size=256)
    assert server.wait(job, ["running"])["stage"] == ""
    end_hard(worker)
    assert server.wait(job)["state"] == "done"
    assert server.worker() != worker


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_worker_that_hangs_is_ended_by_cancelling(server: Running, astronaut: Path) -> None:
    worker = server.worker()
    job = server.submit(astronaut, texture_size=1024)
    until(lambda: server.job(job)["stage"] == "fit", 60, "stage fit")
    os.kill(worker, signal.SIGSTOP)
    server.http.delete(f"/v1/jobs/{job['id']}")
    assert until(lambda: server.job(job)["state"] == "cancelled", 10, "the job to be cancelled") < 2
    server.done(astronaut)


def test_the_lists_are_there_while_the_worker_restarts(server: Running) -> None:
    end_hard(server.worker())
    start = time.monotonic()
    assert server.get("/v1/methods")["methods"]
    assert time.monotonic() - start < 9


def test_ten_jobs_with_the_worker_killed_at_random_moments(server: Running, astronaut: Path) -> None:
    moments = random.Random(7)
    server.worker()
    jobs = [server.submit(astronaut, texture_size=512) for _ in range(10)]
    states = []
    for job in jobs:
        server.wait(job, ["running", "done", "failed"])
        time.sleep(moments.uniform(0.0, 2.5))
        end_hard(server.worker())
        ended = server.wait(job)
        states.append(ended["state"])
        if ended["state"] == "failed":
            assert ended["error"]["code"] == "worker_died"
        else:
            assert server.http.get(f"/v1/jobs/{job['id']}/avatar").status_code == 200
    assert set(states) <= {"done", "failed"}
    assert "failed" in states
    listed = {job["id"]: job["state"] for job in server.get("/v1/jobs")["jobs"]}
    assert [listed[job["id"]] for job in jobs] == states
    server.done(astronaut)


def test_a_killed_server_takes_its_worker_with_it(own_home: Path) -> None:
    with Running(own_home) as server:
        worker = server.worker()
        end_hard(server.health()["pid"])
        assert until(lambda: not alive(worker), 10, "the worker to end") < 5


@pytest.mark.parametrize("moment", ["starting", "busy"])
def test_a_worker_that_is_starting_or_busy_ends_with_the_server(own_home: Path, astronaut: Path, moment: str) -> None:
    with Running(own_home) as server:
        worker = server.health()["worker"]["pid"]
        if moment == "busy":
            worker = server.worker()
            job = server.submit(astronaut, texture_size=2048)
            until(lambda: server.job(job)["stage"] == "maps", 60, "stage maps")
        end_hard(server.health()["pid"])
        until(lambda: not alive(worker), 10, "the worker to end")


def test_a_server_killed_at_random_moments_loses_nothing(own_home: Path, tmp_path: Path, astronaut: Path) -> None:
    moments = random.Random(11)
    known: dict[str, str] = {}
    with Running(own_home) as server:
        for _ in range(5):
            server.worker()
            for _ in range(2):
                job = server.submit(astronaut, texture_size=256)
                known[job["id"]] = job["state"]
            end = time.monotonic() + moments.uniform(0.0, 4.0)
            while time.monotonic() < end:
                known.update({job["id"]: job["state"] for job in server.get("/v1/jobs")["jobs"]})
            server.kill()
            server.start()
            after = {job["id"]: job for job in server.get("/v1/jobs")["jobs"]}
            assert set(known) == set(after)
            for job, state in known.items():
                if state == "done":
                    assert after[job]["state"] == "done"
                if after[job]["state"] == "done":
                    answer = server.http.get(f"/v1/jobs/{job}/avatar")
                    assert len(answer.content) == after[job]["avatar_bytes"]
                    (tmp_path / "a.zip").write_bytes(answer.content)
                    package.load(tmp_path / "a.zip")
                if after[job]["state"] == "failed":
                    assert after[job]["error"]["code"] == "server_stopped"
            known.update({job: entry["state"] for job, entry in after.items()})
        for job in known:  # what waited goes on
            server.wait({"id": job})
        states = [job["state"] for job in server.get("/v1/jobs")["jobs"]]
        assert set(states) <= {"done", "failed"}
        assert states.count("done") >= 5
        assert list((own_home / "service" / "incoming").iterdir()) == []
        assert not list((own_home / "service" / "jobs").rglob("*.part"))


def test_an_orderly_stop_keeps_the_queue(own_home: Path, astronaut: Path) -> None:
    with Running(own_home) as server:
        server.worker()
        running, waiting = server.submit(astronaut, texture_size=2048), server.submit(astronaut, texture_size=256)
        server.wait(running, ["running"])
        worker = server.worker()
        assert server.stop() == 0
        assert not alive(worker)
        assert not server.told.exists()
        server.start()
        assert server.job(running)["error"]["code"] == "server_stopped"
        assert server.wait(waiting)["state"] == "done"
