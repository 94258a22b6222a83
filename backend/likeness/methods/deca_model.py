"""DECA's arithmetic: crops to codes, codes to a head, its landmarks, its detail in UV space and its light.

Source: Feng, Feng, Black and Bolkart, "Learning an Animatable Detailed 3D Face Model from In-The-Wild Images", ACM ToG
(SIGGRAPH) 2021. Frames: vertices are FLAME's own (metres, +Y up); a projected point is (X, Y, Z) with X, Y in -1..1
over the crop, Y down, smaller Z nearer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from likeness.errors import HeadError
from likeness.heads.flame import Flame
from likeness.heads.flame_landmarks import FlameLandmarks
from likeness.networks.deca import DETAIL, MAP, PARAMETERS, DetailDecoder, Encoder
from likeness.networks.fuse import fold_batch_norms
from likeness.render.raster import Raster, interpolate, rasterise_uv
from likeness.weights.strict import load_into

__all__ = ["Assets", "Coarse", "Codes", "Deca", "Detail", "projected", "sh_shading"]

SPLIT = {"shape": 100, "tex": 50, "exp": 50, "pose": 6, "cam": 3, "light": 27}
FACING = 0.1
"""z of a projected normal below which a landmark counts as seen."""
BARE = 0.7
"""Grey of the photo's texture where the mask hides it."""
SMALLEST = 1e-6
"""Square metres of summed triangles below which a normal is not stretched to length 1."""
# The grid of the map as a mesh: columns and rows that have triangles.
GRID_X, GRID_Y = (2, 253), (5, 250)

_PI = float(np.pi)
SH_FACTORS = (
    1 / np.sqrt(4 * _PI),
    *(2 * _PI / 3 * np.sqrt(3 / (4 * _PI)),) * 3,
    *(_PI / 4 * 3 * np.sqrt(5 / (12 * _PI)),) * 3,
    _PI / 4 * (3 / 2) * np.sqrt(5 / (12 * _PI)),
    _PI / 4 * (1 / 2) * np.sqrt(5 / (4 * _PI)),
)
"""Of DECA's nine harmonics: 1, x, y, z, xy, xz, yz, x²-y², 3z²-1."""


@dataclass(frozen=True, eq=False)
class Codes:
    """What the encoders say of a crop, float32.

    Attributes:
        shape: (B, 100); tex: (B, 50); exp: (B, 50) coefficients.
        pose: (B, 6) axis-angle radians, global and jaw.
        cam: (B, 3) scale, tx, ty.
        light: (B, 9, 3) spherical harmonics, coefficient by red, green, blue.
        detail: (B, 128).
    """

    shape: Tensor
    tex: Tensor
    exp: Tensor
    pose: Tensor
    cam: Tensor
    light: Tensor
    detail: Tensor

    def neutral(self) -> Codes:
        """The same person at rest: no expression, no pose."""
        return replace(self, exp=torch.zeros_like(self.exp), pose=torch.zeros_like(self.pose))


@dataclass(frozen=True, eq=False)
class Coarse:
    """The coarse head.

    Attributes:
        vertices: (B, V, 3) metres, posed; normals: (B, V, 3) unit.
        head_rotation: (B, 3, 3) of root and neck; joints: (B, 5, 3) metres, posed.
        landmarks2d: (B, 68, 2), contour as seen, and landmarks3d: (B, 68, 3), contour on the skin, both projected;
            landmarks_world: (B, 68, 3) metres, the latter unprojected.
        visible: (B, 68) bool, which of the latter face the camera.
    """

    vertices: Tensor
    normals: Tensor
    joints: Tensor
    head_rotation: Tensor
    landmarks2d: Tensor
    landmarks3d: Tensor
    landmarks_world: Tensor
    visible: Tensor


@dataclass(frozen=True, eq=False)
class Detail:
    """Detail in UV space, row 0 at v = 1.

    Attributes:
        positions, normals_coarse: (256, 256, 3) of the coarse head, zero outside the charts.
        displacement: (256, 256) metres along the normal, the fixed one of eyes and lips included, not masked.
        normals: (256, 256, 3) unit, in FLAME's frame after the global rotation, blended into the coarse ones.
    """

    positions: Tensor
    normals_coarse: Tensor
    displacement: Tensor
    normals: Tensor


