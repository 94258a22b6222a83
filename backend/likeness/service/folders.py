"""Where the service's files lie. Every name in here is ours; what clients call things never becomes a path."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

__all__ = ["Folders", "write_private"]


class Folders:
    """The folder ``HOME/service``."""

    def __init__(self, home: Path) -> None:
        """Make what is missing, readable by its owner alone."""
        self.root = home / "service"
        self.jobs = self.root / "jobs"
        self.incoming = self.root / "incoming"
        home.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.jobs, self.incoming):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.index = self.root / "jobs.sqlite3"
        self.lock = self.root / "lock"
        self.server = self.root / "server.json"
        self.log = self.root / "service.log"

    def job(self, job: str) -> Path:
        """A job's folder."""
        return self.jobs / job

    def avatar(self, job: str) -> Path:
        """A job's package; renamed into place, so it is whole where it exists."""
        return self.jobs / job / "avatar.zip"

    def about(self, job: str) -> Path:
        """What is known of the package; there before it."""
        return self.jobs / job / "about.json"

    def file_name(self, job: str) -> str:
        """The name of a job's avatar, fit for every system's files."""
        try:
            return str(json.loads(self.about(job).read_text(encoding="utf-8"))["name"])
        except (OSError, ValueError, KeyError):
            return "head"

    def preview(self, job: str) -> Path:
        """A job's picture for the list."""
        return self.jobs / job / "preview.png"

    def drop_photos(self, job: str) -> None:
        """Forget the photos of a job that has ended; its avatar holds what it needs of them."""
        _remove(self.jobs / job / "photos")

    def drop(self, job: str) -> None:
        """Forget a job's files."""
        _remove(self.jobs / job)

    def tidy(self, known: set[str]) -> None:
        """At the start: remove uploads that were never finished, all other jobs' folders, and parts of files."""
        for folder in [*self.incoming.iterdir(), *(f for f in self.jobs.iterdir() if f.name not in known)]:
            _remove(folder)
        for part in self.jobs.glob("*/.*.part"):
            with suppress(OSError):
                part.unlink()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, beside it and renamed."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with suppress(FileNotFoundError):
        aside.unlink()
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
