"""Weights put in place, verified and removed while jobs go on: one thing at a time with each entry."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from starlette.concurrency import run_in_threadpool

from likeness.errors import WeightsError
from likeness.service.channel import Message
from likeness.service.errand import Errand
from likeness.service.jobs import ENDED, now
from likeness.service.refusal import Refused
from likeness.service.schema import Problem, State, WeightsFrom, WeightTask
from likeness.service.workshop import Failure, Stopped, Workshop
from likeness.weights import catalog, leftovers
from likeness.weights.catalog import Entry

__all__ = ["Installs", "entry_called"]

AT_ONCE = 2
"""Entries that are worked on at the same time; the others wait."""
LOOK = 4.0
"""Seconds for the worker to tell what can be used now."""

Action = Literal["install", "verify", "remove"]

log = logging.getLogger(__name__)


def entry_called(name: str) -> Entry:
    """The entry of that name; raises Refused where there is none."""
    try:
        return catalog.entry(name)
    except WeightsError as error:
        raise Refused(404, "no_such_weights", str(error)) from None


class Installs:
    """Lives on the event loop; all methods are called there."""

    def __init__(self, store: Path, workshop: Workshop) -> None:
        """``store`` is the folder of the weights; the workshop's catalogue is renewed when something has changed."""
        self._store, self._workshop = store, workshop
        self._tasks: dict[str, WeightTask] = {}
        self._errands: dict[str, Errand] = {}
        self._arriving: set[str] = set()
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._closing = False

    def last(self, name: str) -> WeightTask | None:
        """What is being done with an entry, or was done last, since the server started."""
        return self._tasks.get(name)

    @contextmanager
    def arriving(self, entry: Entry) -> Iterator[None]:
        """Keep others from an entry while its files come in. Raises Refused where somebody is busy with it."""
        self._check(entry)
        self._arriving.add(entry.name)
        try:
            yield
        finally:
            self._arriving.discard(entry.name)

    def begin(
        self, entry: Entry, action: Action, source: WeightsFrom | None = None, brought: Path | None = None
    ) -> WeightTask:
        """Do something with an entry; raises Refused where somebody is busy with it.

        Args:
            entry: of the catalogue.
            action: what.
            source: of an install.
            brought: folder that is removed at the end, with the uploaded files in it.
        """
        self._check(entry)
        task = self._tasks[entry.name] = WeightTask(name=entry.name, action=action, started=now(), message="Waiting")
        errand = self._errands[entry.name] = Errand("likeness.service.installer")
        request = {"do": action, "name": entry.name, **(source or WeightsFrom()).model_dump()}
        self._runs[entry.name] = asyncio.create_task(self._run(entry, task, errand, request, brought))
        return task

    def cancel(self, entry: Entry) -> WeightTask:
        """Have it stop; what was fetched is kept for the next install. Raises Refused where nothing was begun."""
        task = self._tasks.get(entry.name)
        if task is None:
            raise Refused(404, "no_task", f"Nothing is being done with {entry.title}.")
        if task.state == "queued":
            self._runs[entry.name].cancel()
        elif task.state == "running":
            task.message = "Stopping"
            self._errands[entry.name].stop()
        return task

    async def close(self) -> None:
        """End everything at once; the store holds nothing half-made."""
        self._closing = True
        for run in self._runs.values():
            run.cancel()
        await asyncio.gather(*self._runs.values(), return_exceptions=True)

    def _check(self, entry: Entry) -> None:
        if self._closing:
            raise Refused(503, "stopping", "The service is being stopped; start it again.", retry_after=5)
        task = self._tasks.get(entry.name)
        if entry.name in self._arriving or (task is not None and task.state not in ENDED):
            sentence = f"Something is being done with {entry.title} already; wait for it or cancel it."
            raise Refused(409, "busy", sentence)

    async def _run(
        self, entry: Entry, task: WeightTask, errand: Errand, request: Message, brought: Path | None
    ) -> None:
        def heard(message: Message) -> None:
            if message["stage"] == "note":
                task.notes.append(message["message"])
                return
            task.fraction, task.bytes_done, task.bytes_total = message["fraction"], message["done"], message["total"]
            task.message = message["message"]

        try:
            async with self._room:
                task.state = "running"
                answer = await errand.run(request, heard)
            task.wrong = answer.get("wrong", [])
            if task.action != "verify" and self._workshop.device:
                await self._look_again()
            _end(task, "done", _told(entry, task, answer))
        except (Stopped, asyncio.CancelledError):
            _end(task, "cancelled", "Cancelled")
        except Failure as failure:
            _end(task, "failed", failure.message, Problem(code=failure.code, message=failure.message))
        except Exception as error:
            log.exception("%s of %s went wrong", task.action, entry.name)
            sentence = f"The service failed ({type(error).__name__}); its log says more, please report it."
            _end(task, "failed", sentence, Problem(code="internal", message=sentence))
        finally:
            del self._errands[entry.name]
            if brought is not None:
                await run_in_threadpool(shutil.rmtree, brought, ignore_errors=True)
            await run_in_threadpool(leftovers.sweep, self._store)

    async def _look_again(self) -> None:
        """Methods and heads may be ready now that were not."""
        with suppress(TimeoutError):
            await self._workshop.look(LOOK)


def _end(task: WeightTask, state: State, message: str, error: Problem | None = None) -> None:
    task.state, task.message, task.error, task.finished = state, message, error, now()
    if state == "done":
        task.fraction = 1.0


def _told(entry: Entry, task: WeightTask, answer: Message) -> str:
    if task.action == "remove":
        return f"{entry.title} was removed" if answer["removed"] else f"{entry.title} was not installed"
    if task.action == "verify":
        return f"{entry.title} is damaged; install it again" if task.wrong else f"{entry.title} is as it was installed"
    return f"{entry.title} is installed"