@dataclass(frozen=True, eq=False)
class Assets:
    """The rest of DECA's data folder.

    Attributes:
        uv: (T, 2) float32, triangles_uv: (F, 3) int64, of ``head_template.obj``.
        mask: (256, 256) float32 0..1, ``uv_face_eye_mask.png``.
        fixed: (256, 256) float32 metres, ``fixed_displacement_256.npy``.
        dense: ``texture_data_256.npy`` by its own names, empty where it is not there.
    """

    uv: Tensor
    triangles_uv: Tensor
    mask: Tensor
    fixed: Tensor
    dense: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        """Raises HeadError for maps of another size."""
        for name, picture in (("uv_face_eye_mask.png", self.mask), ("fixed_displacement_256.npy", self.fixed)):
            if tuple(picture.shape) != (MAP, MAP):
                raise HeadError(f"{name} is {tuple(picture.shape)}, not {MAP} x {MAP}; use DECA's data folder.")

    def raster(self, size: int) -> Raster:
        """Which triangle each texel of a (size, size) map shows."""
        return rasterise_uv(self.uv, self.triangles_uv, size)


class Deca:
    """The networks with the head they speak of."""

    def __init__(self, flame: Flame, landmarks: FlameLandmarks, assets: Assets) -> None:
        self.flame, self.landmarks, self.assets = flame, landmarks, assets
        self.coarse_encoder, self.detail_encoder = Encoder(PARAMETERS), Encoder(DETAIL)
        self.decoder = DetailDecoder()
        self._raster = assets.raster(MAP)
        self._grid = _grid()

    def load(self, tensors: Mapping[str, NDArray[Any]], source: str) -> None:
        """Fill the networks from ``deca_model.tar``'s tensors ("E_flame.encoder.conv1.weight" …).

        Raises:
            WeightsError: a tensor is missing, of another shape, or unknown.
        """
        nets = {"E_flame.": self.coarse_encoder, "E_detail.": self.detail_encoder, "D_detail.": self.decoder}
        for prefix, net in nets.items():
            own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            load_into(net, own, f"{source} ({prefix[:-1]})")
            net.requires_grad_(False).eval()
            fold_batch_norms(net)

    @torch.inference_mode()
    def encode(self, crops: Tensor) -> Codes:
        """Codes of crops (B, 3, 224, 224) RGB in 0..1."""
        parts = self.coarse_encoder(crops).split(list(SPLIT.values()), 1)
        named = dict(zip(SPLIT, parts, strict=True))
        named["light"] = named["light"].reshape(-1, 9, 3)
        return Codes(**named, detail=self.detail_encoder(crops))

    @torch.inference_mode()
    def coarse(self, codes: Codes) -> Coarse:
        """The head of the codes."""
        posed = self.flame.forward(codes.shape, codes.exp, codes.pose)
        triangles, vertices = self.flame.triangles, posed.vertices
        normals = torch.stack([_normals(v, triangles) for v in vertices])
        whole = self.landmarks.fixed()
        world = whole.on(vertices, triangles)
        # A projected normal is turned about x, as the points are.
        facing = -whole.on(normals, triangles)[..., 2]
        seen = self.landmarks.seen(vertices, triangles, posed.head_rotation)
        return Coarse(
            vertices=vertices,
            normals=normals,
            joints=posed.joints,
            head_rotation=posed.head_rotation,
            landmarks2d=projected(seen, codes.cam)[..., :2],
            landmarks3d=projected(world, codes.cam),
            landmarks_world=world,
            visible=facing < FACING,
        )

    @torch.inference_mode()
    def displacement(self, codes: Codes) -> Tensor:
        """(B, 256, 256) metres along the normal, the fixed displacement included; not masked."""
        latent = torch.cat([codes.pose[:, 3:], codes.exp, codes.detail], 1)
        metres: Tensor = self.decoder(latent)[:, 0] + self.assets.fixed
        return metres

    @torch.inference_mode()
    def detail(self, codes: Codes, coarse: Coarse, item: int = 0) -> Detail:
        """The detail of one of the batch."""
        displacement = self.displacement(_one(codes, item))[0]
        positions = self.bake(coarse.vertices[item])
        normals = self.bake(coarse.normals[item])
        mask = self.assets.mask
        height = (displacement - self.assets.fixed) * mask + self.assets.fixed
        raised = positions + height[..., None] * normals
        fine = _normals(raised.reshape(-1, 3), self._grid).reshape(MAP, MAP, 3)
        return Detail(positions, normals, displacement, fine * mask[..., None] + normals * (1 - mask[..., None]))

    def bake(self, values: Tensor) -> Tensor:
        """Vertex values (V, C) as a map (256, 256, C), zero outside the charts."""
        return interpolate(values, self.flame.triangles, self._raster)

    @property
    def covered(self) -> Tensor:
        """(256, 256) bool, the texels inside the charts."""
        return self._raster.covered

    @torch.inference_mode()
    def photo_texture(
        self, coarse: Coarse, codes: Codes, crop: Tensor, item: int = 0, lit: Tensor | None = None
    ) -> Tensor:
        """(256, 256, 3) the crop (3, 224, 224) laid out under the mask, as the original does: no test of visibility.

        Args:
            lit: (256, 256, 3) shaded albedo that shows beside the mask, grey without it.
        """
        places = self.bake(projected(coarse.vertices, codes.cam)[item])[..., :2]
        photo = functional.grid_sample(crop[None], places[None], mode="bilinear", align_corners=False)[0]
        mask = self.assets.mask[..., None]
        return photo.permute(1, 2, 0) * mask + (BARE if lit is None else lit) * (1 - mask)

    def dense(self, coarse: Coarse, detail: Detail, texture: Tensor, item: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """The dense mesh of ``texture_data_256.npy``.

        Returns:
            vertices (N, 3) metres, triangles (T, 3) int64, colours (N, 3) as the texture's; all empty without the file.
        """
        data = self.assets.dense
        if not data:
            return torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3)
        chosen = np.asarray(data["valid_pixel_ids"]).astype(np.int64)
        column, row = (torch.from_numpy(np.asarray(data[k])[chosen].astype(np.int64)) for k in ("x_coords", "y_coords"))
        corners = torch.from_numpy(np.asarray(data["valid_pixel_3d_faces"]).astype(np.int64))
        weights = torch.from_numpy(np.asarray(data["valid_pixel_b_coords"]).astype(np.float64))[..., None]
        points = (coarse.vertices[item].double()[corners] * weights).sum(1)
        normals = functional.normalize((coarse.normals[item].double()[corners] * weights).sum(1), dim=-1)
        raised = points + detail.displacement[row, column].double()[:, None] * normals
        faces = torch.from_numpy(np.asarray(data["f"]).astype(np.int64))
        return raised.float(), faces, texture[row, column]


