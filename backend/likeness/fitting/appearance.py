"""A head drawn over its photo, differentiable in shape, expression, camera, albedo and light.

Source: the deferred renderer of Genova et al., CVPR 2018, as GANFIT uses it (Gecer et al., CVPR 2019), with one of
two kinds of light. What lies where is decided by the rasteriser and has no gradient; what it looks like there has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from likeness.camera import Camera
from likeness.faces.chip import FIVE
from likeness.faces.crop import Window
from likeness.faces.face import Face
from likeness.fitting.calibration import Calibration
from likeness.fitting.landmarks import landmark_model
from likeness.fitting.lights import HARMONICS, Light
from likeness.fitting.noise import smooth_noise
from likeness.heads.base import HeadModel, LandmarkEmbedding
from likeness.heads.skinning import axis_angle_to_matrix
from likeness.render.light import linear_to_srgb, sh_basis, srgb_to_linear
from likeness.render.raster import barycentric_at, rasterise
from likeness.render.view import vertex_normals

__all__ = [
    "ANCHORS",
    "SIDE",
    "Drawn",
    "Paint",
    "Portrait",
    "Sitter",
    "Spots",
    "Stand",
    "camera_of",
    "draw",
    "first_light",
    "lens",
]

SIDE = 224
"""Pixels of the pictures that are compared."""
ANCHORS = (*FIVE, 4, 61, 291)
"""The landmarks that faces are aligned by: dlib's five (`likeness.faces.chip.FIVE`), then the tip of the nose and the
corners of the mouth on the picture's left and right."""
AROUND = 1.3
"""Side of the picture in sizes of the landmarks' box."""
ROUNDS, RIDGE = 5, 0.02
"""Of the first light: rounds of reweighting, and what its degrees cost."""
OPEN = 0.5
"""Share of the surroundings that eyes and teeth see at least: the rest pose has them shut in."""
HIDDEN = ("lashes", "wet")  # meshes that are nothing without their textures


@dataclass(frozen=True, eq=False)
class Spots:
    """Places on the head's surface.

    Attributes:
        corners: (P, 3) int64 vertices; weights: (P, 3) their shares; uv: (P, 2), origin lower left.
        skin: (P,) bool, whether it is skin rather than eyes, teeth and the like.
    """

    corners: Tensor
    weights: Tensor
    uv: Tensor
    skin: Tensor

    def of(self, values: Tensor) -> Tensor:
        """Vertex values (V, C) there, (P, C)."""
        return (values[self.corners] * self.weights[..., None]).sum(1)


Paint = Callable[[Spots], Tensor]
"""Linear reflectance (P, 3) in 0..1 of places."""


