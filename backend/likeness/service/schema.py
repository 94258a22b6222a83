"""What travels over HTTP, as pydantic models; the published OpenAPI schema is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Error",
    "Face",
    "Faces",
    "Head",
    "Heads",
    "Health",
    "Job",
    "Jobs",
    "Licences",
    "LimitsOut",
    "Method",
    "Methods",
    "PhotoFaces",
    "Problem",
    "RigSettings",
    "Settings",
    "State",
    "WeightEntry",
    "WeightFile",
    "WeightTask",
    "Weights",
    "WeightsFrom",
    "WorkerOut",
]

State = Literal["queued", "running", "done", "failed", "cancelled"]
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]


class Problem(BaseModel):
    """What went wrong: a word for programs, a sentence for people that says what to do."""

    code: str
    message: str


class Error(BaseModel):
    """The body of every answer of 400 and above."""

    error: Problem


FaceIndex = Annotated[int, Field(ge=0, le=99)]


class Settings(BaseModel):
    """What a user chooses for a job."""

    model_config = ConfigDict(extra="forbid")

    method: Word = Field(default="open", description="One of GET /v1/methods.")
    head: Word = Field(default="auto", description="One of GET /v1/heads, or auto.")
    texture_size: int = Field(default=2048, ge=256, le=4096, description="Side of the maps in texels.")
    fine_size: int = Field(
        default=0,
        ge=0,
        le=6144,
        description="Side of the maps that a method with `finest` makes itself; 0: no larger.",
    )
    light: Literal["harmonics", "phong"] = Field(
        default="harmonics", description="How a method that fits its own light tells it (ganfit)."
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    face: FaceIndex | list[FaceIndex] | None = Field(
        default=None, description="Which face, 0 is the largest: one number for all photos, or one for each."
    )
    name: str | None = Field(
        default=None, max_length=80, description="Of the avatar; the first photo's name when left out."
    )


class RigSettings(BaseModel):
    """What a user chooses for a mesh that is to become a head."""

    model_config = ConfigDict(extra="forbid")

    head: Word = Field(default="auto", description="One of GET /v1/heads, or auto.")
    texture_size: int = Field(default=2048, ge=256, le=4096, description="Side of the maps in texels.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    neutral: bool = Field(default=False, description="The face is at rest: nothing of it is an expression.")
    name: str | None = Field(default=None, max_length=80, description="Of the avatar; the file's when left out.")


class Job(BaseModel):
    """A job as everybody sees it."""

    id: str
    name: str
    state: State = "queued"
    stage: str = ""
    fraction: float = Field(default=0.0, ge=0, le=1, description="Of the stage.")
    total: float = Field(default=0.0, ge=0, le=1, description="Of the whole job; never falls.")
    message: str = ""
    notes: list[str] = []
    position: int | None = Field(default=None, description="Place in the queue from 0; null when it does not wait.")
    error: Problem | None = None
    created: str
    started: str | None = None
    finished: str | None = None
    photos: list[str]
    mesh: str | None = Field(default=None, description="The file's name, of a job that rigs a mesh.")
    settings: Settings | RigSettings
    method: str
    head: str
    licences: list[str] = Field(default=[], description="The strictest first.")
    has_avatar: bool = False
    avatar_bytes: int | None = None
    revision: int = Field(default=0, description="Rises with every change.")


class Jobs(BaseModel):
    """All jobs, newest first."""

    jobs: list[Job]


class WorkerOut(BaseModel):
    """The worker process."""

    state: Literal["starting", "ready", "busy", "restarting", "failed"]
    pid: int | None
    message: str


class LimitsOut(BaseModel):
    """What is taken at most."""

    photos: int
    photo_bytes: int
    total_bytes: int
    pixels: int
    queue: int
    mesh_bytes: int
    weights_bytes: int


class Health(BaseModel):
    """The server and its worker."""

    name: Literal["likeness"] = "likeness"
    version: str
    api: int
    pid: int
    started: str
    device: str = Field(description="Where PyTorch computes; empty until the worker has said so.")
    worker: WorkerOut
    queue: int = Field(description="Jobs that wait.")
    limits: LimitsOut


class Licences(BaseModel):
    """SPDX expressions (or a sentence) for a method's parts."""

    code: str
    weights: str
    model: str


