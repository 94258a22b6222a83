"""478 landmarks of a face by the attention face mesh.

Source: Grishchenko et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time", 2020. Point numbers:
0..467 the mesh, 468..472 the iris of the eye on the picture's left (centre first), 473..477 the other iris.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces.crop import Window, fitted
from likeness.networks.graph import GraphModule, face_network, one_thread

__all__ = ["landmarks_in", "landmarks_of"]

SIZE = 192
_MARGIN = 1.5  # the network was trained on windows half as wide again as the landmarks' box
_PASSES = 6
_SETTLED = math.radians(4)
_EYE_RING = 16  # the first points of an eye's list are the ring of its lids


def landmarks_of(
    pixels: NDArray[np.uint8], box: NDArray[np.float64] | tuple[float, float, float, float], roll: float = 0.0
) -> tuple[NDArray[np.float64], float]:
    """Landmarks of a face whose place is known; no detector is run.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        box: left, top, right, bottom of the face (chin to forehead, ear to ear) in pixels.
        roll: degrees by which the face is turned clockwise in the picture.

    Returns:
        (478, 3) float64, x and y in pixels of the picture (the first pixel's centre is 0.5), z in the same scale,
        smaller is nearer; and the score 0..1 that a face is there at all.

    Raises:
        WeightsError: the networks cannot be fetched or read.
    """
    left, top, right, bottom = (float(v) for v in box)
    corners = np.array([[left, top], [right, bottom]])
    x, y = corners.mean(axis=0)
    side = max(right - left, bottom - top) * _MARGIN
    return landmarks_in(pixels, Window(float(x), float(y), side, math.radians(roll)))


def landmarks_in(pixels: NDArray[np.uint8], window: Window) -> tuple[NDArray[np.float64], float]:
    """As `landmarks_of`, from a window around the face, looking again round the landmarks found.

    Twice, which settles the place; more often while the face still turns out to be turned.
    """
    points, score = _look(pixels, window)
    for i in range(_PASSES):
        dx, dy = points[263, :2] - points[33, :2]
        again = fitted(points[:468, :2], math.atan2(dy, dx), _MARGIN)
        turned = abs(math.remainder(again.angle - window.angle, math.tau))
        if score < 0.1 or (i > 0 and turned < _SETTLED):
            break
        window = again
        points, score = _look(pixels, window)
    return points, score


def _look(pixels: NDArray[np.uint8], window: Window) -> tuple[NDArray[np.float64], float]:
    network = face_network("attention_mesh")
    image = torch.from_numpy(window.cut(pixels, SIZE)).permute(2, 0, 1)[None].float() / 255
    with one_thread():
        outputs = [t.flatten().numpy().astype(np.float64) for t in network(image)]
    return window.to_photo(assembled(network, outputs[:6]), SIZE), 1 / (1 + math.exp(-float(outputs[6][0])))


def assembled(network: GraphModule, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mesh, lips, two eyes, two irises (flat) to (478, 3) in pixels of the network's input.

    Lips and eyes keep the depth of the mesh, an iris gets the mean depth of its lids.
    """
    mesh, lips, *others = parts
    regions = [node["options"]["subset_idxs"] for node in network.nodes if node["op"] == "landmarks_to_matrix"]
    points = np.zeros((478, 3))
    points[:468] = mesh.reshape(468, 3)
    for region, values in zip(regions, [lips, *others[:2]], strict=True):
        points[region, :2] = values.reshape(-1, 2)
    for region, start, values in zip(regions[1:], (468, 473), others[2:], strict=True):
        points[start : start + 5, :2] = values.reshape(5, 2)
        points[start : start + 5, 2] = points[region[:_EYE_RING], 2].mean()
    return points
