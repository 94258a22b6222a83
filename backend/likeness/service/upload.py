"""Photos and weights as they come in: straight to disk, never more than the limits, never outside their folder."""

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

from likeness.errors import MeshError, PhotoError
from likeness.mesh_file import look_at_mesh
from likeness.photos.header import measure
from likeness.service.limits import Limits
from likeness.service.names import file_name, photo_name
from likeness.service.refusal import Refused, no_space

__all__ = ["Upload", "receive", "receive_files", "receive_mesh"]

SETTINGS_BYTES = 1 << 16
SLACK = 1 << 20
"""Bytes of a request beside its files: boundaries, headers, settings."""
SPARE = 512 << 20
"""Bytes that must be free on the disk beside the files, for what is made of them."""
MOST_FILES = 32
"""Of one entry of the weights catalogue."""
PATIENCE = 30.0
"""Seconds that a client may be silent in the middle of an upload."""
DRAIN = 5.0
"""Seconds for which the rest of a refused upload is read, so that the client hears why it is refused."""


@dataclass
class Upload:
    """What came in: files in ``folder``, the names that people know them by, the settings.

    Photos lie there as ``01``, ``02``, …; weights, which are known by their official names, under those.
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    settings: bytes = b""

    def file(self, place: int) -> Path:
        """The photo at that place, from 0."""
        return self.folder / f"{place + 1:02d}"


@dataclass(frozen=True)
class _Takes:
    """What a form may hold: files in fields called as several ``many`` of a ``noun`` are, and perhaps settings."""

    noun: str
    many: str
    count: int
    file_bytes: int
    total_bytes: int
    settings: bool


@asynccontextmanager
async def receive(request: Request, incoming: Path, limits: Limits, *, settings: bool) -> AsyncIterator[Upload]:
    """The photos of a request, checked as far as that can be done without decoding them.

    The folder is removed at the end, unless it was moved away. Raises Refused.
    """
    takes = _Takes("photo", "photos", limits.photos, limits.photo_bytes, limits.total_bytes, settings)
    async with _received(request, incoming, takes) as upload:
        await run_in_threadpool(_measure, upload, limits)
        yield upload


@asynccontextmanager
async def receive_mesh(request: Request, incoming: Path, limits: Limits) -> AsyncIterator[Upload]:
    """One mesh, ``01``, and settings; what it is has been told by its name and its first bytes. As `receive` else."""
    takes = _Takes("mesh", "meshes", 1, limits.mesh_bytes, limits.mesh_bytes, True)
    async with _received(request, incoming, takes) as upload:
        try:
            look_at_mesh(upload.file(0), upload.names[0])
        except MeshError as error:
            raise Refused(422, "mesh_unusable", str(error)) from error
        yield upload


@asynccontextmanager
async def receive_files(request: Request, incoming: Path, limits: Limits) -> AsyncIterator[Upload]:
    """Official files of weights, under the names that they were sent with, and settings; as `receive` else."""
    takes = _Takes("file", "files", MOST_FILES, limits.weights_bytes, limits.weights_bytes, True)
    async with _received(request, incoming, takes) as upload:
        yield upload


@asynccontextmanager
async def _received(request: Request, incoming: Path, takes: _Takes) -> AsyncIterator[Upload]:
    folder = Path(await run_in_threadpool(tempfile.mkdtemp, dir=incoming))
    try:
        try:
            upload = await _read(request, folder, takes)
        except Refused:
            await _drain(request)
            raise
        yield upload
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space() from error
        raise
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


async def _read(request: Request, folder: Path, takes: _Takes) -> Upload:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        sentence = f"Send the {takes.many} as multipart/form-data, in fields called {takes.many}."
        raise Refused(415, "not_multipart", sentence)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > takes.total_bytes + SLACK:
        raise _too_much(takes)
    if shutil.disk_usage(folder).free < SPARE + (int(length) if length.isdecimal() else 0):
        raise no_space()
    form = _Form(folder, takes)
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
            if received > takes.total_bytes + SLACK:
                raise _too_much(takes)
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
        sentence = f"No {takes.noun} was sent; send at least one, in a field called {takes.many}."
        raise Refused(422, f"no_{takes.many}", sentence)
    return form.upload


def _too_much(takes: _Takes) -> Refused:
    sentence = f"The {takes.many} are too big together; send at most {takes.total_bytes >> 20} MB."
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

    def __init__(self, folder: Path, takes: _Takes) -> None:
        self.upload = Upload(folder)
        self.finished = False
        self._takes, self._told = takes, False
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
        field, many = options.get(b"name", b""), self._takes.many
        if field == many.encode():
            if len(self.upload.names) >= (most := self._takes.count):
                sentence = f"Send at most {most} {many if most > 1 else self._takes.noun} at once."
                raise Refused(413, f"too_many_{many}", sentence)
            self._file = self._place(options.get(b"filename", b"")).open("xb")
        elif field != b"settings" or not self._takes.settings:
            fields = f"{many} and settings" if self._takes.settings else many
            raise Refused(422, "unknown_field", f"The form has a field that is not known; send {fields} only.")
        elif self._told:
            raise Refused(422, "settings_twice", "The settings were sent twice; send one field with all of them.")
        else:
            self._told = True

    def _place(self, sent: bytes) -> Path:
        """Where the file that begins is to lie; its name is noted."""
        if self._takes.noun != "file":
            self.upload.names.append(photo_name(sent, len(self.upload.names)))
            return self.upload.file(len(self.upload.names) - 1)
        name = file_name(sent)
        if not name or name.lower() in (known.lower() for known in self.upload.names):
            sentence = "A file's name is missing, sent twice, or none that a file can have; send it under its own name."
            raise Refused(422, "bad_name", sentence)
        self.upload.names.append(name)
        return self.upload.folder / name

    def data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._file is None:
            if self._size > SETTINGS_BYTES:
                raise Refused(413, "settings_too_large", "The settings are too long; send only those of the API.")
            self.upload.settings += data[start:end]
            return
        if self._size > self._takes.file_bytes:
            most = self._takes.file_bytes >> 20
            sentence = f"{self.upload.names[-1]} is too big; send {self._takes.many} of at most {most} MB."
            raise Refused(413, f"{self._takes.noun}_too_large", sentence)
        self._file.write(data[start:end])

    def end(self) -> None:
        self.close()

    def finish(self) -> None:
        self.finished = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
