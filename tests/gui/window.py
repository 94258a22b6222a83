"""Blender's window on a virtual screen, seen and used from outside: mouse, keys, pictures, and code run inside."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1600, 900
OPENBOX = """<openbox_config xmlns="http://openbox.org/3.4/rc"><applications>
<application class="Blender" type="normal"><decor>no</decor><focus>yes</focus></application>
</applications></openbox_config>"""
"""No frames, so that Blender's pixels are the screen's."""


class ScreenLostError(AssertionError):
    """The X server would not go on with Blender, which ends or hangs then."""


class Window:
    """A Blender that runs in a Debian folder. A context manager; everything it started ends with it.

    Attributes:
        debian: the Debian's folder.
        room: a folder that both sides reach; `inside` gives a path as Blender knows it.
    """

    def __init__(self, debian: Path) -> None:
        self.debian = debian
        self.room = Path(tempfile.mkdtemp(prefix="likeness-", dir=debian / "tmp"))
        self.mailbox = self.room / "mailbox"
        self.mailbox.mkdir()
        self._letters = itertools.count(1)
        self._started: list[subprocess.Popen[str]] = []
        self._log = (self.room / "blender.log").open("w")
        self._seen = 0
        self.display = ""
        self.blender: subprocess.Popen[str] | None = None

    def __enter__(self) -> Window:
        try:
            self._start_screen()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything, remove the room."""
        for process in reversed(self._started):
            with_group(process, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()
        self._log.close()
        shutil.rmtree(self.room, ignore_errors=True)

    def _start_screen(self) -> None:
        size = f"{WIDTH}x{HEIGHT}x24"
        command = ["Xvfb", "-displayfd", "1", "-screen", "0", size, "+extension", "GLX", "-nolisten", "tcp"]
        screen = self._run(command, stdout=subprocess.PIPE)
        assert screen.stdout is not None
        self.display = f":{screen.stdout.readline().strip()}"
        settings = self.room / "openbox.xml"
        settings.write_text(OPENBOX)
        self._run(["openbox", "--config-file", self.inside(settings)], stdout=self._log)

    def start(self) -> None:
        """Start Blender and wait until it answers."""
        shutil.copy(HERE / "remote.py", self.room / "remote.py")
        command = ["blender", "--factory-startup", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
        command += ["--python", self.inside(self.room / "remote.py"), "--", self.inside(self.mailbox)]
        self.blender = self._run(command, stdout=self._log)
        self.do("", timeout=120)
        self.key("super")  # Blender's first event is never a click
        time.sleep(1)

    def restart(self) -> None:
        """Start another Blender in place of one that is lost, with the same user's folder."""
        assert self.blender is not None
        with_group(self.blender, signal.SIGKILL)
        self.blender.wait()
        for letter in self.mailbox.iterdir():
            letter.unlink()
        self._seen = len(self.log)
        self.start()

    def _run(self, command: list[str], stdout: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*self._chroot(), *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def _chroot(self) -> list[str]:
        settings = {
            "PATH": "/usr/bin:/bin",
            "HOME": self.inside(self.room),
            "XDG_RUNTIME_DIR": self.inside(self.room),
            "XDG_CACHE_HOME": "/var/cache/likeness",  # compiled shaders
            "BLENDER_USER_RESOURCES": self.inside(self.room / "user"),
            "DISPLAY": self.display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "LC_ALL": "C.UTF-8",
        }
        return ["chroot", str(self.debian), "env", "-i", *(f"{k}={v}" for k, v in settings.items())]

    def inside(self, path: Path) -> str:
        """A path in the Debian's folder as Blender knows it."""
        return f"/{path.relative_to(self.debian)}"

    def bring(self, path: Path, name: str = "") -> str:
        """Copy a file or folder in; returns its path as Blender knows it."""
        target = self.room / (name or path.name)
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, target)
        return self.inside(target)

    @property
    def log(self) -> str:
        """What Blender wrote."""
        return (self.room / "blender.log").read_text(errors="replace")

    def do(self, code: str, timeout: float = 60) -> Any:
        """Run code on Blender's main thread; returns what it assigned to ``result``."""
        letter = self.mailbox / f"{next(self._letters):06}.py"
        part = letter.with_suffix(".new")
        part.write_text(code)
        part.rename(letter)
        reply = letter.with_suffix(".json")
        end = time.monotonic() + timeout
        while not reply.exists():
            assert self.blender is not None
            if "X Error of failed request" in self.log[self._seen :]:
                raise ScreenLostError(f"Blender lost its screen:\n{self.log[-3000:]}")
            code_of = self.blender.poll()
            assert code_of is None, f"Blender ended with {code_of}:\n{self.log[-3000:]}"
            assert time.monotonic() < end, f"Blender was silent for {timeout} s:\n{self.log[-3000:]}"
            time.sleep(0.02)
        said = json.loads(reply.read_text())
        assert "error" not in said, said["error"]
        return said["result"]

    def ask(self, expression: str, timeout: float = 60) -> Any:
        """The value of an expression inside Blender."""
        return self.do(f"result = {expression}", timeout)

    def wait(self, expression: str, timeout: float = 60, every: float = 0.2) -> Any:
        """Wait until an expression inside Blender is true; returns it."""
        return until(lambda: self.ask(expression), timeout, every, expression)

    def xdotool(self, *arguments: object) -> None:
        """Use the mouse or the keys."""
        subprocess.run([*self._chroot(), "xdotool", *map(str, arguments)], check=True, capture_output=True)

    def point(self, x: float, y: float) -> None:
        """Move the mouse to a pixel of the screen."""
        self.xdotool("mousemove", round(x), round(y))

    def click(self, x: float, y: float, button: int = 1) -> None:
        """Move there, wait for Blender to notice, click."""
        self.point(x, y)
        time.sleep(0.3)
        self.xdotool("click", button)
        time.sleep(0.3)

    def drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Press, move in steps, release; slowly, since the machine may be busy."""
        self.point(x, y)
        time.sleep(0.4)
        self.xdotool("mousedown", 1)
        time.sleep(0.2)
        for step in range(1, 13):
            self.point(x + (to_x - x) * step / 12, y + (to_y - y) * step / 12)
            time.sleep(0.08)
        time.sleep(0.5)
        self.xdotool("mouseup", 1)
        time.sleep(0.4)

    def drop(self, paths: list[str], x: float, y: float) -> None:
        """Drag files, as Blender knows them, from another program onto a pixel of the screen."""
        source = self.bring(HERE / "drag_source.tcl", f"drag_source_{next(self._letters)}.tcl")
        process = self._run(["wish", source, "40", "40", *paths], stdout=self._log)
        try:
            self.xdotool("search", "--sync", "--onlyvisible", "--name", "^Files$")
            time.sleep(0.5)
            self.drag(100, 60, x, y)
            time.sleep(0.5)
        finally:
            with_group(process, signal.SIGTERM)
            process.wait()

    def key(self, name: str) -> None:
        """Press a key, such as ``ctrl+z`` or ``Escape``."""
        self.xdotool("key", name)
        time.sleep(0.3)

    def picture(self, path: Path) -> Path:
        """The screen as a PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = self.room / "shot.png"
        subprocess.run(
            [*self._chroot(), "import", "-window", "root", self.inside(shot)], check=True, capture_output=True
        )
        shutil.move(shot, path)
        return path


def with_group(process: subprocess.Popen[str], what: signal.Signals) -> None:
    """Signal a process and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, what)


def until(call: Callable[[], Any], timeout: float, every: float = 0.2, what: str = "") -> Any:
    """Call until it returns something true; returns that."""
    end = time.monotonic() + timeout
    while True:
        value = call()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s: {what or call}"
        time.sleep(every)
