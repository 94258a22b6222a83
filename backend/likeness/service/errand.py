"""One run of a process that does one thing and ends, on the server's side; see `likeness.service.installer`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import suppress

from likeness.service.channel import Message, decode, encode
from likeness.service.workshop import Failure, Stopped, apart

__all__ = ["Errand"]

GRACE = 1.0
"""Seconds it has to stop by itself before it is killed."""
LINE = 1 << 20
"""Bytes of a message at most."""

log = logging.getLogger(__name__)


class Errand:
    """Lives on the event loop; used once."""

    def __init__(self, module: str) -> None:
        """``module`` is what `python -m` runs."""
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def run(self, request: Message, heard: Callable[[Message], None]) -> Message:
        """The answer to a request; ``heard`` is told of each message "progress" before.

        Raises:
            Failure: it could not be done, or the process died.
            Stopped: `stop` was called.
        """
        command = [sys.executable, "-P", "-m", self._module]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LINE, **apart()
            )
        except OSError as error:
            log.exception("%s cannot be started", self._module)
            sentence = f"A process could not be started ({error.strerror or error}); close other programs, try again."
            raise Failure("not_started", sentence) from error
        self._process = process
        keep_log = asyncio.create_task(_keep_log(process))
        try:
            return await self._talk(process, request, heard)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await keep_log

    def stop(self) -> None:
        """Have it stop, soon."""
        if self._stopping:
            return
        self._stopping = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(encode({"do": "stop", "number": 1}))
            asyncio.get_running_loop().call_later(GRACE, self.kill)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _talk(
        self, process: asyncio.subprocess.Process, request: Message, heard: Callable[[Message], None]
    ) -> Message:
        assert process.stdin is not None  # pipes
        assert process.stdout is not None
        process.stdin.write(encode(request | {"number": 1}))
        if self._stopping:  # it was asked to before it had begun
            raise Stopped
        with suppress(ValueError):  # nonsense, or a line without end
            async for line in process.stdout:
                message = decode(line)
                if message["event"] == "progress":
                    heard(message)
                elif message["event"] == "answer":
                    return dict(message["answer"])
                elif message["event"] == "stopped":
                    raise Stopped
                else:
                    raise Failure(message["code"], message["message"])
        if self._stopping:
            raise Stopped
        sentence = (
            "The process that did this ended too soon, perhaps for want of memory; close other programs, try again."
        )
        raise Failure("process_died", sentence)


async def _keep_log(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None  # a pipe
    with suppress(ValueError):  # a line without end
        async for line in process.stderr:
            log.info("%d: %s", process.pid, line.decode("utf-8", "replace").rstrip()[:2000])
