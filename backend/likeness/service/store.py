"""The list of jobs on disk: one row a job, committed before anybody is told."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from likeness.errors import OutputError
from likeness.service.schema import Job

__all__ = ["Store"]

VERSION = 1


class Store:
    """A sqlite3 file with the jobs in the order they came."""

    def __init__(self, path: Path) -> None:
        """Open or make it. A damaged file is put aside, never deleted.

        Raises:
            OutputError: it cannot be opened, or a newer version of Likeness wrote it.
        """
        try:
            try:
                self._open(path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                path.replace(path.with_name(f"{path.name}.damaged-{time.time_ns()}"))
                self._open(path)
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"The list of jobs {path} cannot be opened ({error}); free some space or set LIKENESS_HOME."
            ) from error

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise OutputError(f"The list of jobs {path} is from a newer Likeness; update Likeness.")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, job TEXT)"
        )
        self._db.execute(f"PRAGMA user_version = {VERSION}")

    def all(self) -> list[Job]:
        """Every job, oldest first."""
        return [Job.model_validate_json(row) for (row,) in self._db.execute("SELECT job FROM jobs ORDER BY number")]

    def put(self, job: Job) -> None:
        """Add a job or replace it."""
        self._db.execute(
            "INSERT INTO jobs (id, job) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET job = excluded.job",
            (job.id, job.model_dump_json()),
        )

    def drop(self, job: str) -> None:
        """Forget a job."""
        self._db.execute("DELETE FROM jobs WHERE id = ?", (job,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
