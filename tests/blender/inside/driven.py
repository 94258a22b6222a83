"""The add-on as a test drives it: its modules, its session, and what Blender's timers would do meanwhile."""

import importlib
import time
from collections.abc import Callable
from typing import Any

from measure import EXTENSION


def part(name: str) -> Any:
    """A module of the add-on, such as ``ui.session``."""
    return importlib.import_module(f"{EXTENSION}.{name}")


def ui(name: str) -> Any:
    """A module of the add-on's ``ui``."""
    return part(f"ui.{name}")


def now() -> Any:
    """The add-on's session."""
    return ui("session").session()


def until(call: Callable[[], Any], seconds: float = 60) -> Any:
    """What Blender's timers would do, until something is true."""
    end = time.monotonic() + seconds
    while not (value := call()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
        now().drain()
    return value
