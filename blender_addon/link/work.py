# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes time, off Blender's main thread; a timer there reads the results."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from .client import Client, ServiceError

__all__ = ["ENDED", "JobWatch", "Ticket", "Work"]

P = ParamSpec("P")
T = TypeVar("T")

ENDED = ("done", "failed", "cancelled")
"""States in which a job stays."""


class Ticket(Generic[T]):
    """A call that is under way or done.

    Attributes:
        result: what it returned, None until then and after a failure.
        error: a sentence, "" when nothing went wrong.
        exception: what was raised, or None.
        trace: its traceback as text, for the log; "" for a ServiceError.
    """

    def __init__(self) -> None:
        """Under way."""
        self.result: T | None = None
        self.error, self.trace = "", ""
        self.exception: BaseException | None = None
        self._ended = threading.Event()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; for scripts and tests, never for Blender's main thread. Returns whether it came."""
        return self._ended.wait(timeout)

    def _run(self, call: Callable[[], T]) -> None:
        try:
            self.result = call()
        except ServiceError as error:
            self.error, self.exception = error.message, error
        except Exception as error:
            self.error = f"Likeness met an error that it did not expect ({type(error).__name__}: {error})."
            self.exception, self.trace = error, traceback.format_exc()
        finally:
            self._ended.set()


class Work:
    """A few threads that run calls in order. They never keep Blender from closing."""

    def __init__(self, threads: int = 4) -> None:
        """Threads start with the first call."""
        self._threads, self._running = threads, 0
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Ticket[T]:
        """Run ``function`` in the background."""
        ticket: Ticket[T] = Ticket()
        with self._lock:
            if self._running < self._threads:
                self._running += 1
                threading.Thread(target=self._serve, name="likeness", daemon=True).start()
        self._calls.put(lambda: ticket._run(lambda: function(*args, **kwargs)))
        return ticket

    def close(self) -> None:
        """Let the threads end once what was submitted is done. Does not wait."""
        with self._lock:
            for _ in range(self._running):
                self._calls.put(None)
            self._running = 0

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


class JobWatch:
    """Follows one job, or whatever else has a "state", from a thread of its own.

    Attributes:
        job: the Job as last heard, None before the first answer.
        lost: why the job can no longer be followed, a sentence; "" while it can.
        waiting: why nothing is heard at the moment, a sentence; "" while all is well.
    """

    INTERVAL = 0.3
    PATIENCE = 60.0
    """Seconds without an answer after which the job is given up."""

    def __init__(
        self,
        client_factory: Callable[[], Client],
        job_id: str,
        ask: Callable[[Client, str], dict[str, Any]] = Client.job,
    ) -> None:
        """Start to watch; the factory is asked again when the server is gone (``Supervisor.ensure`` restarts it)."""
        self.job: dict[str, Any] | None = None
        self.lost, self.waiting = "", ""
        self._factory, self._id, self._ask = client_factory, job_id, ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"likeness job {job_id}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether nothing more will be heard: the job has ended, is lost, or the watch was stopped."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Stop watching; the job goes on. Does not wait."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; for scripts and tests. Returns whether it came."""
        self._thread.join(timeout)
        return self.done

    def _watch(self) -> None:
        client: Client | None = None
        heard = time.monotonic()
        while not self._stop.is_set():
            try:
                client = client or self._factory()
                self.job = self._ask(client, self._id)
                self.waiting, heard = "", time.monotonic()
            except ServiceError as error:
                client = None
                if error.code != "unreachable" or time.monotonic() - heard > self.PATIENCE:
                    self.lost = error.message
                    return
                self.waiting = error.message
            except Exception as error:  # a thread that dies silently would leave the user waiting
                self.lost = f"Likeness met an error that it did not expect ({type(error).__name__}: {error})."
                return
            if self.job is not None and self.job["state"] in ENDED:
                return
            self._stop.wait(self.INTERVAL)
