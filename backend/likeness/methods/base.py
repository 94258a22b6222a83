"""What a method takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Material
from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.progress import Progress

__all__ = ["OF_THE_HEAD", "Licences", "Mesh", "Method", "Reconstruction", "Refine", "Settings", "View"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """What a user may choose.

    Attributes:
        head: head model by name, "auto" for the best installed one.
        texture_size: side of the maps in texels, 256..4096.
        seed: of whatever is random.
        fine_size: side of the maps that a method makes itself where it can make them larger (AvatarMe: up to 6144); 0
            for the texture size.
        light: of a method that fits its own (GANFIT): "harmonics", or "phong" for the paper's point light.
    """

    head: str = "auto"
    texture_size: int = 2048
    seed: int = 0
    fine_size: int = 0
    light: str = "harmonics"


OF_THE_HEAD = "that of the head model"
"""Licence of the model of a method that brings none of its own."""


@dataclass(frozen=True)
class Licences:
    """SPDX expressions (or a sentence) for a method's parts; the model's may be `OF_THE_HEAD`."""

    code: str
    weights: str
    model: str

    def own(self) -> list[str]:
        """Those that the method brings whatever the head."""
        return [part for part in (self.code, self.weights, self.model) if part != OF_THE_HEAD]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A method's own mesh: vertices (V, 3) metres, triangles (T, 3) int, colours (V, 3) sRGB in 0..1 or None."""

    vertices: Array
    triangles: NDArray[np.int64]
    colours: Array | None = None


@dataclass(frozen=True, eq=False)
class View:
    """How the head stands in one photo.

    Attributes:
        face: the face it was fitted to.
        camera: maps the head's frame to the photo; the head's own rigid pose is in here.
        expression: (M,) float32 weights 0..1.
        pose: (J, 3) float32 axis-angle radians of the joints (eyes, jaw, neck; the root stays at zero).
    """

    face: Face
    camera: Camera
    expression: Array
    pose: Array


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What a method made of the faces.

    Attributes:
        method: name of the method.
        head: the head model whose topology `vertices` has, None for a method without a rigged head.
        identity: (N,) float32 coefficients, or None.
        vertices: (V, 3) float32 metres, the neutral head, free-form residual included.
        joints: (J, 3) float32 metres, rest joints of that neutral head.
        views: one per photo, in the order given.
        mesh: the method's own mesh where it differs from the head.
        maps: maps of its own in the head's UVs, by name, HxWxC.
        details: numbers worth keeping in the provenance (JSON-serialisable).
        refine: makes the method's own material of the skin's, as `likeness.maps` has made it.
        licences: of what the user brought for it, beside those of the method and the head.
    """

    method: str
    head: HeadModel | None
    identity: Array | None
    vertices: Array
    joints: Array
    views: tuple[View, ...]
    mesh: Mesh | None = None
    maps: dict[str, NDArray[Any]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    refine: Refine | None = None
    licences: tuple[str, ...] = ()


class Refine(Protocol):
    """What changes a skin's material; stage "maps" of progress hears of it."""

    def __call__(
        self,
        made: Reconstruction,
        skin: Material,
        lights: tuple[NDArray[np.float64], ...],
        settings: Settings,
        progress: Progress,
    ) -> Material:
        """The new material; lights are (9, 3) per view, see `likeness.maps.Maps`."""
        ...


class Method(Protocol):
    """A way to get a head out of photos. Register one with `likeness.methods.registry.register`.

    Attributes:
        name, title: for the command line and files, for people.
        paper, year: where it is published; "none; see …" for our own.
        licences: of code, weights and model.
        needs: names of the weights catalogue that must be installed first; "a or b" where one will do, best first.
        inputs: what it takes.

    A method that can make its own maps larger than the texture size says with ``finest`` how large, see
    `Settings.fine_size`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    year: ClassVar[int]
    licences: ClassVar[Licences]
    needs: ClassVar[tuple[str, ...]]
    inputs: ClassVar[Literal["one photo", "many photos", "video"]]

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces (one per photo, all of one person) to a reconstruction."""
        ...