@dataclass(frozen=True, eq=False)
class Sitter:
    """Whose appearance is fitted, and what of the head does not change.

    Attributes:
        head: the head model.
        identity: (N,) coefficients to start from; vertices: (V, 3) metres, neutral, all that is not in them included.
        occlusion: (V,) share of the surroundings that each vertex sees, 0..1.
        mesh: (F, 3) all triangles; triangles: (T, 3) that are drawn; uv: (T, 3, 2) of their corners; skin: (T,) bool.
        face: (V,) 0..1, how much of the drawn head replaces the photo; 1 off the skin.
        marks: the 478 landmarks; anchors: those of `ANCHORS`. Both count in the head's own triangles.
    """

    head: HeadModel
    identity: Tensor
    vertices: Tensor
    occlusion: Tensor
    mesh: Tensor
    triangles: Tensor
    uv: Tensor
    skin: Tensor
    face: Tensor
    marks: LandmarkEmbedding
    anchors: LandmarkEmbedding

    @classmethod
    def of(
        cls, head: HeadModel, identity: NDArray[np.float32], vertices: NDArray[np.float32], occlusion: Tensor
    ) -> Self:
        """A fitted head with landmarks "mediapipe478"."""
        shown = ~head.region(*HIDDEN)
        skin = head.region("skin")
        inner = torch.ones(len(head.template))
        on_skin = torch.unique(head.triangles[skin])
        inside = torch.ones(len(head.template), dtype=torch.bool)
        inside[on_skin] = False
        inner[on_skin] = head.groups.get("face", torch.ones(len(head.template)))[on_skin]
        marks = head.landmarks["mediapipe478"]
        which = list(ANCHORS)
        return cls(
            head,
            torch.as_tensor(identity),
            torch.as_tensor(vertices),
            torch.where(inside, occlusion.clamp(min=OPEN), occlusion),
            head.triangles.clone(),  # a head that was first looked at in inference mode keeps tensors without gradients
            head.triangles[shown],
            head.uv[head.triangles_uv[shown]],
            skin[shown],
            inner,
            marks,
            LandmarkEmbedding(marks.triangle[which], marks.barycentric[which]),
        )

    @property
    def five(self) -> LandmarkEmbedding:
        """dlib's five of the anchors."""
        return LandmarkEmbedding(self.anchors.triangle[: len(FIVE)], self.anchors.barycentric[: len(FIVE)])

    def shaped(self, identity: Tensor, expression: Tensor | None = None) -> Tensor:
        """(V, 3) metres from identity (N,) and expression (M,)."""
        moved = (identity - self.identity) @ self.head.identity.flatten(1)
        if expression is not None:
            moved = moved + expression @ self.head.expression.flatten(1)
        return self.vertices + moved.reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face as the fit looks at it: a square around it, upright in the photo.

    Attributes:
        picture: (3, S, S) float32 sRGB in 0..1.
        focal: (2,), centre: (2,) pixels of the picture; rotation: (3, 3), translation: (3,) metres, head to camera.
        landmarks: (K, 2) pixels of the picture, those of the 478 that the head has; index: (K,) which; bias: (K, 3)
            metres in the head's frame that the landmark network adds; trust: (K,) how much each counts.
        anchors: (8, 2) pixels of the picture, of `ANCHORS`; anchor_bias: (8, 3) as bias, 0 where it is not known.
    """

    picture: Tensor
    focal: Tensor
    centre: Tensor
    rotation: Tensor
    translation: Tensor
    landmarks: Tensor
    index: Tensor
    bias: Tensor
    trust: Tensor
    anchors: Tensor
    anchor_bias: Tensor

    @classmethod
    def of(cls, face: Face, camera: Camera, head: HeadModel, side: int = SIDE) -> Self:
        """The face of a photo whose perspective camera is known."""
        points = face.landmarks[:, :2]
        low, high = points.min(0), points.max(0)
        middle, wide = (low + high) / 2, AROUND * float((high - low).max())
        window = Window(float(middle[0]), float(middle[1]), wide, 0.0)
        pixels = window.cut(face.photo.pixels, side)
        scale = side / wide
        placed = window.from_photo(points, side)
        model, calibration = landmark_model(head), Calibration.of(head)
        noise = smooth_noise(model) if calibration is None else calibration.noise(model, camera.rotation)
        grain = noise.grain.mean(1)
        added = np.zeros((len(face.landmarks), 3))
        added[model.index] = noise.bias
        which = list(ANCHORS)
        return cls(
            torch.from_numpy(pixels).permute(2, 0, 1).float() / 255,
            torch.tensor([camera.fx * scale, camera.fy * scale]).float(),
            torch.from_numpy((np.array([camera.cx, camera.cy]) - middle) * scale + side / 2).float(),
            torch.from_numpy(camera.rotation).float(),
            torch.from_numpy(camera.translation).float(),
            torch.from_numpy(placed[model.index]).float(),
            torch.from_numpy(model.index),
            torch.from_numpy(noise.bias).float(),
            torch.from_numpy((np.median(grain) / grain) ** 2).float().clamp(max=4),
            torch.from_numpy(placed[which]),
            torch.from_numpy(added[which]).float(),
        )

    @property
    def side(self) -> int:
        """Of the picture in pixels."""
        return self.picture.shape[-1]


@dataclass(frozen=True, eq=False)
class Stand:
    """How the head stands in one picture, apart from its shape and colours.

    Attributes:
        turn: (3,) axis-angle radians about the face, after the portrait's camera; shift: (3,) in distances from the
            camera; zoom: () log of the change of the focal length.
        expression: (M,) weights 0..1; light: what the kind of light makes of it, (9, 3) for spherical harmonics.
    """

    turn: Tensor
    shift: Tensor
    zoom: Tensor
    expression: Tensor
    light: Tensor
    kind: Light = HARMONICS


def lens(sitter: Sitter, portrait: Portrait, stand: Stand, points: Tensor) -> Tensor:
    """Points (P, 3) metres of the head to (P, 3): x, y in pixels of the picture, z metres from the camera."""
    middle = sitter.vertices[sitter.mesh[sitter.five.triangle]].mean((0, 1))
    pivot = portrait.rotation @ middle + portrait.translation
    seen = points @ portrait.rotation.T + portrait.translation - pivot
    seen = seen @ axis_angle_to_matrix(stand.turn).T + pivot + stand.shift * pivot[2]
    flat = portrait.focal * stand.zoom.exp() * seen[:, :2] / seen[:, 2:] + portrait.centre
    return torch.cat([flat, seen[:, 2:]], 1)


def camera_of(sitter: Sitter, portrait: Portrait, stand: Stand, camera: Camera) -> Camera:
    """The photo's camera as the fit has moved it."""
    middle = sitter.vertices[sitter.mesh[sitter.five.triangle]].mean((0, 1))
    with torch.no_grad():
        pivot = (portrait.rotation @ middle + portrait.translation).double()
        turn = axis_angle_to_matrix(stand.turn).double()
        shift = stand.shift.double() * pivot[2]
        rotation = turn.numpy() @ camera.rotation
        translation = turn.numpy() @ (camera.translation - pivot.numpy()) + (pivot + shift).numpy()
        zoom = float(stand.zoom.exp())
    return Camera(
        camera.width,
        camera.height,
        camera.fx * zoom,
        camera.fy * zoom,
        camera.cx,
        camera.cy,
        rotation,
        translation,
    )


