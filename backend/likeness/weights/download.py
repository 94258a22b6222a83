"""Downloads that can be interrupted: continued where they stopped, checked, and never left under their final name.

Over `requests`: maintained, small, installed anyway, and with the proxies and certificates of the user's environment.
Of the libraries for this very purpose, pooch cannot continue a download and huggingface_hub serves one host.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests

from likeness.errors import WeightsError
from likeness.progress import Progress, Received, unheard

__all__ = ["download", "is_url"]

TRIES = 4
WAIT = 1.0
"""Seconds before the second try; doubled for each more."""
MOST_BYTES = 8 << 30

_PIECE = 1 << 16
_AGAIN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def is_url(text: str) -> bool:
    """Whether a text is an address rather than a path."""
    return text.lower().startswith(("http://", "https://"))


def download(
    url: str, target: Path, progress: Progress, label: str, size: int = 0, received: Received = unheard
) -> None:
    """Fetch an address into a file.

    What has arrived stays in `target` with `.part` at its end, beside a note of which version of the file it is, and
    is continued by the next call, in this process or another. `progress` may raise to stop.

    Args:
        url: http(s).
        target: its folder must exist.
        label: what it is, for people.
        size: bytes expected, 0 where unknown.
        received: is told how many bytes have arrived.

    Raises:
        WeightsError: no network, the server refuses, answers with a web page, or sends something else than it said.
    """
    part, note = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")
    for attempt in range(TRIES):
        try:
            _attempt(url, part, note, progress, label, size, received)
            break
        except _AGAIN as error:
            if attempt == TRIES - 1:
                raise WeightsError(
                    f"{label} could not be fetched from {_host(url)} ({_reason(error)}); check the network and try "
                    "again: it goes on where it stopped."
                ) from error
            progress("weights", 0.0, f"The connection to {_host(url)} broke; trying again")
            time.sleep(WAIT * 2**attempt)
    part.replace(target)
    note.unlink(missing_ok=True)


def _attempt(url: str, part: Path, note: Path, progress: Progress, label: str, size: int, received: Received) -> None:
    have, mark = _resumable(url, part, note)
    headers = {"Accept-Encoding": "identity", "User-Agent": "likeness"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark}
    with requests.get(url, headers=headers, stream=True, timeout=(15, 60)) as reply:
        if have and reply.status_code == 416:
            part.unlink()
            raise requests.ConnectionError("the server has another version now")
        if not reply.ok:
            raise WeightsError(
                f"{_host(url)} answered {reply.status_code} {reply.reason} for {label}; get the file from its authors' "
                "page and give it with --from."
            )
        if "text/html" in reply.headers.get("Content-Type", ""):
            raise WeightsError(
                f"{_host(url)} answered with a web page instead of {label}; open {url} in a browser, download the file "
                "there and give it with --from."
            )
        if reply.status_code != 206 or not reply.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0
        length = reply.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else size
        _room(part.parent, total - have, label)
        _note(note, url, reply, have)
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            done = have
            for piece in reply.iter_content(_PIECE):
                done += len(piece)
                if done > (total or MOST_BYTES):
                    raise WeightsError(f"{_host(url)} sends more of {label} than it said; it was refused.")
                file.write(piece)
                received(done, total)
                progress("weights", done / total if total else 0.0, f"Fetching {label}: {_megabytes(done, total)}")
        if total and done < total:
            raise requests.ConnectionError("the connection ended early")
    if size and done != size:
        part.unlink()
        raise WeightsError(f"{label} should have {size} bytes and {_host(url)} sent {done}; give the file with --from.")


def _resumable(url: str, part: Path, note: Path) -> tuple[int, str]:
    """How much is there already, and the version it belongs to."""
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        if said["url"] == url and said["mark"]:
            return part.stat().st_size, str(said["mark"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _note(note: Path, url: str, reply: requests.Response, have: int) -> None:
    if have:
        return
    mark = reply.headers.get("ETag", "")
    if not mark or mark.startswith("W/"):
        mark = reply.headers.get("Last-Modified", "")
    note.write_text(json.dumps({"url": url, "mark": mark}), encoding="utf-8")


def _room(folder: Path, wanted: int, label: str) -> None:
    free = shutil.disk_usage(folder).free
    if wanted * 1.05 > free:
        raise WeightsError(
            f"{label} takes {_megabytes(wanted, 0)} and {folder} has {_megabytes(free, 0)} free; make room, or set "
            "LIKENESS_HOME to a folder on a bigger disk."
        )


def _megabytes(done: int, total: int) -> str:
    places = 0 if max(done, total) > 1e7 else 1
    return f"{done / 1e6:.{places}f} of {total / 1e6:.{places}f} MB" if total else f"{done / 1e6:.{places}f} MB"


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _reason(error: Exception) -> str:
    text = str(error)
    return "it took too long" if isinstance(error, requests.Timeout) else text[:120] or type(error).__name__


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
