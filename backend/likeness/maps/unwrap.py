"""One photo laid out in UV space: where each vertex is in it, what it really shows, and how well."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.heads.base import HeadModel
from likeness.maps.atlas import Atlas, material_triangles
from likeness.maps.folds import squeeze
from likeness.maps.noise import Noise, noise_in, without_noise
from likeness.maps.places import CONTOUR, LIPS, MOUTH, draw_areas, smoothstep
from likeness.methods.base import Reconstruction, View
from likeness.photos.srgb import srgb_decoded
from likeness.render.raster import rasterise
from likeness.render.view import project, vertex_normals

__all__ = ["Unwrapped", "gathered", "log_light", "posed_vertices", "unwrap"]

Floats = NDArray[np.float32]

DARKEST = 0.004
"""Linear light below which a picture holds nothing but noise."""
RASTER_SIDE = 640
BIAS = 0.003  # metres that a vertex may lie behind the raster and still be seen
STEP = (0.025, 0.045)  # metres that something must stand in front of its neighbourhood to cast doubt on it
MARGIN = (0.0008, 0.0045)
"""Metres beside the head's outline from which on a photo is trusted: the fitted outline is not the true one."""
FACING, BROWS_FACING = (0.1, 0.5), (0.2, 0.4)
"""Cosines of the angle to the camera from which on skin is trusted. Where brows are the landmarks tell, and the fitted
temples may be hollower than the true ones."""
FAR = 99.0  # metres
GATHERED = (0.35, 0.6)
"""Shortening from which on folded skin tells less of itself, and nothing."""

_LOG = np.log(np.maximum(srgb_decoded(np.arange(256) / 255), DARKEST)).astype(np.float32)


def log_light(pixels: NDArray[np.uint8]) -> Floats:
    """Natural logarithm of the linear light of sRGB values, no lower than ln `DARKEST`."""
    logs: Floats = _LOG[pixels]
    return logs


@dataclass(frozen=True, eq=False)
class Unwrapped:
    """One photo on a head.

    Attributes:
        crop: (h, w, 3) uint8, the part of the photo with the head, at its own resolution.
        places: (V, 2) float32, pixels of the crop (first pixel's centre 0) where each vertex is seen.
        scale: photo pixels per metre at the face.
        log: (L, L, 3) float32, log of linear light in the atlas's square.
        weight: (L, L) float32 in 0..1: facing the camera, not hidden, away from edges of depth.
        areas: (L, L) float32 masks, see `draw_areas`, where the photo shows them; "squeezed" is how much the
            expression shortens the skin.
        noise: of the crop, where it can be told.
    """

    crop: NDArray[np.uint8]
    places: Floats
    scale: float
    log: Floats
    weight: Floats
    areas: dict[str, Floats]
    noise: Noise | None

    def colours(self, atlas: Atlas) -> Floats:
        """The photo, without its noise, in the square of an atlas: log of linear light, (size, size, 3) float32."""
        return _sample(self.crop, self.places, self.scale, atlas, self.noise)


def unwrap(reconstruction: Reconstruction, view: View, atlas: Atlas) -> Unwrapped:
    """Lay a view's photo out in an atlas (a small one: it is for deciding, `Unwrapped.colours` is for pixels)."""
    head = reconstruction.head
    assert head is not None
    posed = posed_vertices(reconstruction, view)
    camera, photo, face = view.camera, view.face.photo.pixels, view.face
    points = project(camera, posed).numpy()
    depth_unit = 1.0 if camera.kind == "orthographic" else float(np.median(points[:, 2]))
    scale = camera.fx / depth_unit

    places = points[:, :2] + _to_landmarks(reconstruction, view, posed)
    reach = 0.05 * face.interocular
    low = np.clip(np.floor(places.min(0) - reach), 0, None).astype(int)
    high = np.minimum(np.ceil(places.max(0) + reach).astype(int), (camera.width, camera.height))
    high = np.maximum(high, low + 1)
    crop = np.ascontiguousarray(photo[low[1] : high[1], low[0] : high[0]])

    shown = _visibility(head, posed, points, view, scale)
    inner = (places > low + 1).all(1) & (places < high - 2).all(1)
    local = (places - low - 0.5).astype(np.float32)

    skin = head.triangles[material_triangles(head, "Skin")]
    expressed = (
        reconstruction.vertices + torch.einsum("m,mvc->vc", torch.as_tensor(view.expression), head.expression).numpy()
    )
    shown = shown * (inner * (1 - gathered(reconstruction, expressed, skin)))[:, None]
    seen, seen_brows = np.moveaxis(atlas.texels(shown.astype(np.float32)), -1, 0)
    masks, factor = _masks(view, low, crop.shape)
    areas = _areas(masks, factor, local, atlas)
    areas["squeezed"] = atlas.texels(squeeze(reconstruction.vertices, expressed, skin))
    seen = seen + areas["brows"] * (seen_brows - seen)
    known = smoothstep(0.0, 0.1, seen)
    areas = {name: area * known for name, area in areas.items()}
    noise = _noise(crop, masks)
    return Unwrapped(crop, local, scale, _sample(crop, local, scale, atlas, noise), seen, areas, noise)


