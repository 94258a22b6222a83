"""Where a head's outline lies in a photo: its occluding contours, and the edges of the photo beside them.

Jaw, cheeks and nose stand out against what is behind them. The landmark network has no points there that stay on the
skin (its oval slides along the cheek), so the outline is evidence of another kind, and the better one for width and
depth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.fitting.pose import Pose
from likeness.heads.base import HeadModel
from likeness.render.raster import rasterise

__all__ = ["Outline", "Window", "outline_of", "seek", "window"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FINE = 1500.0  # pixels per metre of the window in which outlines are sought
MARGIN = 0.6  # of the face's size around it
LEFT_OUT = ("ears", "scalp", "eyelids", "lips")  # hair hides them, or they move by themselves
BEHIND = 0.004  # metres by which what is behind the outline lies farther; a crease has nothing behind it
HIDDEN = 0.012  # metres by which another part of the head is nearer where an outline is hidden by it

STEP, REACH = 0.0005, 0.008  # metres between the samples across the outline, and how far it is looked for
INSIDE = 0.005  # metres inside the outline from where on the colour is taken for the skin's
COLOUR = (0.5, 1.0, 1.0)  # weights of Lab's lightness, a and b: light varies over skin more than colour does
PLAIN = 10.0  # Lab units of change that skin shows without an edge
SAME, OTHER, EDGE = (
    0.1,
    0.15,
    5.0,
)  # bounds of the log-likelihood of a sample as skin, and what a unit of change is worth
EXPECTED = 0.0025  # metres: standard deviation of the fit's outline before it is seen
ALONG = 0.006  # metres along the outline over which edges agree
WEAK, STRONG = 0.5, 1.3  # changes between which an edge begins to count and counts fully


@dataclass(frozen=True, eq=False)
class Window:
    """The part of a photo with the face, at `FINE` pixels per metre.

    Attributes:
        lab: (H, W, 3) float32, CIE Lab; seen: (H, W) bool, inside the photo.
        origin, scale: window pixel = (photo pixel - origin) * scale.
    """

    lab: NDArray[np.float32]
    seen: NDArray[np.bool_]
    origin: Floats
    scale: float

    def pose(self, pose: Pose) -> Pose:
        """The photo's camera as this window's."""
        return replace(pose, focal=pose.focal * self.scale, centre=(pose.centre - self.origin) * self.scale)


@dataclass(frozen=True, eq=False)
class Outline:
    """Occluding contours as short pieces of the mesh's edges.

    Attributes:
        edges: (C, 2) vertices at their ends; points: (C, 2) pixels of their middles; normals: (C, 2) unit, outwards.
        metre: (C,) pixels per metre there; lengths: (C,) pixels.
    """

    edges: Ints
    points: Floats
    normals: Floats
    metre: Floats
    lengths: Floats


def window(face: Face, pose: Pose, middle: Floats) -> Window:
    """The window around a face whose middle (3,) metres in the head's frame is seen by the photo's camera."""
    scale = FINE * float((pose.rotation @ middle + pose.translation)[2]) / pose.focal
    low, high = face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)
    size = float((high - low).max())
    origin = np.floor((low + high) / 2 - (0.5 + MARGIN) * size)
    side = int(np.ceil((1 + 2 * MARGIN) * size * scale))
    pixels = face.photo.pixels
    x, y = np.maximum(origin, 0).astype(int)
    part = pixels[y : y + int((1 + 2 * MARGIN) * size) + 2, x : x + int((1 + 2 * MARGIN) * size) + 2]
    if scale < 1:  # blurred first, so that a fine photo's noise does not become edges
        part = cv2.GaussianBlur(part, (0, 0), 0.45 / scale)
    # A pixel's centre is at + 0.5 in both.
    move = (np.array([x, y]) - origin + 0.5) * scale - 0.5
    turn = np.array([[scale, 0, move[0]], [0, scale, move[1]]])
    small = cv2.warpAffine(part, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.warpAffine(np.ones(part.shape[:2], np.uint8), turn, (side, side), flags=cv2.INTER_NEAREST)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return Window(np.asarray(lab, np.float32), seen > 0, origin, scale)


@lru_cache(maxsize=4)
def _mesh(head: HeadModel) -> tuple[Ints, Ints, Ints]:
    """Skin triangles (T, 3), its inner edges (E, 2) in the face's part, and the two triangles (E, 2) beside each."""
    triangles = head.triangles[head.region("skin")].numpy()
    edges = np.sort(np.concatenate([triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), 1)
    beside = np.tile(np.arange(len(triangles)), 3)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, beside = edges[order], beside[order]
    twice = np.flatnonzero((edges[1:] == edges[:-1]).all(1))
    groups = head.groups
    face = groups["face"].numpy() > 0.2 if "face" in groups else np.ones(len(head.template), bool)
    for name in LEFT_OUT:
        if name in groups:
            face &= groups[name].numpy() < 0.3
    kept = twice[face[edges[twice]].all(1)]
    return triangles, edges[kept], np.stack([beside[kept], beside[kept + 1]], 1)


def outline_of(head: HeadModel, vertices: NDArray[np.float32], pose: Pose, side: int) -> Outline:
    """Visible occluding contours of the face's skin.

    Args:
        head: whose topology it is; vertices: (V, 3) metres, with expression.
        pose: the camera of a window of `side` pixels.
    """
    triangles, edges, beside = _mesh(head)
    seen = vertices.astype(np.float64) @ pose.rotation.T + pose.translation
    flat = pose.focal * seen[:, :2] / seen[:, 2:] + pose.centre
    a, b, c = (seen[triangles[:, i]] for i in range(3))
    front = (np.cross(b - a, c - a) * a).sum(1) < 0
    turned = np.flatnonzero(front[beside[:, 0]] != front[beside[:, 1]])
    edges, beside = edges[turned], beside[turned]
    along = flat[edges[:, 1]] - flat[edges[:, 0]]
    lengths = np.linalg.norm(along, axis=1)
    points, depth = flat[edges].mean(1), seen[edges, 2].mean(1)
    normals = np.stack([along[:, 1], -along[:, 0]], 1) / np.maximum(lengths, 1e-9)[:, None]
    shown = np.where(front[beside[:, 0]], beside[:, 0], beside[:, 1])
    normals *= -np.sign(((flat[triangles[shown]].mean(1) - points) * normals).sum(1))[:, None]
    corners = torch.from_numpy(np.concatenate([flat, seen[:, 2:]], 1)).float()
    nearest = rasterise(corners, torch.from_numpy(triangles), side, side).depth.numpy()

    def depth_at(places: Floats) -> NDArray[np.float32]:
        x, y = np.clip(places.astype(int), 0, side - 1).T
        return np.asarray(nearest[y, x])

    good = (np.abs(depth_at(points - normals) - depth) < HIDDEN) & (depth_at(points + 2 * normals) > depth + BEHIND)
    good &= (lengths > 1e-3) & (points > 2).all(1) & (points < side - 3).all(1)
    return Outline(edges[good], points[good], normals[good], pose.focal / depth[good], lengths[good])


def seek(view: Window, outline: Outline) -> tuple[Floats, Floats]:
    """Look for the photo's edges near an outline.

    Returns:
        (C,) pixels from each piece outwards to the edge, and how much to believe it, 0..1: nothing where the photo
        shows no clear edge, or ends.
    """
    away = np.arange(-INSIDE - REACH / 2, REACH + 3 * STEP, STEP)
    if not len(outline.points):
        return np.zeros(0), np.zeros(0)
    places = outline.points[:, None] + outline.normals[:, None] * (away[:, None] * outline.metre[:, None, None])
    x, y = np.moveaxis(places.astype(np.float32) - 0.5, 2, 0)
    colour = cv2.remap(view.lab, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64) * COLOUR
    inside = cv2.remap(view.seen.astype(np.uint8), x, y, cv2.INTER_NEAREST) > 0

    deep = colour[:, away < -INSIDE]
    skin = np.median(deep, 1)
    spread = np.sqrt(PLAIN**2 + ((deep - skin[:, None]) ** 2).sum(-1).mean(1))[:, None]
    # From the inside outwards as long as it looks like the skin, and a sudden change where it ends.
    strange = ((colour - skin[:, None]) ** 2).sum(-1) / spread**2
    score = np.cumsum(np.clip(0.5 - 0.25 * strange, -OTHER, SAME), 1)
    change = np.minimum(_change(colour) / spread, 2.5)
    score = _along(outline, score + EDGE * change)
    change = _along(outline, change)
    score -= 0.5 * (away / EXPECTED) ** 2
    score[:, np.abs(away) > REACH] = -np.inf
    best = score.argmax(1)[:, None]
    likely = np.exp(2 * (score - np.take_along_axis(score, best, 1)))
    likely /= likely.sum(1, keepdims=True)
    found = likely @ away
    doubt = np.sqrt(np.maximum(likely @ away**2 - found**2, 0))
    strength = np.take_along_axis(change, best, 1)[:, 0]
    weight = np.clip((strength - WEAK) / (STRONG - WEAK), 0, 1) / (1 + (doubt / 0.001) ** 2)
    return found * outline.metre, weight * np.take_along_axis(inside, best, 1)[:, 0]


def _change(colour: Floats, reach: int = 3) -> Floats:
    """(C, T) distance of the mean colours of the `reach` samples before and after each of (C, T, 3)."""
    total = np.cumsum(np.pad(colour, ((0, 0), (reach + 1, reach), (0, 0)), mode="edge"), 1)
    mean = (total[:, reach:] - total[:, :-reach]) / reach
    count = colour.shape[1]
    # mean[j] is of the samples j - reach .. j - 1; one is left out between the two sides.
    gap: Floats = np.linalg.norm(mean[:, reach + 1 : reach + 1 + count] - mean[:, :count], axis=-1)
    return gap


def _along(outline: Outline, values: Floats) -> Floats:
    """Values (C, T) averaged over neighbouring pieces that look the same way."""
    place = outline.points / np.median(outline.metre)
    near = np.exp(-((place[:, None] - place[None]) ** 2).sum(-1) / (2 * ALONG**2))
    near *= np.clip(outline.normals @ outline.normals.T, 0, 1) ** 2
    smooth: Floats = near @ values / near.sum(1, keepdims=True)
    return smooth
