"""The open head, smiling, laid over a face in a photo: the known truth for methods whose meshes lie over photos."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.heads.surface import similarity
from likeness.render.raster import interpolate, rasterise

MOODS = {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}


def smiling(head: HeadModel) -> torch.Tensor:
    """(V, 3) metres."""
    weights = torch.zeros(len(head.expression))
    for name, value in MOODS.items():
        weights[head.expression_names.index(name)] = value
    return head.template + torch.einsum("m,mvc->vc", weights, head.expression)


def over(head: HeadModel, face: Face, vertices: np.ndarray) -> np.ndarray:
    """Vertices (V, 3) of the head in pixels of the photo: x right, y down, z nearer is larger."""
    posed = smiling(head)
    marks = head.landmarks["mediapipe478"].on(posed, head.triangles).double().numpy()[:468]
    scale, rotation, shift = similarity(marks, face.landmarks[:468] * (1, -1, -1))
    return (scale * vertices @ rotation.T + shift) * (1, -1, 1)


def front(head: HeadModel) -> torch.Tensor:
    """Triangles (T, 3) of the face, eyeballs among them."""
    skin = head.triangles[head.region("skin")]
    skin = skin[(head.groups["face"][skin] > 0.3).all(1)]
    return torch.cat([skin, head.triangles[head.region("eye.L", "eye.R")]])


def seen_at(points: np.ndarray, triangles: torch.Tensor, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Values (V, C) of what a picture (H, W) shows of points (V, 3), nearer z larger; beyond it as at its rim."""
    far = np.concatenate([points[:, :2], points[:, 2].max() - points[:, 2:] + 1], 1)
    raster = rasterise(torch.from_numpy(far).float(), triangles, size[1], size[0])
    drawn = interpolate(torch.from_numpy(values), triangles, raster).numpy()
    row, column = distance_transform_edt(~raster.covered.numpy(), return_indices=True)[1]
    away = distance_transform_edt(~raster.covered.numpy())
    return np.concatenate([drawn[row, column], away[..., None]], 2)
