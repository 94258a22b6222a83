"""The list of methods. A method registers itself with a decorator; nothing else names one."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from likeness.errors import MethodError
from likeness.licences import strictest_first
from likeness.methods.base import Method
from likeness.weights import catalog, store
from likeness.weights.catalog import Entry

__all__ = ["describe", "find_method", "list_methods", "missing", "register", "status"]

MODULES = (
    "open",
    "deca",
    "ringnet",
    "tddfa_v2",
    "deep3d",
    "twodasl",
    "tran3dmm",
    "prnet",
    "vrn",
    "genova",
    "ganfit",
    "avatarme",
)
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
    place = {f"likeness.methods.{module}": i for i, module in enumerate(MODULES)}
    return sorted(_methods.values(), key=lambda method: place.get(method.__module__, len(place)))


def find_method(name: str) -> type[Method]:
    """The method of that name; raises MethodError that lists the names when there is none."""
    _load()
    try:
        return _methods[name]
    except KeyError:
        names = ", ".join(method.name for method in list_methods())
        raise MethodError(f"There is no method {name!r}; choose one of: {names}.") from None


def missing(method: type[Method]) -> list[str]:
    """What a method still needs, as names of the weights catalogue, the first choice where one of several will do.

    What comes with the program or is fetched by itself at first use is never missing.
    """
    choices = [need.split(" or ") for need in method.needs]
    return [names[0] for names in choices if not any(_at_hand(name) for name in names)]


def _at_hand(name: str) -> bool:
    return catalog.entry(name).obtain == "package" or store.installed(name)


def status(method: type[Method]) -> str:
    """ "ready", or one sentence: what it needs and which command tells where that is had and installs it."""
    names = missing(method)
    if not names:
        return "ready"
    first, last = names[:-1], names[-1]
    listed = f"{', '.join(first)} and {last}" if first else last
    return (
        f"needs {listed}; likeness weights info NAME tells where from, likeness weights install NAME puts it in place"
    )


def describe() -> list[dict[str, Any]]:
    """The methods as plain data: name, title, paper, year, inputs, finest, ready, status, needs, …

    "wanted" says of each need its title, licence, page, how it is had and the command that installs it.
    """
    return [_describe(method) for method in list_methods()]


def _describe(method: type[Method]) -> dict[str, Any]:
    licences = method.licences
    said = status(method)
    return {
        "name": method.name,
        "title": method.title,
        "paper": method.paper,
        "year": method.year,
        "inputs": method.inputs,
        "finest": int(getattr(method, "finest", 0)),
        "ready": said == "ready",
        "status": said,
        "needs": missing(method),
        "wanted": [_wanted(catalog.entry(name)) for name in missing(method)],
        "licences": {"code": licences.code, "weights": licences.weights, "model": licences.model},
        "strictest": strictest_first(licences.own())[0],
    }


def _wanted(entry: Entry) -> dict[str, str]:
    return {
        "name": entry.name,
        "title": entry.title,
        "licence": entry.strictest,
        "url": entry.url,
        "how": entry.how,
        "install": f"likeness weights install {entry.name}" + ("" if entry.obtain == "download" else " --from PATH"),
    }