def posed_vertices(reconstruction: Reconstruction, view: View) -> torch.Tensor:
    """(V, 3) float32 metres: the head with a view's expression and pose, in the head's frame."""
    head = reconstruction.head
    assert head is not None
    vertices = torch.as_tensor(reconstruction.vertices, dtype=torch.float32)
    vertices = vertices + torch.einsum("m,mvc->vc", torch.as_tensor(view.expression), head.expression)
    joints = torch.as_tensor(reconstruction.joints, dtype=torch.float32)
    return head.pose(vertices[None], joints[None], torch.as_tensor(view.pose)[None])[0]


def _sample(crop: NDArray[np.uint8], places: Floats, scale: float, atlas: Atlas, noise: Noise | None) -> Floats:
    """Log light at the texels; the photo is first shrunk where a texel spans several of its pixels, and freed of its
    noise where it does not."""
    texel = atlas.texel
    shrink = min(1.0, 1.0 / max(texel * scale, 1e-6))
    logs = log_light(crop)
    if shrink < 0.8:
        size = (max(round(crop.shape[1] * shrink), 2), max(round(crop.shape[0] * shrink), 2))
        logs = cv2.resize(logs, size, interpolation=cv2.INTER_AREA)
        factor = np.array([size[0] / crop.shape[1], size[1] / crop.shape[0]], np.float32)
        places = (places + 0.5) * factor - 0.5
    elif noise is not None:
        logs = without_noise(logs, noise)
    where = atlas.texels(places)
    method = cv2.INTER_LINEAR if atlas.size <= 512 else cv2.INTER_CUBIC
    sampled: Floats = cv2.remap(logs, where, None, method, borderMode=cv2.BORDER_REPLICATE)
    return sampled


