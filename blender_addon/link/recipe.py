# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a set-up, each ready to be done again after a break."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .builds import NOTHING, Size
from .commands import Commands
from .environment import Environment, Plan, SetUpError
from .growth import Growth
from .pip_talk import PipTalk
from .process import clean_environment

__all__ = ["Recipe", "Report"]

MODELS = ("landmarks", "anny")
"""What `likeness weights install` puts in place for a first photo."""

FETCH = 0.6
"""Share of the time that fetching takes; the rest is unpacking."""

_TRIAL = "import torch, likeness.pipeline; print('LIKENESS', torch.__version__, torch.cuda.is_available())"


class Report(Protocol):
    """Hears how it goes."""

    def within(self, fraction: float, message: str) -> None:
        """How much of the step is done, and what it does."""

    def say(self, line: str) -> None:
        """A line for the log."""


@dataclass
class Recipe:
    """Steps in an environment. Each raises SetUpError, CancelledError or OSError, and can be taken again then.

    Attributes:
        environment: where the packages go.
        constraints: the pinned versions.
        commands: runs what is to be run.
        report: hears how it goes.
    """

    environment: Environment
    constraints: Path
    commands: Commands
    report: Report

    def make(self, python: str, plan: Plan) -> None:
        """A new, empty environment with a recent pip, which tells its progress and takes up broken downloads."""
        try:
            self.environment.discard()
        except OSError as error:
            raise SetUpError(f"{self.environment.venv} is in use: stop the backend and try again.") from error
        said: list[str] = []
        if self._run([python, "-I", "-m", "venv", str(self.environment.venv)], said):
            raise SetUpError(f"{python} could not make an environment ({_last(said)}): choose another Python.")
        self.pip("pip")
        self.environment.made(plan)

    def pip(self, *arguments: str, size: Size = NOTHING) -> None:
        """``pip install`` with the user's own index and proxy; ``size`` is what is to come, for the progress."""

        def tell(talk: PipTalk) -> None:
            if talk.changed:
                growth.begin()
            fetched = min(talk.fetched / max(size.fetched, 1), 1.0)
            self.report.within(FETCH if talk.changed else FETCH * fetched, talk.message)

        def hear(line: str) -> None:
            if talk.hear(line):
                self.report.say(line)

        talk = PipTalk(tell)
        growth = Growth(
            self.environment.venv,
            size.installed,
            lambda share: self.report.within(FETCH + (1 - FETCH) * share, talk.message),
        )
        command = [str(self.environment.python), "-I", "-m", "pip", "install", "--no-input"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--constraint", str(self.constraints)]
        command += ["--no-compile"]  # of 11,000 modules Python compiles, when they are imported, the few that are used
        if size.fetched:  # the pip that an old Python brings does not know it
            command += ["--progress-bar", "raw"]
        code = 1
        self.environment.begin()
        try:
            with growth:
                code = self.commands.run([*command, *arguments], hear, self._surroundings())
        finally:
            if code == 0 or not talk.changed:
                self.environment.settle(talk.changed)
        if code:
            raise SetUpError(talk.why())

    def trial(self, device: str) -> str:
        """Start PyTorch and the backend once. Returns a sentence about them."""
        said: list[str] = []
        code = self._run([str(self.environment.python), "-I", "-c", _TRIAL], said)
        found = next((line.split() for line in said if line.startswith("LIKENESS ")), None)
        if code or found is None:
            advice = "look at the log"
            if re.search(r"WinError (126|127|1114)|DLL load failed", "\n".join(said)):
                advice = "install Microsoft's Visual C++ Redistributable (x64), and try again"
            raise SetUpError(f"PyTorch was installed but does not start ({_last(said)}): {advice}.")
        if device == "cuda" and found[2] != "True":
            return "The backend is set up, but PyTorch finds no NVIDIA GPU with a recent driver and will use the CPU."
        return f"The backend is set up, with PyTorch {found[1]}."

    def models(self, home: Path | None) -> None:
        """The face networks and the head, so that the first photo need not wait for them."""
        place = {} if home is None else {"LIKENESS_HOME": str(home)}
        for step, name in enumerate(MODELS):
            said: list[str] = []
            self.report.within(step / len(MODELS), f"Installing {name}")
            command = [str(self.environment.python), "-I", "-X", "utf8", "-m", "likeness.cli"]
            if self._run([*command, "weights", "install", name], said, **place):
                raise SetUpError(_last(said).removeprefix("likeness: ") + ".")

    def _run(self, command: list[str], said: list[str], **more: str) -> int:
        def hear(line: str) -> None:
            said.append(line)
            self.report.say(line)

        return self.commands.run(command, hear, clean_environment(**more))

    def _surroundings(self) -> dict[str, str]:
        """The user's settings for pip hold, but for where it installs; what it fetches lies on the same disk."""
        room = self.environment.downloads / "tmp"
        room.mkdir(parents=True, exist_ok=True)
        here = dict.fromkeys(("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"), "") | {"PIP_USER": "0"}
        here |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(room))
        if "PIP_CACHE_DIR" not in os.environ:
            here["PIP_CACHE_DIR"] = str(self.environment.downloads / "cache")
        return clean_environment(**here)


def _last(said: list[str]) -> str:
    """The last line that says something."""
    return next((line.strip().rstrip(".") for line in reversed(said) if line.strip()), "no reason given")
