"""The list of methods. A method registers itself with a decorator; nothing else names one."""

from __future__ import annotations

import importlib
from functools import cache

from likeness.errors import MethodError
from likeness.methods.base import Method

__all__ = ["find_method", "list_methods", "register"]

MODULES = ("open",)
"""Modules of this package that hold methods, in the order they are shown."""

_methods: dict[str, type[Method]] = {}


def register(method: type[Method]) -> type[Method]:
    """Class decorator that lists a method under its ``name``."""
    _methods[method.name] = method
    return method


@cache
def _load() -> None:
    for module in MODULES:
        importlib.import_module(f"likeness.methods.{module}")


def list_methods() -> list[type[Method]]:
    """All methods, in the order they are shown."""
    _load()
    return list(_methods.values())


def find_method(name: str) -> type[Method]:
    """The method of that name; raises MethodError that lists the names when there is none."""
    _load()
    try:
        return _methods[name]
    except KeyError:
        raise MethodError(f"There is no method {name!r}; choose one of: {', '.join(_methods)}.") from None
