"""The routes of the HTTP API, version 1."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from likeness import __version__
from likeness.service import schema
from likeness.service.events import events
from likeness.service.folders import Folders
from likeness.service.installs import Installs
from likeness.service.jobs import ENDED, Jobs
from likeness.service.limits import Limits
from likeness.service.reference import page
from likeness.service.refusal import Refused
from likeness.service.upload import receive, receive_mesh
from likeness.service.weights_api import weights_routes
from likeness.service.workshop import Failure, Stopped, Workshop

__all__ = ["API", "DOCS", "Service", "application"]

API = 1
"""Version of the HTTP API; it rises when a client of the version before would fail."""

DOCS = "/v1/docs"
"""The one address that needs no token, so that a browser can show it."""

LOOK = 8.0
"""Seconds that a client waits for the list of methods while the worker starts."""

FACES = 60.0
"""Seconds for finding the faces of a request."""

log = logging.getLogger(__name__)

S = TypeVar("S", bound=BaseModel)


@dataclass
class Service:
    """What the routes work with."""

    folders: Folders
    jobs: Jobs
    workshop: Workshop
    installs: Installs
    limits: Limits
    started: str
    stop: Callable[[], None]


def application(service: Service) -> FastAPI:
    """The FastAPI application; its life is the worker's."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        service.workshop.start()
        work = asyncio.create_task(service.jobs.work())
        yield
        service.jobs.close()
        await service.installs.close()
        service.workshop.close()
        work.cancel()

    app = FastAPI(
        title="Likeness",
        version=__version__,
        description="Photos go in, rigged heads come out.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=life,
        dependencies=[Depends(HTTPBearer(auto_error=False))],  # for the description; `Guard` looks at the token
    )
    app.include_router(_about(service))
    app.include_router(_jobs(service))
    app.include_router(_weights(service))

    @app.get(DOCS, include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()))

    _answers(app)
    return app


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": schema.Error, "description": "Refused"} for status in (401, 421, 422, *statuses)}


