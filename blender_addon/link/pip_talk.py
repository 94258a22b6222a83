# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip says, for people: how much is fetched, and why it failed."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["PipTalk"]

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)$")
_FETCHING = re.compile(r"\s*(?:Downloading|Using cached) (?:\S*/)?([A-Za-z0-9_.]+)-\d\S*(?: \((.+)\))?$")
_FROM_DISK = re.compile(r"Processing \S*[/\\]([A-Za-z0-9_.]+)-\d")
_INSTALLING = "Installing collected packages"

_REASONS = (
    (r"No space left on device|Errno 28\b|WinError 112\b", "The disk is full; free some space and try again."),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "The package index's certificate is not trusted here; set pip's option cert, or ask who keeps your network.",
    ),
    (
        r"connection broken by|Failed to establish|name resolution|ProxyError|Read timed out|ConnectionError|"
        r"IncompleteRead|Network is unreachable",
        "The package index cannot be reached; check the network, and the proxy if you need one, and try again.",
    ),
    (r"HTTP error 40[137]|401 Error|403 Error|407 ", "The package index refuses access; check pip's settings for it."),
    (
        r"No matching distribution found for (?P<what>[A-Za-z0-9_.-]+)",
        "The package index has no {what} that fits this computer and this Python; choose another Python or device.",
    ),
    (
        r"The user requested \(constraint\) (?P<what>[A-Za-z0-9_.-]+==\S+)",
        "The package index has no {what} for this computer and this Python, or pip's own settings rule it out; "
        "choose another Python or device.",
    ),
    (
        r"Permission denied|Access is denied|WinError 5\b|WinError 32\b",
        "A file of the backend is in use or may not be written; stop the backend and try again.",
    ),
)
"""From the most certain sign to the least, each looked for in everything that was said."""


class PipTalk:
    """Listens to one run of pip (with --progress-bar raw).

    Attributes:
        changed: whether it has begun to change the environment.
        fetched: bytes fetched so far.
        message: what it does, for people.
    """

    def __init__(self, tell: Callable[[PipTalk], None]) -> None:
        """``tell`` is called after each line that says something new."""
        self.changed, self.fetched, self.message = False, 0, ""
        self._tell, self._said, self._before, self._name = tell, [""], 0, ""

    def hear(self, line: str) -> bool:
        """Take in a line. Returns whether it is worth a line of the log."""
        progress = _PROGRESS.match(line)
        if progress:
            done, total = int(progress[1]), int(progress[2])
            self.fetched = self._before + done
            self._before += total if done >= total else 0
            self.message = f"Fetching {self._name}, {done / 1e6:.0f} of {total / 1e6:.0f} MB"
        else:
            self._said.append(line)
            if line.startswith(_INSTALLING):
                names = line.partition(":")[2].split(",")
                what = names[0].strip() if len(names) == 1 else f"{len(names)} packages"
                self.changed, self.message = True, f"Installing {what}"
            elif found := _FETCHING.match(line) or _FROM_DISK.match(line):
                self._name = found[1].replace("_", "-")
                self.message = f"Fetching {self._name}"
        self._tell(self)
        return progress is None

    def why(self) -> str:
        """Why it failed, a sentence that says what to do."""
        said = "\n".join(self._said)
        for pattern, sentence in _REASONS:
            if found := re.search(pattern, said):
                return sentence.format(**found.groupdict())
        errors = [line for line in self._said if line.startswith("ERROR")]
        last = (errors or [line for line in self._said if line.strip()] or ["no reason given"])[-1]
        return f"pip failed ({last.removeprefix('ERROR:').strip()[:300]}); the log says more."
