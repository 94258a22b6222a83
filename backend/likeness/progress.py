"""How a long job tells where it stands, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Cancelled", "Progress", "Received", "quiet", "unheard"]

Progress = Callable[[str, float, str], None]
"""``progress(stage, fraction, message)``: stage is a short word ("faces", "fit", "maps", …), fraction
runs 0..1 within the stage, message is a sentence for people. The stage "note" is no step of the work but
something a user should know ("a.gif: only the first of its 3 frames is used"). It may raise `Cancelled`."""


Received = Callable[[int, int], None]
"""``received(done, total)``: bytes of the file that is being fetched; total is 0 where it is not known."""


class Cancelled(Exception):  # noqa: N818 - not an error
    """Raised out of a progress call to stop the job; nothing half-written stays behind."""


def quiet(stage: str, fraction: float, message: str) -> None:
    """A progress that says nothing."""


def unheard(done: int, total: int) -> None:
    """A `Received` that nobody hears."""
