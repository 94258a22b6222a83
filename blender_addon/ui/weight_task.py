# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights being installed, checked or removed, as the main thread sees it: begun, watched, ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .words import size

if TYPE_CHECKING:
    from ..link.client import Client
    from ..link.work import JobWatch
    from .connection import Choice, Host

__all__ = ["WeightTask", "fetch", "give"]

Begin = Callable[["Client", str, Callable[[float], None]], dict[str, Any]]
"""Asks the server to begin with the entry of that name; hears the fraction that was sent."""


def fetch(accept_licence: bool) -> Begin:
    """Begin by fetching an entry from its authors."""
    return lambda client, name, _: client.install_weights(name, accept_licence)


def give(files: list[Path]) -> Begin:
    """Begin by giving files, which are sent where the server does not see them."""
    return lambda client, name, sent: client.give_weights(name, files, sent)


class WeightTask:
    """Goes from "sending" through "working" to "done", "failed" or "cancelled". Never blocks.

    Attributes:
        name: of the entry.
        action: "install", "verify" or "remove".
        state: as above.
        text: what is happening or came of it, for people.
        fraction: of the step that the text tells of, 0 to 1.
        error: why it failed, a sentence.
        notes: what the backend remarks.
        wrong: what checking found.
    """

    def __init__(self, session: Host, choice: Choice, name: str, action: str, begin: Begin) -> None:
        """Begin at once, with the backend that ``choice`` names."""
        self.name, self.action = name, action
        self.state, self.text, self.fraction, self.error = "sending", "Asking the backend", 0.0, ""
        self.notes: list[str] = []
        self.wrong: list[str] = []
        self._session, self._choice, self._begin = session, choice, begin
        self._watch: JobWatch | None = None
        self._stop = False
        self._sent = 0.0
        session.call(self._ask, then=self._begun, failed=self._fail)

    @property
    def going(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("sending", "working")

    @property
    def cancelling(self) -> bool:
        """Whether it was cancelled and has not stopped yet."""
        return self._stop and self.going

    def cancel(self) -> None:
        """Stop soon; what was fetched is kept."""
        if not self.going or self._stop:
            return
        self._stop, self.text = True, "Cancelling"
        if self.state == "working":
            self._session.call(self._cancel, failed=self._fail)

    def abandon(self) -> None:
        """Forget it without a word: Blender or the add-on ends. The backend goes on while it runs."""
        self._stop = True
        self._end("cancelled")

    def step(self) -> None:
        """Look at what the threads found out."""
        if self.state == "sending" and not self._stop and self._sent:
            self.fraction, self.text = self._sent, "Sending the files"
        elif self.state == "working" and self._watch:
            if self._watch.lost:
                self._fail(self._watch.lost)
            elif self._watch.job:
                self._heed(self._watch.job)

    def _client(self) -> Client:
        return self._session.backend.client(self._choice)

    def _ask(self) -> dict[str, Any] | None:
        def sent(fraction: float) -> None:
            self._sent = fraction
            if self._stop:
                raise _StopError

        client = self._client()
        try:
            return None if self._stop else self._begin(client, self.name, sent)
        except _StopError:
            return None

    def _begun(self, task: dict[str, Any] | None) -> None:
        from ..link.work import JobWatch

        if task is None:
            self._end("cancelled")
            return
        self.state = "working"
        self._watch = JobWatch(self._client, self.name, _ask_again)
        if self._stop:
            self._session.call(self._cancel, failed=self._fail)

    def _cancel(self) -> None:
        self._client().cancel_weights(self.name)

    def _heed(self, task: dict[str, Any]) -> None:
        self.fraction = float(task.get("fraction") or 0.0)
        self.notes, self.wrong = list(task.get("notes") or []), list(task.get("wrong") or [])
        if not self._stop:
            self.text = str(task.get("message") or "")
        if task["state"] in ("done", "cancelled"):
            self.text = str(task.get("message") or "")
            self._end(task["state"])
        elif task["state"] == "failed":
            error = task.get("error") or {}
            self._fail(str(error.get("message") or "It failed; the log says more."))

    def _fail(self, why: str) -> None:
        if self.going:
            self.error = "" if self._stop else why
            self._end("cancelled" if self._stop else "failed")

    def _end(self, state: str) -> None:
        self.state = state
        if self._watch:
            self._watch.stop()
            self._watch = None


def _ask_again(client: Client, name: str) -> dict[str, Any]:
    from ..link.client import ServiceError

    try:
        return client.weight_task(name)
    except ServiceError as error:
        if error.code != "no_task":
            raise
        sentence = "The backend ended meanwhile; try again: a download goes on where it stopped."
        raise ServiceError(sentence, "no_task") from error


def described(entry: dict[str, Any]) -> str:
    """How much is fetched from where, as far as that is known: "59 MB from github.com"."""
    sizes = [file.get("size") for file in entry.get("files") or [] if not file.get("optional")]
    amount = size(sum(sizes)) if sizes and all(sizes) else ""
    hosts = ", ".join(entry.get("hosts") or []) or "the package index"
    return f"{amount} from {hosts}".strip()


class _StopError(Exception):
    """Sending was cancelled."""
