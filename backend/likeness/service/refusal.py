"""A request that is refused: the HTTP status, a word for programs and a sentence for people."""

from __future__ import annotations

__all__ = ["Refused", "no_space"]


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """Raised anywhere beneath a route; the answer is ``{"error": {"code": …, "message": …}}``."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        """``message`` is one sentence that says what to do; ``retry_after`` is in seconds."""
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}


def no_space() -> Refused:
    """Whatever cannot be written for want of space."""
    return Refused(507, "no_space", "The service's disk is full; free some space there and try again.")
