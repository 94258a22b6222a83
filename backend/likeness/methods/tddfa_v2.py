"""3DDFA_V2: one photo, or several of one person, to the Basel Face Model, and from there to a head that moves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.heads.bfm import MICROMETRE
from likeness.heads.bfm_files import open_bfm
from likeness.methods.base import Licences, Reconstruction, Settings
from likeness.methods.bfm_family import AWAY, Seen, aggregated, animate, photo_colours
from likeness.methods.registry import register
from likeness.methods.tddfa_crops import SIDE, Roi, roi_from_box, roi_from_points
from likeness.methods.tddfa_detect import detect
from likeness.methods.tddfa_model import Parameters, Regressor, Tddfa, euler_degrees
from likeness.networks.faceboxes import FaceBoxes
from likeness.networks.fuse import fold_batch_norms
from likeness.progress import Progress
from likeness.weights import catalog, store
from likeness.weights.strict import load_into

__all__ = ["TDDFA", "loaded", "look", "model_camera", "told"]

WEIGHTS, MODEL = "3ddfa_v2", "3ddfa-bfm"
REGRESSORS = ("mb1", "mb05", "resnet22")
"""The original's default first."""
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
        read = [Parameters.of(flat) for flat, _ in seen]
        standing = [
            Seen(face, p.expression, model_camera(face, p, roi))
            for face, p, (_, roi) in zip(faces, read, seen, strict=True)
        ]
        animated = animate(tddfa.model, aggregated([p.shape for p in read]), standing, settings, progress)
        # As the original colours its meshes.
        colours = photo_colours(faces[0], tddfa.dense(*seen[0])[:2].T + 0.5)
        details = {
            "files": store.open_weights(WEIGHTS).sources | store.open_weights(MODEL).sources,
            "regressor": which,
            "photos": [told(flat, roi) for flat, roi in seen],
        }
        return animated.reconstruction(self.name, colours, details)


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


def model_camera(face: Face, p: Parameters, roi: Roi) -> Camera:
    """The orthographic camera from the model's own frame in metres to the photo."""
    scale, turn = p.rotation()
    left, top, right, bottom = roi
    x, y = (right - left) / SIDE, (bottom - top) / SIDE
    # Metres of the model to photo pixels; the originals count from the first pixel's centre.
    per_metre = scale / MICROMETRE
    photo = face.photo
    return Camera(
        photo.width,
        photo.height,
        per_metre * x,
        per_metre * y,
        float((p.affine[0, 3] - 1) * x + left + 0.5),
        float((SIDE - p.affine[1, 3]) * y + top + 0.5),
        np.diag([1.0, -1.0, -1.0]) @ turn,
        np.array([0.0, 0.0, AWAY]),
        "orthographic",
    )


def told(flat: NDArray[np.float32], roi: Roi) -> dict[str, Any]:
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
    weights = store.open_weights(WEIGHTS)
    detector = FaceBoxes()
    load_into(detector, weights.tensors("detector/"), catalog.entry(WEIGHTS).title)
    fold_batch_norms(detector.eval())
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    which = next(name for name in REGRESSORS if weights.tensors(f"{name}/"))
    mean, std = weights.tensor("whitening/mean"), weights.tensor("whitening/std")
    regressor = Regressor.from_tensors(weights.tensors(f"{which}/"), mean, std, which)
    return detector, Tddfa(regressor, open_bfm(MODEL)), which