def _visibility(head: HeadModel, posed: torch.Tensor, points: NDArray[np.float32], view: View, scale: float) -> Floats:
    """How well each vertex is seen, (V, 2) in 0..1: faces the camera, is not hidden nor too close to an outline; the
    second is for brows."""
    camera = view.camera
    solid = ~head.region("lashes", "wet")
    triangles = head.triangles[solid]
    normals = vertex_normals(posed, head.triangles).numpy()
    if camera.kind == "perspective":
        ray = camera.centre() - posed.numpy()
    else:
        ray = np.broadcast_to(-camera.rotation[2], posed.shape)
    facing = (normals * ray).sum(1) / np.maximum(np.linalg.norm(ray, axis=1), 1e-9)

    low, high = points[:, :2].min(0), points[:, :2].max(0)
    factor = RASTER_SIDE / float((high - low).max())
    width, height = (int(np.ceil(n)) + 2 for n in (high - low) * factor)
    small = np.concatenate([(points[:, :2] - low) * factor + 1, points[:, 2:]], 1).astype(np.float32)
    depth = rasterise(torch.from_numpy(small), triangles, width, height).depth.numpy()
    column = np.clip(small[:, 0].astype(int), 0, width - 1)
    row = np.clip(small[:, 1].astype(int), 0, height - 1)
    filled = np.where(np.isinf(depth), FAR, depth).astype(np.float32)
    farthest = cv2.dilate(filled, np.ones((3, 3), np.uint8))
    hidden = points[:, 2] > farthest[row, column] + BIAS
    away = cv2.distanceTransform((filled < FAR).astype(np.uint8), cv2.DIST_L2, 5)[row, column] / factor
    # What something stands close in front of: the fitted edge is not the true one, and what stands there would smear.
    reach = 2 * max(round(MARGIN[1] * scale * factor), 1) + 1
    nearest = cv2.erode(filled, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    behind = smoothstep(*STEP, points[:, 2] - nearest[row, column])
    free = ~hidden * smoothstep(*MARGIN, away / scale) * (1 - behind)
    seen = [smoothstep(*cosines, facing) * free for cosines in (FACING, BROWS_FACING)]
    result: Floats = np.stack(seen, 1).astype(np.float32)
    return result


def gathered(reconstruction: Reconstruction, expressed: Floats, skin: torch.Tensor) -> Floats:
    """(V,) in 0..1: skin of the upper lids that a photo shows too folded to tell how it looks unfolded, in a blink.

    Args:
        expressed: (V, 3) metres, with the photo's expression; skin: (T, 3) triangles.
    """
    head = reconstruction.head
    assert head is not None
    blinks = [i for i, name in enumerate(head.expression_names) if name.startswith("eyeBlink")]
    if not blinks:
        return np.zeros(len(expressed), np.float32)
    shut = reconstruction.vertices + head.expression[blinks].sum(0).numpy()
    result: Floats = smoothstep(*GATHERED, squeeze(shut, expressed, skin)).astype(np.float32)
    return result


def _to_landmarks(reconstruction: Reconstruction, view: View, posed: torch.Tensor) -> NDArray[np.float64]:
    """(V, 2) pixels that bring lids, lips and brows to where the photo shows them; 0 far from landmarks."""
    head = reconstruction.head
    assert head is not None
    moved = np.zeros((len(posed), 2))
    embedding = head.landmarks.get("mediapipe478")
    if embedding is None:
        return moved
    use = (embedding.triangle >= 0).numpy().copy()
    use[list(CONTOUR)] = False
    use[468:] = False
    on_head = embedding.on(posed, head.triangles)
    if head.landmark_bias is not None:
        on_head = on_head + head.landmark_bias
    corner = head.triangles[embedding.triangle.clamp(min=0)][:, 0]
    normal = vertex_normals(posed, head.triangles)[corner].numpy()
    ray = view.camera.centre() - on_head.numpy()
    # The edges of parted lips face each other, and are seen all the same.
    least = np.full(len(use), 0.35)
    least[list(MOUTH)] = -0.4
    use &= (normal * ray).sum(1) > least * np.linalg.norm(ray, axis=1)
    if use.sum() < 8:
        return moved
    index = np.flatnonzero(use)
    residual = view.face.landmarks[index, :2] - view.camera.project(on_head.numpy()[index])
    limit = 0.06 * view.face.interocular
    residual *= np.minimum(1, limit / np.maximum(np.linalg.norm(residual, axis=1, keepdims=True), 1e-9))
    rest = _parted(reconstruction)
    sites = embedding.on(torch.from_numpy(rest), head.triangles).numpy()[index]
    near = np.flatnonzero((rest >= sites.min(0) - 0.04).all(1) & (rest <= sites.max(0) + 0.04).all(1))
    for reach in (0.02, 0.006):
        # Twice: the broad misfit first, then what is left around each feature.
        moved[near] += _blend(rest[near], sites, residual, reach)
        residual = residual - _blend(sites, sites, residual, reach)
    thin = np.isin(index, LIPS + MOUTH)
    if thin.any():
        sites, residual = sites[thin], residual[thin]
        near = np.flatnonzero((rest >= sites.min(0) - 0.01).all(1) & (rest <= sites.max(0) + 0.01).all(1))
        moved[near] += _blend(rest[near], sites, residual, 0.003)
    return moved


def _parted(reconstruction: Reconstruction) -> Floats:
    """(V, 3) the neutral head with its mouth open: on closed lips the misfit of one would pass for the other's."""
    head = reconstruction.head
    assert head is not None
    rest = np.asarray(reconstruction.vertices, np.float32)
    if "jawOpen" not in head.expression_names:
        return rest
    parted: Floats = rest + head.expression[head.expression_names.index("jawOpen")].numpy()
    return parted


def _blend(points: Floats, sites: Floats, values: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Gaussian-weighted means of the sites' values that fade to nothing away from all of them."""
    near = np.zeros((len(points), len(sites)), np.float32)
    for axis in range(3):
        near += np.subtract.outer(points[:, axis], sites[:, axis]) ** 2
    np.exp(near * np.float32(-1 / (2 * reach**2)), out=near)
    result: NDArray[np.float64] = near @ values / (near.sum(1, keepdims=True) + 0.3)
    return result


def _masks(view: View, low: NDArray[np.int_], shape: tuple[int, ...]) -> tuple[dict[str, Floats], float]:
    """The areas of a crop of the photo, drawn at a moderate size, and that size over the crop's."""
    face = view.face
    factor = min(1.0, 120 / face.interocular)
    width, height = max(round(shape[1] * factor), 2), max(round(shape[0] * factor), 2)
    return draw_areas((face.landmarks[:, :2] - low) * factor, face.interocular * factor, width, height), factor


def _areas(masks: dict[str, Floats], factor: float, local: Floats, atlas: Atlas) -> dict[str, Floats]:
    """The photo's areas in the atlas's square."""
    where = atlas.texels(((local + 0.5) * np.float32(factor) - np.float32(0.5)).astype(np.float32))
    # Texels that the atlas leaves empty point at (0, 0), outside every area.
    return {
        name: cv2.remap(mask, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        for name, mask in masks.items()
    }


def _noise(crop: NDArray[np.uint8], masks: dict[str, Floats]) -> Noise | None:
    features = np.maximum.reduce([masks[n] for n in ("eyes", "mouth", "lips", "brows", "nostrils", "lids")])
    bare, oval = (cv2.resize(m, crop.shape[1::-1]) > 0.9 for m in (masks["oval"] * (1 - features), masks["oval"]))
    return noise_in(log_light(crop), bare, oval)
