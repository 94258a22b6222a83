"""The routes under /v1/weights: what can be installed, and installing, verifying and removing it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError

from likeness.service import schema
from likeness.service.folders import Folders
from likeness.service.installs import Installs, entry_called
from likeness.service.limits import Limits
from likeness.service.refusal import Refused
from likeness.service.upload import receive_files
from likeness.weights.catalog import Entry

__all__ = ["weights_routes"]

JSON_BYTES = 1 << 14
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers of a request that somebody passed on: who sent it is not known then."""

BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": schema.WeightsFrom.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}},
                        "settings": {"type": "string", "description": "JSON, see the schema WeightsFrom"},
                    },
                    "additionalProperties": False,
                }
            },
        },
    }
}

Look = Callable[[], Awaitable[dict[str, Any]]]


def weights_routes(
    installs: Installs, folders: Folders, limits: Limits, look: Look, errors: Callable[..., dict[int | str, Any]]
) -> APIRouter:
    """The routes; ``look`` asks the worker for its lists, ``errors`` describes what a route may answer."""
    routes = APIRouter(prefix="/v1/weights")

    async def entries() -> list[schema.WeightEntry]:
        told = (await look())["weights"]
        return [schema.WeightEntry.model_validate(entry | {"task": installs.last(entry["name"])}) for entry in told]

    @routes.get("", responses=errors(503))
    async def every() -> schema.Weights:
        """What can be installed, whether it is, and what is being done with it."""
        return schema.Weights(weights=await entries())

    @routes.get("/{name}", responses=errors(404, 503))
    async def one(name: str) -> schema.WeightEntry:
        """One entry."""
        known = entry_called(name).name
        return next(entry for entry in await entries() if entry.name == known)

    @routes.get("/{name}/task", responses=errors(404))
    async def task(name: str) -> schema.WeightTask:
        """What is being done with an entry, or was done last since the service started."""
        last = installs.last(entry_called(name).name)
        if last is None:
            raise Refused(404, "no_task", "Nothing was done with this entry since the service started.")
        return last

    refusals = errors(400, 403, 404, 408, 409, 413, 415, 503, 507)

    @routes.post("/{name}/install", status_code=202, responses=refusals, openapi_extra=BODY)
    async def install(name: str, request: Request) -> schema.WeightTask:
        """Install an entry: from its authors, from uploaded files, or from a path or address of this machine's user.

        A download that was broken off goes on where it stopped.
        """
        entry = entry_called(name)
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            with installs.arriving(entry):
                async with receive_files(request, folders.incoming, limits) as upload:
                    source = _source(upload.settings)
                    if source.path or source.url:
                        sentence = "Send files, or name a path or an address, not both."
                        raise Refused(422, "two_sources", sentence)
                    brought = await asyncio.to_thread(_kept, folders, upload.folder)
            only = brought / upload.names[0] if len(upload.names) == 1 else brought
            return installs.begin(entry, "install", source.model_copy(update={"path": str(only)}), brought)
        source = _source(await _short(request))
        await asyncio.to_thread(_allow, request, entry, source)
        return installs.begin(entry, "install", source)

    @routes.post("/{name}/verify", status_code=202, responses=errors(404, 409, 503))
    async def verify(name: str) -> schema.WeightTask:
        """Check every number of an installed entry."""
        return installs.begin(entry_called(name), "verify")

    @routes.post("/{name}/cancel", status_code=202, responses=errors(404))
    async def cancel(name: str) -> schema.WeightTask:
        """Stop what is being done with an entry; what was fetched is kept for the next install."""
        return installs.cancel(entry_called(name))

    @routes.delete("/{name}", status_code=202, responses=errors(404, 409, 503))
    async def remove(name: str) -> schema.WeightTask:
        """Remove what is installed of an entry, and what was fetched of it."""
        return installs.begin(entry_called(name), "remove")

    return routes


def _kept(folders: Folders, folder: Path) -> Path:
    """The upload's folder, out of reach of who received it."""
    return folder.rename(folders.incoming / f"{folder.name}.weights")


async def _short(request: Request) -> bytes:
    kind = request.headers.get("content-type", "application/json").lower().partition(";")[0].strip()
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > JSON_BYTES:
            raise Refused(413, "settings_too_large", "The settings are too long; send only those of the API.")
    if body and kind != "application/json":
        sentence = "Send settings as application/json, or files as multipart/form-data."
        raise Refused(415, "wrong_type", sentence)
    return body


def _source(text: bytes) -> schema.WeightsFrom:
    try:
        source = schema.WeightsFrom.model_validate_json(text or b"{}")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        sentence = f"{where}: {first['msg']}".removeprefix(": ").rstrip(".")
        raise Refused(422, "bad_settings", f"The settings are refused: {sentence}.") from error
    if source.path and source.url:
        raise Refused(422, "two_sources", "Name a path or an address, not both.")
    return source


def _allow(request: Request, entry: Entry, source: schema.WeightsFrom) -> None:
    """Raises Refused for what this client may not name, and for terms that were not agreed to."""
    if (source.path or source.url) and not _is_here(request):
        sentence = "Only clients on the server's own machine may name paths and addresses; send the files instead."
        raise Refused(403, "not_here", sentence)
    if source.url and not source.url.lower().startswith(("http://", "https://")):
        raise Refused(422, "bad_address", "An address starts with http:// or https://; for a file give its path.")
    if source.path:
        _look_at(source.path)
    elif not source.url and entry.consent and entry.fetchable and not source.accept_licence:
        sentence = (
            f"{entry.title} comes under terms of its own: {entry.strictest}. Read them at {entry.url}, and if you "
            "agree send accept_licence."
        )
        raise Refused(409, "licence_not_accepted", sentence)


def _look_at(named: str) -> None:
    path = Path(named)
    try:
        if path.is_absolute() and (path.is_file() or path.is_dir()):
            return
    except (OSError, ValueError):  # no path at all
        pass
    sentence = "The path is none of a file or folder on the server's machine; give the whole path of one that is there."
    raise Refused(422, "no_such_path", sentence)


def _is_here(request: Request) -> bool:
    """Whether the request was sent on this machine, and by nobody who passes on what others send."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
