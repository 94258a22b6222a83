"""The catalogue: which weights and head models exist, whose they are, where they are had, how they are checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

from likeness.errors import WeightsError
from likeness.licences import is_permissive, strictest_first
from likeness.weights.wheel import Wheel

__all__ = ["Entry", "Licence", "SourceFile", "entry", "load"]

Obtain = Literal["download", "sign-up", "package"]


@dataclass(frozen=True)
class Licence:
    """SPDX expressions, or a few words, of what comes with an entry; empty where there is no such part."""

    code: str = ""
    weights: str = ""
    model: str = ""

    def parts(self) -> list[str]:
        """The non-empty ones, in the order code, weights, model."""
        return [text for text in (self.code, self.weights, self.model) if text]


@dataclass(frozen=True)
class SourceFile:
    """One official file of an entry.

    Attributes:
        id: first part of the names of its tensors once converted.
        name: as its authors call it.
        also: other names it goes by (case does not matter; `*` stands for anything).
        format: which reader takes it, a key of `likeness.weights.convert.FORMATS`.
        url: where it can be had directly, or "".
        sha256, git: the SHA-256, and the id git gives it as a blob, or "": a download must match, of a user's own
            file a difference is noted.
        size: bytes, 0 where unknown.
        optional: the entry is complete without it.
        any_of: name of a group of which one file is enough, or "".
        keep: beginnings of tensor names to keep; empty for all.
        drop: patterns of tensor names to leave out.
        strip: beginnings to take off the names (`module.`).
        expect: shapes by tensor name; -1 fits any length.
        note: a sentence for people.
    """

    id: str
    name: str
    format: str
    also: tuple[str, ...] = ()
    url: str = ""
    sha256: str = ""
    git: str = ""
    size: int = 0
    optional: bool = False
    any_of: str = ""
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    expect: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """What can be installed under one name.

    Attributes:
        name, title: for the command line, for people.
        kind: "head model", "weights" or "data".
        edition: which release of the model or weights.
        used_by: methods and heads that want it.
        licence: of code, weights and model.
        url: the authors' page.
        archive: where an archive of the files can be had directly, or "".
        wheel: the wheel of the package index that holds the files, or None.
        obtain: "download" by this program, "sign-up" by the user, "package" from the Python package index.
        how: a sentence: how to get the files.
        check: a sentence: how one sees that they work.
        marks: paths under `store.home()`, one of which exists where an entry without own files is installed.
        leftovers: more paths to delete with those.
        files: the official files.
    """

    name: str
    title: str
    kind: str
    edition: str
    used_by: tuple[str, ...]
    licence: Licence
    url: str
    archive: str
    obtain: Obtain
    how: str
    check: str
    marks: tuple[str, ...]
    leftovers: tuple[str, ...]
    files: tuple[SourceFile, ...]
    wheel: Wheel | None = None

    @property
    def strictest(self) -> str:
        """The licence that counts."""
        return strictest_first(self.licence.parts())[0]

    @property
    def fetchable(self) -> bool:
        """Whether this program can fetch it; else the user gets its files and gives them."""
        if self.obtain == "package" or self.archive:
            return True
        return any(f.url for f in self.files) and all(f.url or f.optional or f.any_of for f in self.files)

    @property
    def hosts(self) -> list[str]:
        """The servers that it is fetched from, each once."""
        addresses = [self.archive] if self.archive else [file.url for file in self.files]
        return list(dict.fromkeys(host for address in addresses if (host := urlsplit(address).hostname)))

    @property
    def consent(self) -> bool:
        """Whether its terms must be agreed to before it is fetched: they are not those of free software."""
        return not is_permissive(self.strictest)


@cache
def load() -> dict[str, Entry]:
    """All entries by name, in the order they are shown."""
    text = (files("likeness.weights") / "catalog.toml").read_text(encoding="utf-8")
    return {name: _entry(name, table) for name, table in tomllib.loads(text).items()}


def entry(name: str) -> Entry:
    """One entry; raises WeightsError that lists the names when there is none."""
    try:
        return load()[name]
    except KeyError:
        raise WeightsError(f'There are no weights called "{name}"; choose one of: {", ".join(load())}.') from None


def _entry(name: str, table: Mapping[str, Any]) -> Entry:
    return Entry(
        name=name,
        title=table["title"],
        kind=table["kind"],
        edition=table.get("edition", ""),
        used_by=tuple(table.get("used_by", ())),
        licence=Licence(**table["licence"]),
        url=table["url"],
        archive=table.get("archive", ""),
        obtain=table["obtain"],
        how=table["how"],
        check=table["check"],
        marks=tuple(table.get("marks", ())),
        leftovers=tuple(table.get("leftovers", ())),
        files=tuple(_file(f) for f in table.get("files", ())),
        wheel=Wheel(**table["wheel"]) if "wheel" in table else None,
    )


def _file(table: Mapping[str, Any]) -> SourceFile:
    fields: dict[str, Any] = dict(table)
    for key in ("also", "keep", "drop", "strip"):
        fields[key] = tuple(table.get(key, ()))
    fields["expect"] = {name: tuple(shape) for name, shape in table.get("expect", {}).items()}
    return SourceFile(**fields)
