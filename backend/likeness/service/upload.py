"""Photos as they come in: straight to disk, never more than the limits, under names of ours."""

from __future__ import annotations

import asyncio
import errno
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from likeness.errors import PhotoError
from likeness.photos.header import measure
from likeness.service.limits import Limits
from likeness.service.names import photo_name
from likeness.service.refusal import Refused, no_space

__all__ = ["Upload", "receive"]

SETTINGS_BYTES = 1 << 16
SLACK = 1 << 20
"""Bytes of a request beside its photos: boundaries, headers, settings."""
SPARE = 512 << 20
"""Bytes that must be free on the disk beside the photos, for the avatar."""
PATIENCE = 30.0
"""Seconds that a client may be silent in the middle of an upload."""
DRAIN = 5.0
"""Seconds for which the rest of a refused upload is read, so that the client hears why it is refused."""


@dataclass
class Upload:
    """What came in: photos as ``01``, ``02``, … in ``folder``, the names that people know them by, the settings."""

    folder: Path
    names: list[str] = field(default_factory=list)
    settings: bytes = b""

    def file(self, place: int) -> Path:
        """The photo at that place, from 0."""
        return self.folder / f"{place + 1:02d}"


@asynccontextmanager
async def receive(request: Request, incoming: Path, limits: Limits, *, settings: bool) -> AsyncIterator[Upload]:
    """The photos of a request, checked as far as that can be done without decoding them.

    The folder is removed at the end, unless it was moved away. Raises Refused.
    """
    folder = Path(await run_in_threadpool(tempfile.mkdtemp, dir=incoming))
    try:
        try:
            upload = await _read(request, folder, limits, settings)
        except Refused:
            await _drain(request)
            raise
        await run_in_threadpool(_measure, upload, limits)
        yield upload
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space() from error
        raise
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


async def _read(request: Request, folder: Path, limits: Limits, settings: bool) -> Upload:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Refused(415, "not_multipart", "Send the photos as multipart/form-data, in fields called photos.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.total_bytes + SLACK:
        raise _too_much(limits)
    if shutil.disk_usage(folder).free < SPARE + (int(length) if length.isdecimal() else 0):
        raise no_space()
    form = _Form(folder, limits, settings)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin,
                "on_header_field": form.header_field,
                "on_header_value": form.header_value,
                "on_header_end": form.header_end,
                "on_headers_finished": form.headers_finished,
                "on_part_data": form.data,
                "on_part_end": form.end,
                "on_end": form.finish,
            },
        )
        stream = request.stream()
        received = 0
        while True:
            try:
                chunk = await asyncio.wait_for(anext(stream), PATIENCE)
            except StopAsyncIteration:
                break
            received += len(chunk)
            if received > limits.total_bytes + SLACK:
                raise _too_much(limits)
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
    except TimeoutError:
        sentence = f"Nothing came for {PATIENCE:.0f} seconds in the middle of the upload; send it again."
        raise Refused(408, "upload_stalled", sentence) from None
    except ClientDisconnect:
        raise Refused(400, "upload_broken", "The upload was broken off; send it again.") from None
    except (FormParserError, ValueError) as error:
        sentence = "The form is malformed; send multipart/form-data as browsers and curl do."
        raise Refused(400, "malformed_form", sentence) from error
    finally:
        form.close()
    if not form.finished:
        raise Refused(400, "malformed_form", "The form has no end; send it again, whole.")
    if not form.upload.names:
        raise Refused(422, "no_photos", "No photo was sent; send at least one, in a field called photos.")
    return form.upload


def _too_much(limits: Limits) -> Refused:
    sentence = f"The photos are too big together; send at most {limits.total_bytes >> 20} MB."
    return Refused(413, "upload_too_large", sentence)


async def _drain(request: Request) -> None:
    """Read on for a while: who is still sending would otherwise see a broken connection instead of the reason."""
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    end = time.monotonic() + DRAIN
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(DRAIN):
            async for _ in request.stream():
                if time.monotonic() > end:
                    return


def _measure(upload: Upload, limits: Limits) -> None:
    for place, name in enumerate(upload.names):
        try:
            width, height = measure(upload.file(place), name)
        except PhotoError as error:
            raise Refused(422, "photo_unusable", " ".join(str(error).split())) from error
        if width * height > limits.pixels:
            sentence = f"{name} has {width} x {height} pixels; scale it down below {limits.pixels / 1e6:g} megapixels."
            raise Refused(413, "photo_too_large", sentence)


class _Form:
    """Takes the parser's callbacks; they come on a worker thread, one at a time."""

    def __init__(self, folder: Path, limits: Limits, settings: bool) -> None:
        self.upload = Upload(folder)
        self.finished = False
        self._limits, self._takes_settings = limits, settings
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._file: IO[bytes] | None = None
        self._size = 0

    def begin(self) -> None:
        self._headers, self._name, self._value, self._size = {}, b"", b"", 0

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        field = options.get(b"name", b"")
        if field == b"photos":
            if len(self.upload.names) >= self._limits.photos:
                raise Refused(413, "too_many_photos", f"Send at most {self._limits.photos} photos at once.")
            self.upload.names.append(photo_name(options.get(b"filename", b""), len(self.upload.names)))
            self._file = self.upload.file(len(self.upload.names) - 1).open("xb")
        elif field != b"settings" or not self._takes_settings:
            fields = "photos and settings" if self._takes_settings else "photos"
            raise Refused(422, "unknown_field", f"The form has a field that is not known; send {fields} only.")

    def data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._file is None:
            if self._size > SETTINGS_BYTES:
                raise Refused(413, "settings_too_large", "The settings are too long; send only those of the API.")
            self.upload.settings += data[start:end]
            return
        if self._size > self._limits.photo_bytes:
            sentence = (
                f"{self.upload.names[-1]} is too big; send photos of at most {self._limits.photo_bytes >> 20} MB."
            )
            raise Refused(413, "photo_too_large", sentence)
        self._file.write(data[start:end])

    def end(self) -> None:
        self.close()

    def finish(self) -> None:
        self.finished = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