def _form(settings: str = "", files: str = "photos") -> dict[str, Any]:
    """The description of an upload; it is read as a stream, so FastAPI cannot see it."""
    properties: dict[str, Any] = {
        files: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
    }
    if settings:
        properties["settings"] = {"type": "string", "description": f"JSON, see the schema {settings}"}
    form = {"type": "object", "required": [files], "properties": properties, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def _about(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    workshop = service.workshop

    @routes.get("/health", responses=_errors())
    async def health() -> schema.Health:
        """The server and its worker."""
        return schema.Health(
            version=__version__,
            api=API,
            pid=os.getpid(),
            started=service.started,
            device=workshop.device,
            worker=schema.WorkerOut(state=workshop.state, pid=workshop.pid, message=workshop.message),
            queue=service.jobs.waiting,
            limits=schema.LimitsOut(**asdict(service.limits)),
        )

    @routes.get("/methods", responses=_errors(503))
    async def methods() -> schema.Methods:
        """The methods, what they need, their licences."""
        return schema.Methods(methods=(await _look(workshop))["methods"])

    @routes.get("/heads", responses=_errors(503))
    async def heads() -> schema.Heads:
        """The head models and whether they are ready."""
        return schema.Heads(heads=(await _look(workshop))["heads"])

    @routes.post("/faces", responses=_errors(400, 408, 413, 415, 429, 503, 507), openapi_extra=_form())
    async def faces(request: Request) -> schema.Faces:
        """The faces of photos; only while no job runs or waits."""
        with service.jobs.room():
            return await look_for_faces(request)

    async def look_for_faces(request: Request) -> schema.Faces:
        async with receive(request, service.folders.incoming, service.limits, settings=False) as upload:
            if service.jobs.busy or workshop.taken:  # looked at last: jobs come first
                sentence = "A job is being done; ask again when it has ended."
                raise Refused(503, "busy", sentence, retry_after=2)
            photos = [{"file": str(upload.file(i)), "name": name} for i, name in enumerate(upload.names)]
            try:
                async with asyncio.timeout(FACES), workshop.turn():
                    return schema.Faces.model_validate(await workshop.do({"do": "faces", "photos": photos}))
            except Failure as failure:
                raise Refused(503, failure.code, failure.message, retry_after=2) from failure
            except (Stopped, TimeoutError):
                sentence = "Finding the faces took too long; try again, with fewer or smaller photos."
                raise Refused(503, "too_slow", sentence, retry_after=2) from None

    @routes.post("/shutdown", status_code=202, responses=_errors())
    async def shutdown() -> dict[str, str]:
        """Stop the service; what runs is given up, what waits goes on at the next start."""
        service.stop()
        return {"state": "stopping"}

    return routes


async def _look(workshop: Workshop) -> dict[str, Any]:
    try:
        return await workshop.look(LOOK)
    except TimeoutError:
        sentence = workshop.message or "The worker is being started"
        raise Refused(503, "starting", f"{sentence.rstrip('.')}; try again in a moment.", retry_after=2) from None


def _weights(service: Service) -> APIRouter:
    return weights_routes(service.installs, service.folders, service.limits, lambda: _look(service.workshop), _errors)


def _jobs(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/jobs")
    jobs, folders = service.jobs, service.folders

    @routes.post(
        "", status_code=201, responses=_errors(400, 408, 413, 415, 429, 503, 507), openapi_extra=_form("Settings")
    )
    async def submit(request: Request) -> schema.Job:
        """Photos of one person and settings become a job."""
        with jobs.room():
            async with receive(request, folders.incoming, service.limits, settings=True) as upload:
                return jobs.add(upload.folder, upload.names, _settings(upload.settings, service.workshop.catalogue))

    @routes.post(
        "/mesh",
        status_code=201,
        responses=_errors(400, 408, 413, 415, 429, 503, 507),
        openapi_extra=_form("RigSettings", "meshes"),
    )
    async def rig(request: Request) -> schema.Job:
        """A mesh of a face and settings become a job, whose avatar is a head of that shape."""
        with jobs.room():
            async with receive_mesh(request, folders.incoming, service.limits) as upload:
                return jobs.add(upload.folder, upload.names, _read(schema.RigSettings, upload.settings))

    @routes.get("", responses=_errors())
    async def every() -> schema.Jobs:
        """All jobs, newest first."""
        return schema.Jobs(jobs=jobs.all())

    @routes.get("/{job}", responses=_errors(404))
    async def one(job: str) -> schema.Job:
        """How a job goes."""
        return jobs.get(job)

    @routes.get(
        "/{job}/events",
        response_class=StreamingResponse,
        responses=_errors(404) | {200: {"content": {"text/event-stream": {}}}, 204: {"description": "Nothing to come"}},
    )
    async def follow(
        job: str,
        after: int | None = Query(None, ge=0, le=2**63 - 1, description="Only revisions above this one."),
        last_event_id: str | None = Header(None, description="As browsers send it when they connect again."),
    ) -> Response:
        """Server-sent events "job", each with the whole job; the last one when it has ended."""
        found = jobs.get(job)
        seen = after if after is not None else _number(last_event_id)
        if found.state in ENDED and found.revision <= seen:
            return Response(status_code=204)  # tells a browser not to connect again
        return StreamingResponse(
            events(jobs, found, seen), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @routes.get(
        "/{job}/avatar",
        response_class=StreamingResponse,
        responses=_errors(404, 409) | {200: {"content": {"application/zip": {}}}},
    )
    async def avatar(job: str) -> Response:
        """The avatar package of a job that is done."""
        found = jobs.get(job)
        if not found.has_avatar:
            raise Refused(409, "not_done", "This job has no avatar; wait until it is done, or start it again.")
        name = f"{folders.file_name(job)}.likeness.zip"
        told = f'filename="{name}"' if name.isascii() else f"filename*=utf-8''{quote(name)}"  # RFC 6266
        return _file(folders.avatar(job), "application/zip", {"Content-Disposition": f"attachment; {told}"})

    @routes.get(
        "/{job}/preview",
        response_class=StreamingResponse,
        responses=_errors(404) | {200: {"content": {"image/png": {}}}},
    )
    async def preview(job: str) -> Response:
        """The face of a job that is done, 256 x 256 pixels."""
        return _file(folders.preview(jobs.get(job).id), "image/png", {})

    @routes.post("/{job}/cancel", response_model=schema.Job, responses=_errors(404), status_code=202)
    async def cancel(job: str) -> Response:
        """Cancel a job that waits or runs. One that has ended in the meantime is left as it is."""
        found = jobs.get(job)
        if found.state not in ENDED:
            jobs.cancel(found)
        return Response(found.model_dump_json(), 202, media_type="application/json")

    @routes.delete(
        "/{job}",
        response_model=None,
        responses=_errors(404) | {202: {"model": schema.Job, "description": "Cancelled"}, 204: {}},
        status_code=204,
    )
    async def delete(job: str) -> Response:
        """Cancel a job that waits or runs (202); delete one that has ended, and its files (204)."""
        found = jobs.get(job)
        if found.state in ENDED:
            jobs.delete(found)
            return Response(status_code=204)
        jobs.cancel(found)
        return Response(found.model_dump_json(), 202, media_type="application/json")

    return routes


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 20 else -1


def _settings(text: bytes, catalogue: dict[str, Any] | None) -> schema.Settings:
    settings = _read(schema.Settings, text)
    known = [method["name"] for method in (catalogue or {}).get("methods", [])]
    if known and settings.method not in known:  # heads come and go with their weights; the worker knows
        sentence = f'There is no method "{settings.method}"; choose one of: {", ".join(known)}.'
        raise Refused(422, "unknown_method", sentence)
    return settings


def _read(kind: type[S], text: bytes) -> S:
    try:
        return kind.model_validate_json(text or b"{}")
    except ValidationError as error:
        raise Refused(422, "bad_settings", f"The settings are refused: {_first(error.errors())}.") from error


def _first(errors: list[Any]) -> str:
    where = ".".join(str(part) for part in errors[0]["loc"])
    return f"{where}: {errors[0]['msg']}".removeprefix(": ").rstrip(".")


def _file(path: Path, kind: str, headers: dict[str, str]) -> Response:
    try:
        file = path.open("rb")
    except OSError:
        raise Refused(404, "no_file", "The job has no such file; it may not be done, or it was deleted.") from None
    size = os.fstat(file.fileno()).st_size

    def chunks() -> Any:
        with file:
            while chunk := file.read(1 << 18):
                yield chunk

    return StreamingResponse(chunks(), media_type=kind, headers={"Content-Length": str(size), **headers})


def _answers(app: FastAPI) -> None:
    """Every error has the same shape."""

    def answer(status: int, code: str, message: str, headers: Any = None) -> JSONResponse:
        return JSONResponse({"error": {"code": code, "message": message}}, status, headers)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return answer(error.status, error.code, error.message, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(422, "invalid", f"The request is refused: {_first(list(error.errors()))}.")

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        sentences = {
            404: ("not_found", "There is nothing at this address; see /v1/openapi.json for what there is."),
            405: ("wrong_verb", "This address does not take that verb; see /v1/openapi.json for what it takes."),
        }
        code, message = sentences.get(error.status_code, ("refused", str(error.detail)))
        headers = {"Allow": _verbs(app, request.url.path)} if error.status_code == 405 else error.headers
        return answer(error.status_code, code, message, headers)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        sentence = f"The service failed ({type(error).__name__}); its log says more, please report it."
        return answer(500, "internal", sentence)


def _verbs(app: FastAPI, path: str) -> str:
    """What an address takes; Starlette would tell of one route alone, and take "mesh" for a job's id."""
    described = app.openapi()["paths"]
    routes = (
        [described[path]] if path in described else [r for p, r in described.items() if compile_path(p)[0].match(path)]
    )
    verbs = {verb.upper() for route in routes for verb in route}
    return ", ".join(sorted(verbs or {"GET"}))
