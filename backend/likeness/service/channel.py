"""How server and worker talk: lines of JSON over the worker's standard input and output.

Plain data only, so nothing that comes out of a crashed or misled worker can run in the server. When the server dies,
however it dies, the operating system closes the pipe, and the worker ends at once.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from likeness.progress import Cancelled, Progress

__all__ = ["Message", "WorkerEnd", "decode", "encode"]

Message = dict[str, Any]

TELL_EVERY = 0.05
"""Seconds between two tellings of the same stage."""


def encode(message: Message) -> bytes:
    """One line."""
    return json.dumps(message, allow_nan=False).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """A line as a message; raises ValueError for anything else."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")
    return message


class WorkerEnd:
    """The worker's end. Takes standard output for itself: what libraries print goes to standard error, the log.

    Requests with a "do" that ``at_once`` knows are answered on the reading thread, even while a task runs.
    """

    def __init__(self, at_once: dict[str, Callable[[Message], Message]]) -> None:
        """Start to listen."""
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - no file of ours
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._at_once = at_once
        self._lock = threading.Lock()
        self._stopped: set[int] = set()
        self._tasks: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True, name="requests").start()

    def next(self) -> Message:
        """The next task; waits for one."""
        return self._tasks.get()

    def stopped(self, number: int) -> bool:
        """Whether the server wants the request of that number to stop."""
        return number in self._stopped

    def send(self, message: Message) -> None:
        """Tell the server; a server that is gone ends this process."""
        try:
            with self._lock:
                self._out.write(encode(message))
                self._out.flush()
        except OSError:
            os._exit(0)

    def progress(self, number: int, more: Message | None = None) -> Progress:
        """A progress that tells the server how the request of that number goes, with what ``more`` holds then.

        It raises Cancelled once the server wants the request to stop.
        """
        last = ("", 0.0, 0.0)

        def tell(stage: str, fraction: float, message: str) -> None:
            nonlocal last
            if self.stopped(number):
                raise Cancelled
            now = time.monotonic()
            if stage != "note":
                if stage == last[0] and fraction < 1.0 and now - last[2] < TELL_EVERY:
                    return
                last = (stage, fraction, now)
            fraction = min(max(float(fraction), 0.0), 1.0)
            said = {"number": number, "event": "progress", "stage": stage, "fraction": fraction, "message": message}
            self.send(said | (more or {}))

        return tell

    def _listen(self) -> None:
        try:
            for line in self._in:
                message = decode(line)
                if message["do"] == "stop":
                    self._stopped.add(message["number"])
                elif message["do"] in self._at_once:
                    answer = self._at_once[message["do"]](message)
                    self.send({"number": message["number"], "event": "answer", "answer": answer})
                else:
                    self._tasks.put(message)
        finally:  # the server is gone
            os._exit(0)
