"""A backend that runs outside of the Debian folder is started and ended from inside, as a program on the spot would be.

``python3 relay.py SOCKET ARGUMENT…`` inside asks the `Relay` outside to run the backend with these arguments. Output
comes back; whichever side ends, ends the other: the backend notices by its standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO


class Relay:
    """Runs real backends for a Blender that lives in ``debian``. `close` ends them all."""

    def __init__(self, debian: Path, path: Path) -> None:
        self.backends: list[subprocess.Popen[bytes]] = []
        self._debian = debian
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen()
        threading.Thread(target=self._open, daemon=True).start()

    def close(self) -> None:
        """End every backend and its worker."""
        self._door.close()
        for backend in self.backends:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(backend.pid, signal.SIGKILL)
            backend.wait()

    def _open(self) -> None:
        while True:
            try:
                caller, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, caller.makefile("rb") as said:
            arguments = [self._outside(a) for a in json.loads(said.readline())]
            backend = subprocess.Popen(
                # On few cores it must not keep Blender from running: how smoothly that runs is measured.
                ["nice", "-n", "10", sys.executable, "-m", "likeness.cli", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.backends.append(backend)
            threading.Thread(target=_end_with, args=(said, backend), daemon=True).start()
            assert backend.stdout is not None
            with backend.stdout, contextlib.suppress(OSError):  # the caller was killed
                for line in backend.stdout:
                    caller.sendall(line)
            backend.wait()

    def _outside(self, argument: str) -> str:
        """Paths as they are called out here."""
        return f"{self._debian}{argument}" if argument.startswith("/") else argument


def _end_with(said: BinaryIO, backend: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        said.read()
    assert backend.stdin is not None
    backend.stdin.close()


def _call(path: str, arguments: list[str]) -> None:
    """The inside."""
    line = socket.socket(socket.AF_UNIX)
    line.connect(path)
    line.sendall(json.dumps(arguments).encode() + b"\n")

    def hear() -> None:
        while os.read(0, 4096):
            pass
        line.shutdown(socket.SHUT_WR)

    threading.Thread(target=hear, daemon=True).start()
    while said := line.recv(65536):
        os.write(1, said)


if __name__ == "__main__":
    _call(sys.argv[1], sys.argv[2:])
