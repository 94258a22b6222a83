"""A photo laid out in FLAME's own texture layout, at the photo's resolution, hidden texels told apart."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.heads.base import HeadModel
from likeness.methods.base import View
from likeness.render.raster import interpolate, rasterise, rasterise_uv
from likeness.render.view import project, vertex_normals

__all__ = ["photo_map"]

RASTER_SIDE = 768
BIAS = 0.003  # metres a texel may lie behind what the camera sees there and still be seen
FACING = 0.15  # cosine below which a texel is seen too flatly


def photo_map(head: HeadModel, vertices: Tensor, view: View, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo on the skin.

    Args:
        vertices: (V, 3) metres in the head's frame, with the photo's expression and pose.
        size: side of the map in texels.

    Returns:
        (size, size, 3) sRGB, and (size, size) 255 where the photo shows the texel, 0 elsewhere; row 0 at v = 1.
    """
    skin = head.region("skin")
    triangles = head.triangles[skin]
    raster = rasterise_uv(head.uv, head.triangles_uv[skin], size)
    points = project(view.camera, vertices)
    low, high = points[:, :2].amin(0), points[:, :2].amax(0)
    factor = RASTER_SIDE / float((high - low).max())
    scaled = torch.cat([(points[:, :2] - low) * factor, points[:, 2:]], 1)
    side = RASTER_SIDE + 1
    depth = rasterise(scaled, head.triangles, side, side).depth
    # Towards the camera, whose z axis points away from it.
    toward = -vertex_normals(vertices, head.triangles) @ torch.from_numpy(view.camera.rotation[2]).float()
    seen = interpolate(torch.cat([points, scaled[:, :2], toward[:, None]], 1), triangles, raster)
    column, row = (seen[..., k].long().clamp(0, side - 1) for k in (3, 4))
    near = (seen[..., 2] < depth[row, column] + BIAS) & (seen[..., 5] > FACING) & raster.covered
    inside = (seen[..., 0] > 0) & (seen[..., 1] > 0)
    inside &= (seen[..., 0] < view.camera.width) & (seen[..., 1] < view.camera.height)
    where = (seen[..., :2] - 0.5).numpy().astype(np.float32)
    pixels = cv2.remap(view.face.photo.pixels, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    shown = (near & inside).numpy()
    return np.where(raster.covered.numpy()[..., None], pixels, 0).astype(np.uint8), np.uint8(255) * shown