def projected(points: Tensor, cam: Tensor) -> Tensor:
    """Weak perspective: points (B, N, 3) metres and cam (B, 3) to (X, Y, Z), see the module."""
    scale, shift = cam[:, :1, None], cam[:, None, 1:]
    moved = torch.cat([points[..., :2] + shift, points[..., 2:]], -1)
    return moved * scale * points.new_tensor([1.0, -1.0, -1.0])


def sh_shading(normals: Tensor, light: Tensor) -> Tensor:
    """Shading (..., 3) of unit normals (..., 3) under DECA's light (9, 3), by which albedo is multiplied."""
    x, y, z = normals.unbind(-1)
    harmonics = torch.stack([torch.ones_like(x), x, y, z, x * y, x * z, y * z, x**2 - y**2, 3 * z**2 - 1], -1)
    return harmonics * normals.new_tensor(SH_FACTORS) @ light


def _one(codes: Codes, item: int) -> Codes:
    return Codes(**{name: value[item : item + 1] for name, value in vars(codes).items()})


def _normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(V, 3) weighted by area; shorter than 1 where triangles are tiny, as in the original."""
    a, b, c = vertices[triangles].unbind(-2)
    flat = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(0, triangles[:, corner], flat)
    return functional.normalize(total, dim=-1, eps=SMALLEST)


def _grid() -> Tensor:
    """(T, 3) triangles over the texels of the map."""
    y, x = torch.meshgrid(torch.arange(*GRID_Y), torch.arange(*GRID_X), indexing="ij")
    a = (y * MAP + x).reshape(-1)
    return torch.cat([torch.stack([a, a + MAP, a + 1], 1), torch.stack([a + 1, a + MAP, a + MAP + 1], 1)])
