"""3DDFA_V2: one photo, or several of one person, to the Basel Face Model, and from there to a head that moves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.heads.bfm import METRES, Bfm
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.heads.retarget import expression_weights
from likeness.heads.surface import Surface
from likeness.heads.transfer import Rigged, onto_head
from likeness.methods.base import Licences, Mesh, Reconstruction, Settings, View
from likeness.methods.registry import register
from likeness.methods.tddfa_crops import SIDE, Roi, roi_from_box, roi_from_points
from likeness.methods.tddfa_detect import detect
from likeness.methods.tddfa_model import Parameters, Regressor, Tddfa, euler_degrees
from likeness.networks.faceboxes import FaceBoxes
from likeness.networks.fuse import fold_batch_norms
from likeness.progress import Progress
from likeness.weights import catalog, store
from likeness.weights.strict import load_into

__all__ = ["TDDFA", "loaded", "look"]

WEIGHTS, MODEL = "3ddfa_v2", "3ddfa-bfm"
REGRESSORS = ("mb1", "mb05", "resnet22")
"""The original's default first."""
AWAY = 2.0
"""Metres in front of the camera, which sees alike from everywhere."""
OVERLAP = 0.3
"""Share of a face that a detected box must cover to be of the same person."""


@register
class TDDFA:
    """Guo et al. 2020. With several photos the shape coefficients are their mean."""

    name: ClassVar[str] = "3ddfa_v2"
    title: ClassVar[str] = "3DDFA_V2"
    paper: ClassVar[str] = (
        "Guo, Zhu, Yang, Yang, Lei and Li: Towards Fast, Accurate and Stable 3D Dense Face Alignment, ECCV 2020"
    )
    year: ClassVar[int] = 2020
    licences: ClassVar[Licences] = Licences(
        code="Apache-2.0",
        weights="MIT (trained on 300W-LP, research data)",
        model="non-commercial research (Basel Face Model)",
    )
    needs: ClassVar[tuple[str, ...]] = (WEIGHTS, MODEL)
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            WeightsError, HeadError: something is not installed, or not what it should be.
        """
        progress("fit", 0.0, "Loading 3DDFA_V2")
        detector, tddfa, which = loaded()
        progress("fit", 0.1, "Looking at the face")
        seen = [look(face, detector, tddfa) for face in faces]
        shape = np.mean([Parameters.of(flat).shape for flat, _ in seen], axis=0, dtype=np.float64).astype(np.float32)
        rest = METRES * tddfa.model.vertices(shape, np.zeros(10, np.float32)).astype(np.float64)
        triangles = tddfa.model.triangles
        assert triangles is not None  # the catalogue demands them
        head = open_head(settings.head, progress).with_expressions(ARKIT)
        rigged = onto_head(head, rest, triangles, rest[tddfa.model.keypoints], progress)
        motions = _Motions(tddfa.model, rest, triangles, rigged)
        still = np.zeros((len(head.joint_names), 3), np.float32)
        views = tuple(
            View(face, _camera(face, flat, roi, rigged), motions.weights(head, Parameters.of(flat).expression), still)
            for face, (flat, roi) in zip(faces, seen, strict=True)
        )
        colours = _colours(faces[0], tddfa.dense(*seen[0]))
        sources = store.open_weights(WEIGHTS).sources | store.open_weights(MODEL).sources
        details = {
            "files": sources,
            "regressor": which,
            "gap_mm": round(1e3 * rigged.gap, 3),
            "photos": [_told(flat, roi) for flat, roi in seen],
        }
        mesh = Mesh(rest.astype(np.float32), triangles, colours)
        return Reconstruction(
            self.name, head, rigged.identity, rigged.vertices, rigged.joints, views, mesh, details=details
        )


def look(face: Face, detector: FaceBoxes, tddfa: Tddfa) -> tuple[NDArray[np.float32], Roi]:
    """The 62 parameters of a face and the region they were read from.

    The original's own detector says where to look; where it misses the face that was chosen, its landmarks do.
    """
    picture = np.ascontiguousarray(face.photo.pixels[..., ::-1])
    low, high = face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)
    boxes = detect(detector, picture)
    inside = np.prod(np.maximum(np.minimum(boxes[:, 2:4], high) - np.maximum(boxes[:, :2], low), 0), axis=1)
    share = inside / max(float(np.prod(high - low)), 1e-6)
    if len(boxes) and share.max() > OVERLAP:
        roi = roi_from_box(boxes[int(share.argmax())])
    else:
        roi = roi_from_points(np.stack([low, high], 1).astype(np.float32))
    return tddfa.regressor.parameters(picture, roi), roi


class _Motions:
    """The model's expressions as motions of the head that lies on it."""

    def __init__(self, model: Bfm, rest: NDArray[np.float64], triangles: NDArray[np.int64], rigged: Rigged) -> None:
        self._model, self._rigged = model, rigged
        self._below = Surface(rest, triangles).closest(rigged.laid.vertices[rigged.known])
        self._corners = triangles[self._below.triangle]

    def weights(self, head: HeadModel, expression: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weights (M,) of the head's expressions for coefficients (10,) of the model."""
        moved = METRES * np.tensordot(expression, self._model.expression, 1).astype(np.float64)
        there = (moved[self._corners] * self._below.barycentric[..., None]).sum(1)
        known, laid = self._rigged.known, self._rigged.laid
        motion = np.zeros(laid.vertices.shape)
        motion[known] = there @ laid.rotation / laid.scale
        return expression_weights(head, motion, known)


def _camera(face: Face, flat: NDArray[np.float32], roi: Roi, rigged: Rigged) -> Camera:
    """The orthographic camera that puts the rigged head where the method puts its own mesh."""
    p, laid = Parameters.of(flat), rigged.laid
    scale, turn = p.rotation()
    left, top, right, bottom = roi
    x, y = (right - left) / SIDE, (bottom - top) / SIDE
    # Metres of the model to photo pixels; the originals count from the first pixel's centre.
    per_metre = scale / METRES
    place = per_metre * (turn @ laid.shift)
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn @ laid.rotation
    photo = face.photo
    return Camera(
        photo.width,
        photo.height,
        per_metre * laid.scale * x,
        per_metre * laid.scale * y,
        float((place[0] + p.affine[0, 3] - 1) * x + left + 0.5),
        float((SIDE - p.affine[1, 3] - place[1]) * y + top + 0.5),
        rotation,
        np.array([0.0, 0.0, AWAY]),
        "orthographic",
    )


def _colours(face: Face, dense: NDArray[np.float32]) -> NDArray[np.float32]:
    """The photo's colour (V, 3) in 0..1 where each vertex is seen in it, as the original colours its meshes."""
    picture = face.photo.pixels
    x = np.clip(np.rint(dense[0]), 0, picture.shape[1] - 1).astype(int)
    y = np.clip(np.rint(dense[1]), 0, picture.shape[0] - 1).astype(int)
    colours: NDArray[np.float32] = (picture[y, x] / 255).astype(np.float32)
    return colours


def _told(flat: NDArray[np.float32], roi: Roi) -> dict[str, Any]:
    """What is kept of one photo."""
    return {
        "parameters": [float(f"{v:.7g}") for v in flat],
        "roi": [round(v, 3) for v in roi],
        "yaw_pitch_roll": [round(float(v), 2) for v in euler_degrees(Parameters.of(flat))],
    }


def loaded() -> tuple[FaceBoxes, Tddfa, str]:
    """Detector, regressor with shape model, and the regressor's name, kept for the next photo.

    Raises:
        WeightsError, HeadError: something is not installed, or not what it should be.
    """
    return _loaded(store.stamp(TDDFA.needs))


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> tuple[FaceBoxes, Tddfa, str]:
    weights, model = store.open_weights(WEIGHTS), store.open_weights(MODEL)
    detector = FaceBoxes()
    load_into(detector, weights.tensors("detector/"), catalog.entry(WEIGHTS).title)
    fold_batch_norms(detector.eval())
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    which = next(name for name in REGRESSORS if weights.tensors(f"{name}/"))
    mean, std = weights.tensor("whitening/mean"), weights.tensor("whitening/std")
    regressor = Regressor.from_tensors(weights.tensors(f"{which}/"), mean, std, which)
    names = set(model.names())
    uv = model.tensor("uv/UV") if "uv/UV" in names else None
    bfm = Bfm.from_noneck(
        model.tensors("model/"), model.tensor("triangles"), model.tensor("indices"), uv, catalog.entry(MODEL).title
    )
    return detector, Tddfa(regressor, bfm), which
