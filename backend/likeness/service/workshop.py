"""The one worker process, kept warm, watched, and replaced when it dies."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from likeness.service.channel import Message, decode, encode

__all__ = ["Failure", "Stopped", "Workshop", "apart"]

GRACE = 0.8
"""Seconds a worker has to stop a task by itself before it is killed."""

PATIENCE = 600.0
"""Seconds a worker may take to start."""

PAUSES = (0.0, 1.0, 4.0)
"""Seconds before each new start of a worker that dies before it is ready; after them it counts as failed."""

KILLED = -9
"""How a process ended that Linux and macOS killed, be it for want of memory."""

log = logging.getLogger(__name__)


class Failure(Exception):  # noqa: N818 - carries an answer
    """The worker could not do a task: a word for programs and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        """See `likeness.service.schema.Problem`."""
        super().__init__(message)
        self.code, self.message = code, message


class Stopped(Exception):  # noqa: N818 - not an error
    """The task was stopped as asked."""


class Workshop:
    """Starts the worker and gives it one task at a time. Lives on the event loop; all methods are called there."""

    def __init__(self) -> None:
        """Nothing runs before `start`."""
        self.state: Literal["starting", "ready", "busy", "restarting", "failed"] = "starting"
        self.message = "The models are being loaded"
        self.device = ""
        self.catalogue: dict[str, Any] | None = None
        self.pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()
        self._ready = asyncio.Event()
        self._settled = asyncio.Event()  # ready or failed
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._heard: dict[int, Callable[[str, float, str], None]] = {}
        self._stopping: set[int] = set()
        self._number = 0
        self._task: int | None = None
        self._failures = 0
        self._closed = False
        self._waker: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start a worker, if none runs."""
        if self._closed or self._process is not None:
            return
        self._waker = None
        self._settled.clear()
        if self.state == "failed":
            self.state = "restarting"
        command = [sys.executable, "-P", "-m", "likeness.service.worker"]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **apart()
            )
        except OSError as error:
            log.exception("the worker cannot be started")
            self._give_up(f"The worker cannot be started ({error.strerror or error}); install Likeness anew.")
            return
        self._process, self.pid = process, process.pid
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop, process), daemon=True, name="worker").start()
        threading.Thread(target=_keep_log, args=(process,), daemon=True, name="worker log").start()
        loop.call_later(PATIENCE, self._too_slow, process)

    def close(self) -> None:
        """Kill the worker; nothing is started any more."""
        self._closed = True
        if self._waker:
            self._waker.cancel()
        if self._process is not None:
            _kill(self._process)
            self._process.wait()

    async def ready(self) -> None:
        """Wait until the worker is ready; raises Failure where it cannot be started."""
        if self.state == "failed":
            self._failures = len(PAUSES) - 1  # one more try
            self.start()
        while not self._ready.is_set():  # it may die between being ready and our turn
            await self._settled.wait()
            if self.state == "failed":
                raise Failure("worker_failed", self.message)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have the worker for oneself; `do` may be called inside. Raises Failure where there is none."""
        async with self._turn:
            await self.ready()
            yield

    @property
    def taken(self) -> bool:
        """Whether somebody has the worker."""
        return self._turn.locked()

    async def do(self, task: Message, heard: Callable[[str, float, str], None] = lambda *_: None) -> Message:
        """Have a task done; only inside `turn`.

        Args:
            task: with "do" and what it needs, see `likeness.service.worker`.
            heard: is told stage, fraction and message.

        Raises:
            Failure: it could not be done, or the worker died.
            Stopped: `stop` was called.
        """
        self._number += 1
        number = self._task = self._number
        self._heard[number] = heard
        self.state = "busy"
        try:
            return await self._ask(number, task)
        except Failure:
            if number in self._stopping:
                raise Stopped from None
            raise
        except asyncio.CancelledError:  # nobody waits for it any more, so it must not hold up the next
            self._end_worker("The worker is restarted after a task that took too long")
            raise
        finally:
            self._task = None
            self._heard.pop(number, None)
            self._stopping.discard(number)
            if self.state == "busy":
                self.state = "ready"

    def stop(self) -> None:
        """Stop the task that runs; the worker is killed when it does not stop by itself in a moment."""
        if self._task is None or self._task in self._stopping:
            return
        self._stopping.add(self._task)
        self._send({"do": "stop", "number": self._task})
        asyncio.get_running_loop().call_later(GRACE, self._kill_if_on, self._task)

    async def look(self, timeout: float) -> dict[str, Any]:
        """Methods, heads and weights: fresh where the worker answers in time, else as last told.

        Raises TimeoutError where nothing was ever told.
        """
        if self._ready.is_set():
            self._number += 1
            with suppress(TimeoutError, Failure):
                self.catalogue = await asyncio.wait_for(self._ask(self._number, {"do": "catalogue"}), timeout)
        elif self.catalogue is None:
            await asyncio.wait_for(self._settled.wait(), timeout)
        known = self.catalogue
        if known is None:
            raise TimeoutError
        return known

    def _kill_if_on(self, number: int) -> None:
        if self._task == number and self._process is not None:
            log.info("the worker did not stop by itself and is killed")
            self._process.kill()

    def _too_slow(self, process: subprocess.Popen[bytes]) -> None:
        if process is self._process and not self._ready.is_set():
            log.error("the worker takes too long to start and is killed")
            process.kill()

    async def _ask(self, number: int, request: Message) -> Message:
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._send(request | {"number": number})
        try:
            return await answer
        finally:
            del self._answers[number]

    def _send(self, message: Message) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):  # it died; `_ended` is on its way
                self._process.stdin.write(encode(message))
                self._process.stdin.flush()

    def _listen(self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes]) -> None:
        """On a thread of its own: pass on what the worker says, then how it ended."""
        assert process.stdout is not None  # a pipe
        with suppress(RuntimeError):  # the loop is closed
            try:
                for line in process.stdout:
                    loop.call_soon_threadsafe(self._said, process, decode(line))
            except ValueError:
                log.exception("the worker talks nonsense and is killed")
            process.kill()
            code = process.wait()
            process.stdout.close()
            loop.call_soon_threadsafe(self._ended, process, code)

    def _said(self, process: subprocess.Popen[bytes], message: Message) -> None:
        if process is not self._process:
            return
        event = message["event"]
        if event == "ready":
            self.pid, self.device, self.catalogue = message["pid"], message["device"], message["catalogue"]
            self._failures = 0
            self.state, self.message = "ready", ""
            self._ready.set()
            self._settled.set()
            return
        number = message["number"]
        if event == "progress":
            if number in self._heard:
                self._heard[number](message["stage"], message["fraction"], message["message"])
            return
        answer = self._answers.get(number)
        if answer is None or answer.done():
            return
        if event == "answer":
            answer.set_result(message["answer"])
        elif event == "stopped":
            answer.set_exception(Stopped())
        else:
            answer.set_exception(Failure(message["code"], message["message"]))
            if message.get("spent"):  # its memory may be in no good state
                self._end_worker("The worker is restarted after an error")

    def _ended(self, process: subprocess.Popen[bytes], code: int) -> None:
        _kill(process)
        log.info("the worker %d ended with code %d", process.pid, code)
        if process is not self._process:
            self._next()
            return
        self._gone("The worker is restarted", _how_it_ended(code))
        self._next()

    def _end_worker(self, message: str) -> None:
        if self._process is not None:
            _kill(self._process)
            self._gone(message)

    def _gone(self, message: str, sentence: str = "") -> None:
        """The worker is no more: say so to everybody who waits for an answer."""
        was_ready = self._ready.is_set()
        self._process, self.pid = None, None
        self._ready.clear()
        self._settled.clear()
        self.state, self.message = "restarting", message
        if not was_ready:
            self._failures += 1
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Failure("worker_died", sentence or message))

    def _next(self) -> None:
        if self._closed or self._process is not None or self._waker is not None:
            return
        if self._failures >= len(PAUSES):
            self._give_up(
                "The worker could not be started; run `likeness doctor`, look into the service's log, or install anew."
            )
            return
        self._waker = asyncio.get_running_loop().call_later(PAUSES[self._failures], self.start)

    def _give_up(self, message: str) -> None:
        self.state, self.message = "failed", message
        self._settled.set()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Whether it lives or not."""
    process.kill()
    if process.stdin is not None:
        with suppress(OSError):  # what was not read any more
            process.stdin.close()


def _how_it_ended(code: int) -> str:
    if code == KILLED:
        return (
            "The reconstruction was ended from outside, most likely because memory ran out; "
            "close other programs or choose a smaller texture size, then start it again."
        )
    return (
        f"The reconstruction crashed (code {code}); start it again, "
        "and when that happens twice, look into the service's log and report it."
    )


def apart() -> dict[str, Any]:
    """A process that Ctrl+C in the server's terminal does not reach, and without a window."""
    if sys.platform == "win32":
        own_group = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": own_group | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    return {"start_new_session": True}


def _keep_log(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None  # a pipe
    with process.stderr as lines:
        for line in lines:
            log.info("worker: %s", line.decode("utf-8", "replace").rstrip()[:2000])
