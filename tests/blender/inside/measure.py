"""What the tests inside Blender measure with."""

from pathlib import Path

import bpy
import numpy as np

EXTENSION = "bl_ext.user_default.likeness"


def posed_vertices(head: bpy.types.Object) -> np.ndarray:
    """Vertices (V, 3) in Blender's world, with keys and bones, without subdivision."""
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    mesh = head.evaluated_get(graph).data
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3) @ np.array(head.matrix_world)[:3, :3].T + np.array(head.matrix_world)[:3, 3]


def from_blender(points: np.ndarray) -> np.ndarray:
    """Blender's frame to the package's."""
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], 1)


def load(path: Path) -> np.ndarray:
    """A picture (H, W, 4) float, row 0 at the top, as the file holds it."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    width, height = image.size
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]