class Method(BaseModel):
    """A method of the registry."""

    name: str
    title: str
    paper: str
    year: int
    inputs: str
    finest: int = Field(description="Largest side of the maps that it makes itself; 0 where it makes none larger.")
    ready: bool
    status: str = Field(description='"ready", or one sentence on what it needs.')
    needs: list[str]
    licences: Licences
    strictest: str


class Methods(BaseModel):
    """All methods, in the order to show them."""

    methods: list[Method]


class Head(BaseModel):
    """A head model."""

    name: str
    title: str
    licence: str
    ready: bool
    status: str
    needs: list[str] = Field(default=[], description="Entries of GET /v1/weights that it lacks.")


class Heads(BaseModel):
    """All head models; the one that "auto" takes comes first."""

    heads: list[Head]


class WeightFile(BaseModel):
    """One official file of an entry."""

    name: str
    size: int | None = Field(description="Bytes, null where it is not known.")
    optional: bool
    url: str = Field(description="Where it can be had directly, or empty.")


class WeightsFrom(BaseModel):
    """Where an entry is installed from: its authors' own addresses, or what is named here."""

    model_config = ConfigDict(extra="forbid")

    accept_licence: bool = Field(default=False, description="The user has read the terms of the entry and agrees.")
    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="A file, folder or archive on the server's machine; only for clients on the same machine.",
    )
    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = Field(
        default=None, description="An address of a file or archive; only for clients on the server's machine."
    )


class WeightTask(BaseModel):
    """What is being done with an entry, or was done last."""

    name: str
    action: Literal["install", "verify", "remove"]
    state: State = "queued"
    fraction: float = Field(default=0.0, ge=0, le=1, description="Of the step that the message tells of.")
    bytes_done: int = Field(default=0, description="Of the file that is being fetched.")
    bytes_total: int = Field(default=0, description="0 where it is not known.")
    message: str = ""
    notes: list[str] = []
    wrong: list[str] = Field(default=[], description="What verifying found: sentences; empty where all is well.")
    error: Problem | None = None
    started: str
    finished: str | None = None


class WeightEntry(BaseModel):
    """Something that `likeness weights install NAME` puts in place."""

    name: str
    title: str
    kind: str
    edition: str
    used_by: list[str]
    installed: bool
    licence: str = Field(description="The strictest of its licences.")
    licences: Licences
    consent: bool = Field(description="Whether its terms must be agreed to before it is fetched.")
    url: str
    obtain: str
    how: str
    fetchable: bool = Field(description="Whether it can be fetched by the service; else its files are given to it.")
    hosts: list[str] = Field(description="The servers that it is fetched from.")
    kept: int = Field(description="Bytes that were fetched before and wait for the rest.")
    files: list[WeightFile]
    task: WeightTask | None = None


class Weights(BaseModel):
    """What the store of weights offers."""

    weights: list[WeightEntry]


class Face(BaseModel):
    """A face in a photo."""

    box: tuple[float, float, float, float] = Field(description="Left, top, right, bottom in pixels, upright photo.")
    score: float = Field(ge=0, le=1)
    picture: str = Field(default="", description="PNG of 128 x 128 pixels, base64, where the photo has several faces.")


class PhotoFaces(BaseModel):
    """The faces of one photo, the largest first."""

    name: str
    width: int
    height: int
    faces: list[Face]
    error: str | None = None


class Faces(BaseModel):
    """Per photo, in the order sent."""

    photos: list[PhotoFaces]


Catalogue = dict[str, Any]
"""What the worker tells of methods, heads and weights."""
