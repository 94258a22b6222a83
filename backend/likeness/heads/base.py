"""The one interface of all parametric heads: identity, expression, joints, regions, landmarks."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from likeness.errors import HeadError
from likeness.heads.skinning import linear_blend_skinning, pose_correctives

__all__ = ["REGION_MATERIALS", "HeadModel", "LandmarkEmbedding", "triangulate"]

FORMAT = 1

REGION_MATERIALS = {
    "skin": "Skin",
    "eye.L": "Eye",
    "eye.R": "Eye",
    "teeth": "Teeth",
    "gums": "Gums",
    "tongue": "Tongue",
    "mouth": "Mouth",
    "lashes": "Lashes",
    "wet": "Wet",
}
"""Region of a head -> material slot in Blender. Each material has maps and a [0, 1] UV square of its own."""


def triangulate(polygons: Tensor) -> tuple[Tensor, Tensor]:
    """Split quads into triangles in a fixed order.

    Args:
        polygons: (F, 4) int64, -1 in the last column for triangles.

    Returns:
        corners (T, 3) int64, columns of ``polygons`` per triangle; parent (T,) int64, polygon per triangle.
        Polygon by polygon: (0, 1, 2), then (0, 2, 3) where it is a quad. Landmark embeddings rely on it.
    """
    quad = polygons[:, 3] >= 0
    parent = torch.repeat_interleave(torch.arange(len(polygons)), 1 + quad.long())
    first = torch.ones(len(parent), dtype=torch.bool)
    first[1:] = parent[1:] != parent[:-1]
    corners = torch.where(first[:, None], torch.tensor([[0, 1, 2]]), torch.tensor([[0, 2, 3]]))
    return corners, parent


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Landmarks as points on triangles of the head.

    Attributes:
        triangle: (L,) int64, index into `HeadModel.triangles`; -1 where the head has no such point.
        barycentric: (L, 3) float32.
    """

    triangle: Tensor
    barycentric: Tensor

    def on(self, vertices: Tensor, triangles: Tensor) -> Tensor:
        """Landmark positions (..., L, 3) on vertices (..., V, 3), in the vertices' unit and frame."""
        corners = vertices[..., triangles[self.triangle.clamp(min=0)], :]
        return (corners * self.barycentric[:, :, None]).sum(-2)


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A parametric head. All tensors on one device; metres; +Y up; the face looks along +Z; origin at the
    base of the neck joint. Vertex order, UVs and names never change between versions of one head.

    Attributes:
        name, title, licence: identifier ("anny"), name for people, SPDX expression of the head's data.
        template: (V, 3) float32, mean neutral head.
        identity: (N, V, 3) float32 deltas; coefficients are independent N(0, 1).
        expression: (M, V, 3) float32 deltas at weight 1; weights run 0..1.
        expression_names: M names, ARKit's 52 first.
        polygons: (F, 4) int64 vertex indices, -1 last for triangles.
        uv, polygons_uv: (T, 2) float32 in [0, 1] with the origin at the lower left, (F, 4) int64 indices.
        region_names, polygon_region: names (keys of `REGION_MATERIALS`), (F,) int64 index per polygon.
        joint_names, joint_parents: J names (root neck head jaw eye.L eye.R …), parents' indices, -1 for the root.
        joints, joints_identity: (J, 3) rest positions on the template, (N, J, 3) deltas per identity coefficient.
        skin_weights: (V, J) float32, rows sum to 1.
        mirror: (V,) int64, each vertex's partner on the other side (its own index on the midline).
        groups: soft vertex groups (V,) float32 in [0, 1]: face, lips, eyelids, ears, nose, scalp, neck, brows …
        landmarks: sets of embeddings: "mediapipe478", "ibug68".
        landmark_bias: (478, 3) float32 metres in the head's frame, what the landmark network adds to the embedded
            point on average; landmark_sigma: (478,) float32, its residual noise in units of the inter-ocular distance.
        correctives: (9 K, V, 3) float32 metres per unit of an entry of R - I, row by row, R being the rotation of a
            joint against its parent, for the K joints named in corrective_joints; None for a head without.
        identity_names: names of the first identity coefficients that avatars keep as shape keys; none for a head whose
            coefficients mean nothing to anybody else.
        notes: provenance in plain words, e.g. package versions it was compiled from.
    """

    name: str
    title: str
    licence: str
    template: Tensor
    identity: Tensor
    expression: Tensor
    expression_names: tuple[str, ...]
    polygons: Tensor
    uv: Tensor
    polygons_uv: Tensor
    region_names: tuple[str, ...]
    polygon_region: Tensor
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    joints: Tensor
    joints_identity: Tensor
    skin_weights: Tensor
    mirror: Tensor
    groups: dict[str, Tensor] = field(default_factory=dict)
    landmarks: dict[str, LandmarkEmbedding] = field(default_factory=dict)
    landmark_bias: Tensor | None = None
    landmark_sigma: Tensor | None = None
    correctives: Tensor | None = None
    corrective_joints: tuple[str, ...] = ()
    identity_names: tuple[str, ...] = ()
    notes: str = ""

    @cached_property
    def triangles(self) -> Tensor:
        """(T, 3) int64 vertex indices, in `triangulate`'s order."""
        corners, parent = triangulate(self.polygons)
        return torch.gather(self.polygons[parent], 1, corners)

    @cached_property
    def triangles_uv(self) -> Tensor:
        """(T, 3) int64 UV indices, in `triangulate`'s order."""
        corners, parent = triangulate(self.polygons)
        return torch.gather(self.polygons_uv[parent], 1, corners)

    @cached_property
    def triangle_region(self) -> Tensor:
        """(T,) int64 region index per triangle."""
        return self.polygon_region[triangulate(self.polygons)[1]]

    def region(self, *names: str) -> Tensor:
        """(T,) bool: triangles that belong to any of the named regions (absent names are ignored)."""
        wanted = [i for i, n in enumerate(self.region_names) if n in names]
        return torch.isin(self.triangle_region, torch.tensor(wanted, dtype=torch.int64))

    def with_expressions(self, names: Sequence[str]) -> Self:
        """The same head with only those of its expressions that are named, in its own order."""
        kept = [i for i, name in enumerate(self.expression_names) if name in names]
        if len(kept) == len(self.expression_names):
            return self
        own = tuple(self.expression_names[i] for i in kept)
        return replace(self, expression=self.expression[kept], expression_names=own)

    def shape(self, identity: Tensor, expression: Tensor | None = None) -> Tensor:
        """Unposed vertices (B, V, 3) metres from identity (B, N) and expression (B, M)."""
        v = self.template + torch.einsum("bn,nvc->bvc", identity, self.identity)
        return v if expression is None else v + torch.einsum("bm,mvc->bvc", expression, self.expression)

    def joints_of(self, identity: Tensor) -> Tensor:
        """Rest joints (B, J, 3) metres from identity (B, N)."""
        return self.joints + torch.einsum("bn,njc->bjc", identity, self.joints_identity)

    def pose(self, vertices: Tensor, joints: Tensor, pose: Tensor) -> Tensor:
        """Pose correctives and linear blend skinning of unposed vertices (B, V, 3) by pose (B, J, 3) axis-angle rad."""
        if self.correctives is not None:
            turning = [self.joint_names.index(name) for name in self.corrective_joints]
            vertices = vertices + pose_correctives(pose[:, turning], self.correctives)
        return linear_blend_skinning(vertices, joints, pose, self.joint_parents, self.skin_weights)

    def forward(self, identity: Tensor, expression: Tensor, pose: Tensor | None = None) -> Tensor:
        """Vertices (B, V, 3) metres from identity (B, N), expression (B, M), pose (B, J, 3) axis-angle radians."""
        v = self.shape(identity, expression)
        return v if pose is None else self.pose(v, self.joints_of(identity), pose)

    def save(self, path: Path) -> None:
        """Write one safetensors file, beside and then renamed; bases are stored as float16."""
        tensors: dict[str, Tensor] = {}
        meta: dict[str, Any] = {"format": FORMAT}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Tensor):
                tensors[f.name] = (value.half() if f.name in ("identity", "expression") else value).contiguous()
            elif f.name == "groups":
                tensors |= {f"groups.{k}": v.contiguous() for k, v in value.items()}
            elif f.name == "landmarks":
                for k, e in value.items():
                    tensors[f"landmarks.{k}.triangle"] = e.triangle.contiguous()
                    tensors[f"landmarks.{k}.barycentric"] = e.barycentric.contiguous()
            else:
                meta[f.name] = value
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            save_file(tensors, aside, metadata={"likeness.head": json.dumps(meta)})
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; raises HeadError when the file is missing, damaged or of another format."""
        try:
            with safe_open(path, framework="pt") as file:
                meta = json.loads(file.metadata()["likeness.head"])
                tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise HeadError(
                f"The head model {path} cannot be read ({error}); delete it and it is made anew."
            ) from error
        if meta.pop("format") != FORMAT:
            raise HeadError(f"The head model {path} has another format; delete it and it is made anew.")
        groups = {k[7:]: v for k, v in tensors.items() if k.startswith("groups.")}
        sets = {k.split(".")[1] for k in tensors if k.startswith("landmarks.")}
        landmarks = {
            k: LandmarkEmbedding(tensors[f"landmarks.{k}.triangle"], tensors[f"landmarks.{k}.barycentric"])
            for k in sets
        }
        plain = {k: (v.float() if v.dtype == torch.float16 else v) for k, v in tensors.items() if "." not in k}
        meta = {k: tuple(v) if isinstance(v, list) else v for k, v in meta.items()}
        try:
            return cls(**meta, **plain, groups=groups, landmarks=landmarks)
        except TypeError as error:
            raise HeadError(f"The head model {path} lacks a part ({error}); delete it and it is made anew.") from error
