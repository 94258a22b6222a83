"""What a user gets: a rigged head with maps, cameras and provenance. `likeness.package` puts it on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.camera import Camera

__all__ = ["MAX_WEIGHT", "Avatar", "AvatarView", "Identity", "Map", "Material", "OwnMesh"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

MAX_WEIGHT = 10.0
"""Of an expression or a coefficient of identity; Blender's sliders go no further."""


@dataclass(frozen=True, eq=False)
class Map:
    """An image in UV space; row 0 is the top, v = 1.

    Attributes:
        pixels: (H, W) or (H, W, 3); uint8, uint16 or float32 (0..1 for colour).
        colour: "srgb" for what the eye sees, "linear" for data.
        scale, offset: data value = scale * (pixel / type's maximum) + offset; e.g. metres for displacement.
    """

    pixels: NDArray[Any]
    colour: Literal["srgb", "linear"]
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, eq=False)
class Material:
    """A material slot: its maps by channel and its plain values.

    Channels: "albedo" (diffuse, sRGB, no light baked in), "specular" (Specular IOR Level), "roughness", "normal"
    (tangent space, +Y up), "displacement" (metres along the normal), "alpha", "confidence" (1 seen in a photo,
    0.5 mirrored from the other side, 0 invented), "origin" (where most of a texel is from: 255 seen, 127 mirrored,
    0 filled), "detail.NAME" (metres that the expression NAME adds to the displacement at weight 1), "shade.N" (natural
    logarithm of the light that photo N, from 1, shows on the skin beyond its albedo under that photo's light). Values:
    fallbacks by the same names, "iris_radius" in UV units for eyes, and of skin "melanin" and "blood" (amounts, see
    `likeness.maps.chromophores`) and "exposure" (linear red, green and blue of the first photo over the albedo's).
    """

    maps: dict[str, Map] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AvatarView:
    """How the head stands in one photo.

    Attributes:
        name: file name of the photo without folders.
        photo: (H, W, 3) uint8 sRGB, orientation applied.
        camera: the head's frame to that photo.
        expression: weights within their limits by expression name, zeros left out.
        pose: (J, 3) float32 axis-angle radians.
        light: (9, 3) float32 radiance of the photo's light, red, green and blue: spherical harmonics up to degree 2 in
            the head's frame, order (0,0) (1,-1) (1,0) (1,1) (2,-2) … (2,2) about +Z; None where it is not known.
    """

    name: str
    photo: NDArray[np.uint8]
    camera: Camera
    expression: dict[str, float]
    pose: Floats
    light: Floats | None = None


@dataclass(frozen=True, eq=False)
class OwnMesh:
    """What the method itself made, beside the head that can be animated.

    Attributes:
        vertices: (N, 3) float32 metres, in the method's own frame.
        triangles: (T, 3) int32, anticlockwise seen from outside.
        colours: (N, 3) uint8 sRGB, or None.
    """

    vertices: Floats
    triangles: Ints
    colours: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Identity:
    """What makes the head this person's, for who wants to change it: vertices = basis + weights @ deltas.

    Attributes:
        names: of the N coefficients, no expression's.
        weights: (N,) float32 of this person.
        deltas: (N, V, 3) float32 metres at weight 1, kept as half floats.
        joints: (N, J, 3) float32 metres that the rest joints move at weight 1.
    """

    names: tuple[str, ...]
    weights: Floats
    deltas: Floats
    joints: Floats


@dataclass(frozen=True, eq=False)
class Avatar:
    """A rigged, textured head. Metres, +Y up, the face along +Z, origin at the base of the neck joint.

    Attributes:
        name: of the avatar, a valid file name.
        head: name of the head model whose topology this is.
        vertices: (V, 3) float32, neutral.
        polygons: (F, 4) int32, -1 last for triangles; polygon_region: (F,) int32 into region_names.
        uv: (T, 2) float32, origin lower left; polygons_uv: (F, 4) int32.
        region_materials: material name per region name.
        expression: (M, V, 3) float32 deltas at weight 1; expression_names: M names.
        joints: (J, 3) float32 rest positions; joint_parents: -1 for the root.
        skin_weights: (V, J) float32, rows sum to 1.
        groups: soft vertex groups (V,) float32 in 0..1.
        materials: by name.
        views: one per photo.
        provenance: method, licences (the strictest first), weights' sha256, versions, date; JSON-serialisable.
        correctives: (9 K, V, 3) float32 metres per unit of an entry of R - I, row by row, R being the rotation of a
            joint against its parent, for the K joints named in corrective_joints.
        expression_limits: lowest and highest weight of the expressions whose weights do not run from 0 to 1.
        own_mesh: the method's own mesh where it differs from the head.
        identity: the person's coefficients, where the head model gives them names.
    """

    name: str
    head: str
    vertices: Floats
    polygons: Ints
    uv: Floats
    polygons_uv: Ints
    region_names: tuple[str, ...]
    polygon_region: Ints
    region_materials: dict[str, str]
    expression_names: tuple[str, ...]
    expression: Floats
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    joints: Floats
    skin_weights: Floats
    groups: dict[str, Floats]
    materials: dict[str, Material]
    views: tuple[AvatarView, ...]
    provenance: dict[str, Any]
    correctives: Floats | None = None
    corrective_joints: tuple[str, ...] = ()
    expression_limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    own_mesh: OwnMesh | None = None
    identity: Identity | None = None
