# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an interpreter what it is, before anything is built on it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .commands import Commands
from .environment import SetUpError
from .process import clean_environment

__all__ = ["Python", "ask"]

_QUESTION = """
import importlib.util, json, sys
parts = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
print("LIKENESS", json.dumps([list(sys.version_info[:3]), sys.base_prefix, parts]))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter: its version, its own folder, and the modules it lacks to make an environment."""

    path: str
    version: tuple[int, int, int]
    prefix: str
    lacks: tuple[str, ...]

    @property
    def release(self) -> str:
        """As "3.13"."""
        return f"{self.version[0]}.{self.version[1]}"


def ask(python: str, commands: Commands) -> Python:
    """What ``python`` is. Raises SetUpError where it is no Python, CancelledError."""
    said: list[str] = []
    try:
        commands.run([python, "-I", "-c", _QUESTION], said.append, clean_environment())
        answer = next(line.removeprefix("LIKENESS ") for line in said if line.startswith("LIKENESS "))
        version, prefix, lacks = json.loads(answer)
    except (OSError, StopIteration, ValueError) as error:
        raise SetUpError(f"{python} is no Python that can be used; choose another one in the preferences.") from error
    return Python(python, (version[0], version[1], version[2]), prefix, tuple(lacks))
