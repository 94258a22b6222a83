"""Where the texels of a head's skin lie in the UVs of another mesh of a face."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from likeness.errors import HeadError, WeightsError
from likeness.heads.base import HeadModel
from likeness.heads.flame_files import FlameFiles
from likeness.heads.mesh_landmarks import FaceMesh, find_on_mesh
from likeness.heads.registration import lay_onto
from likeness.heads.surface import Surface, normals
from likeness.progress import Progress
from likeness.render.raster import interpolate, rasterise_uv
from likeness.weights import catalog, store
from likeness.weights.tensor_file import read_tensors, write_tensors

__all__ = ["Layout", "laid_out", "layout_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDE = 256
NEAR = 0.006
"""Metres of the head from a texel to the other mesh, at most."""
FACING = 0.3
SOFT = 2.0
"""Texels over which the covered part ends."""
VERSION = 1


@dataclass(frozen=True, eq=False)
class Layout:
    """For each texel of the head's skin, row 0 at v = 1: its place in the other picture.

    Attributes:
        grid: (S, S, 2) float32 as `torch.nn.functional.grid_sample` takes it, -1..1, y down.
        covered: (S, S) float32 0..1, where the other mesh has what the head shows.
    """

    grid: Tensor
    covered: Tensor


def layout_of(head: HeadModel, source: str | FlameFiles, part: str, progress: Progress) -> Layout:
    """The layout of an installed mesh, made once (half a minute) and then kept.

    Args:
        source: entry of the catalogue that holds an OBJ with UVs under the id `part`; or an edition of FLAME.

    Raises:
        WeightsError: the mesh is not installed, or has no UVs.
        HeadError: no face is seen on it.
    """
    if isinstance(source, FlameFiles):
        vertices, triangles = source.flame.template.double().numpy(), source.flame.triangles.numpy()
        uv, corners = source.layout.uv.double().numpy(), source.layout.triangles_uv.numpy()
    else:
        mesh = store.open_weights(source).tensors(f"{part}/")
        if "ft" not in mesh or "vt" not in mesh:
            raise WeightsError(
                f"{catalog.entry(source).title}: its mesh has no UVs; install it again with an OBJ that has."
            )
        vertices, triangles = mesh["v"].astype(np.float64), mesh["f"].astype(np.int64)
        uv, corners = mesh["vt"].astype(np.float64), mesh["ft"].astype(np.int64)
    mark = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in (vertices, triangles, uv, corners)))
    mark.update(f"{VERSION} {head.name} {head.notes}".encode() + head.uv.numpy().tobytes())
    path = store.home() / "ganfit" / f"{head.name}-{mark.hexdigest()[:12]}.safetensors"
    if path.exists():
        with suppress(WeightsError):
            kept, _ = read_tensors(path)
            return Layout(kept["grid"], kept["covered"])
    made = laid_out(head, vertices, triangles, uv, corners, progress)
    try:
        write_tensors(path, {"grid": made.grid, "covered": made.covered})
    except OSError as error:
        raise HeadError(
            f"{path} cannot be stored ({error.strerror or error}); free some space, or set LIKENESS_HOME to a folder "
            "you can write."
        ) from error
    return made


def laid_out(
    head: HeadModel, vertices: Floats, triangles: Ints, uv: Floats, corners: Ints, progress: Progress
) -> Layout:
    """Lay the head onto a mesh and look up where its texels are.

    Args:
        vertices: (U, 3) in any unit and frame; triangles: (T, 3); uv: (W, 2), origin lower left; corners: (T, 3).

    Raises:
        HeadError: no face is seen on the mesh.
    """
    found = find_on_mesh(head, FaceMesh(vertices, triangles), progress)
    if found.flipped:
        triangles, corners = triangles[:, ::-1].copy(), corners[:, ::-1].copy()
    laid = lay_onto(head, vertices, triangles, found.landmarks, progress)
    mine = head.region("skin")
    raster = rasterise_uv(head.uv, head.triangles_uv[mine], SIDE)
    skin = head.triangles[mine]
    across = normals(laid.vertices, skin.numpy())
    values = torch.from_numpy(np.concatenate([laid.vertices, across], 1))
    there = interpolate(values, skin, raster)[raster.covered].numpy()
    below = Surface(vertices, triangles).closest(there[:, :3], there[:, 3:])
    place = (uv[corners[below.triangle]] * below.barycentric[..., None]).sum(1)
    away = np.linalg.norm(below.place - there[:, :3], axis=1) / laid.scale
    grid = torch.zeros(SIDE, SIDE, 2)
    grid[raster.covered] = torch.from_numpy(np.stack([2 * place[:, 0] - 1, 1 - 2 * place[:, 1]], 1)).float()
    covered = np.zeros((SIDE, SIDE), np.float32)
    covered[raster.covered.numpy()] = (away < NEAR) & (below.facing > FACING)
    soft = np.minimum(gaussian_filter(covered, SOFT) * 2 - 1, covered).clip(0)
    return Layout(grid, torch.from_numpy(soft.astype(np.float32)))