@dataclass(frozen=True, eq=False)
class Drawn:
    """A head over a background.

    Attributes:
        picture: (3, S, S) sRGB in 0..1; where the face does not show it is the background, unchanged.
        skin: (S, S) 0..1, how much of the face's skin shows.
        points: (V, 3) as `lens` gives them.
    """

    picture: Tensor
    skin: Tensor
    points: Tensor


@dataclass(frozen=True, eq=False)
class _Visible:
    """What of the head a picture shows: covered (S, S); of its P pixels the places, unit normals and occlusion."""

    points: Tensor
    covered: Tensor
    spots: Spots
    normals: Tensor
    occlusion: Tensor


def _visible(sitter: Sitter, portrait: Portrait, stand: Stand, vertices: Tensor) -> _Visible:
    points = lens(sitter, portrait, stand, vertices)
    raster = rasterise(points, sitter.triangles, portrait.side, portrait.side)
    hit = raster.triangle[raster.covered]
    weights = barycentric_at(points, sitter.triangles, raster)[raster.covered]
    spots = Spots(sitter.triangles[hit], weights, (sitter.uv[hit] * weights[..., None]).sum(1), sitter.skin[hit])
    normals = functional.normalize(spots.of(vertex_normals(vertices, sitter.mesh)), dim=1)
    return _Visible(points, raster.covered, spots, normals, spots.of(sitter.occlusion[:, None])[:, 0])


def draw(
    sitter: Sitter, portrait: Portrait, stand: Stand, vertices: Tensor, paint: Paint, *, whole: bool = False
) -> Drawn:
    """Draw the head with its expression, vertices (V, 3), over the portrait's picture.

    Args:
        whole: draw all of the head rather than the face alone.
    """
    seen = _visible(sitter, portrait, stand, vertices)
    side, covered, spots = portrait.side, seen.covered, seen.spots
    lit = stand.kind.shading(spots.of(vertices), seen.normals, seen.occlusion, stand.light)
    colours = _developed(paint(spots) * lit)
    share = spots.of(sitter.face[:, None])[:, 0].detach().clamp(0, 1)
    over = torch.ones_like(share) if whole else share
    behind = portrait.picture.permute(1, 2, 0)
    picture = behind.clone()
    picture[covered] = behind[covered] + over[:, None] * (colours - behind[covered])
    skin = picture.new_zeros(side, side)
    skin[covered] = share * spots.skin
    return Drawn(picture.permute(2, 0, 1), skin, seen.points)


def _developed(light: Tensor) -> Tensor:
    """Linear light to sRGB; what is brighter than white still has a gradient."""
    over = (light - 1).clamp(min=0)
    return linear_to_srgb(light.clamp(1e-5, 1)) + 0.1 * over


@torch.no_grad()
def first_light(sitter: Sitter, portrait: Portrait, stand: Stand, paint: Paint) -> Tensor:
    """(9, 3) white light as spherical harmonics, of the stand's level, under which the colours are most like the photo.

    By least squares; the stand's own light is one of spherical harmonics, too. A start that leaves to the light what is
    brighter on one side, before colours can take it for skin.
    """
    seen = _visible(sitter, portrait, stand, sitter.shaped(sitter.identity, stand.expression))
    albedo = paint(seen.spots).mean(1)
    photo = srgb_to_linear(portrait.picture.permute(1, 2, 0)[seen.covered]).mean(1)
    weight = seen.spots.of(sitter.face[:, None])[:, 0] * seen.spots.skin * (photo < 0.9)
    basis = sh_basis(seen.normals) * (albedo * seen.occlusion)[:, None]
    found = torch.zeros(9)
    for _ in range(ROUNDS):
        normal = (basis * weight[:, None]).T @ basis
        ridge = RIDGE * normal[0, 0] * torch.tensor([0.0, 1, 1, 1, 3, 3, 3, 3, 3])
        found = torch.linalg.solve(normal + torch.diag(ridge + 1e-6), (basis * weight[:, None]).T @ photo)
        rest = photo - basis @ found
        spread = 1.48 * rest[weight > 0].abs().median().clamp(min=0.01)
        weight = weight.sign() / (1 + (rest / (2 * spread)).square())
    level = stand.light[0].mean() / found[0].clamp(min=1e-3)
    return (found * level)[:, None].expand(9, 3).clone()
