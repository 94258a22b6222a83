"""A real `likeness serve` in a process of its own, and what tests ask of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import httpx

ENDED = ("done", "failed", "cancelled")
COMMAND = [sys.executable, "-m", "likeness.cli", "serve"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


class Running:
    """Starts a server on a home, or on a new port of it again."""

    def __init__(self, home: Path, *options: object) -> None:
        self.home, self.options = home, [str(option) for option in options]
        self.told = home / "service" / "server.json"
        self.start()

    def start(self) -> None:
        self.told.unlink(missing_ok=True)
        command = [*COMMAND, "--home", str(self.home), *self.options]
        self.process = subprocess.Popen(
            command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        until(lambda: self.told.exists() or self.process.poll() is not None, 60, "server.json")
        assert self.process.poll() is None, self.process.communicate()[0]
        self.about: dict[str, Any] = json.loads(self.told.read_text())
        headers = {"Authorization": f"Bearer {self.about['token']}"}
        self.http = httpx.Client(base_url=self.about["url"], headers=headers, timeout=60, trust_env=False)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """As kill -9 does."""
        self.http.close()
        self.process.kill()
        self.process.communicate()

    def stop(self) -> int:
        """In order; returns the exit code."""
        assert self.http.post("/v1/shutdown").status_code == 202
        return self.wait_for_the_end()

    def wait_for_the_end(self) -> int:
        code = self.process.wait(20)
        self.process.communicate()
        self.http.close()
        return code

    def close_stdin(self) -> None:
        """As when whoever started it is gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def get(self, path: str) -> dict[str, Any]:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def health(self) -> dict[str, Any]:
        return self.get("/v1/health")

    def worker(self) -> int:
        """The worker's process id, once it is ready."""
        until(lambda: self.health()["worker"]["state"] in ("ready", "busy"), 180, "a worker that is ready")
        return int(self.health()["worker"]["pid"])

    def submit(self, *photos: Path, **settings: Any) -> dict[str, Any]:
        files = [("photos", (photo.name, photo.read_bytes())) for photo in photos]
        answer = self.http.post("/v1/jobs", files=files, data={"settings": json.dumps(settings)})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def job(self, job: dict[str, Any]) -> dict[str, Any]:
        return self.get(f"/v1/jobs/{job['id']}")

    def wait(self, job: dict[str, Any], states: Collection[str] = ENDED, patience: float = 240) -> dict[str, Any]:
        """The job once it is in one of these states."""
        until(lambda: self.job(job)["state"] in states, patience, f"{job['id']} to be {states}")
        return self.job(job)

    def done(self, *photos: Path, **settings: Any) -> dict[str, Any]:
        """A small job, done."""
        job = self.wait(self.submit(*photos, **{"texture_size": 256} | settings))
        assert job["state"] == "done", job
        return job


def until(happened: Callable[[], bool], patience: float, what: str) -> float:
    """Wait for it; returns the seconds it took."""
    start = time.monotonic()
    while not happened():
        assert time.monotonic() - start < patience, f"waited {patience} s for {what}"
        time.sleep(0.02)
    return time.monotonic() - start


def end_hard(pid: int) -> None:
    """kill -9, or what is nearest to it."""
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def memory_mb(pid: int) -> float:
    """Resident memory; Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
