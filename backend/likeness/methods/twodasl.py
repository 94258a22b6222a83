"""2DASL: a photo and its landmarks to the Basel Face Model, and from there to a head that moves."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.heads.bfm import Bfm
from likeness.methods.base import Licences, Reconstruction, Settings
from likeness.methods.bfm_family import Seen, aggregated, animate, photo_colours
from likeness.methods.flame_family import landmarks68
from likeness.methods.registry import register
from likeness.methods.tddfa_crops import Roi, roi_from_points
from likeness.methods.tddfa_model import Parameters, in_photo
from likeness.methods.tddfa_v2 import model_camera, told
from likeness.methods.twodasl_model import Regressor, crop_points, without_neck
from likeness.progress import Progress
from likeness.weights import catalog, store

__all__ = ["TwoDASL", "loaded", "look"]

WEIGHTS, TRIANGLES = "2dasl", "3ddfa-bfm"


@register
class TwoDASL:
    """Tu et al. 2019. With several photos the shape coefficients are their mean.

    The landmarks that the network is shown beside the face are our own detector's; the authors took those of another.
    """

    name: ClassVar[str] = "2dasl"
    title: ClassVar[str] = "2DASL"
    paper: ClassVar[str] = (
        "Tu, Zhao, Jiang, Luo, Xie, Zhao, He, Ma and Feng: Joint 3D Face Reconstruction and Dense Face Alignment from "
        "A Single Image with 2D-Assisted Self-Supervised Learning, 2019 (arXiv:1903.09359)"
    )
    year: ClassVar[int] = 2019
    licences: ClassVar[Licences] = Licences(
        code=catalog.entry(WEIGHTS).licence.code,
        weights=catalog.entry(WEIGHTS).licence.weights,
        model=catalog.entry(WEIGHTS).licence.model,
    )
    needs: ClassVar[tuple[str, ...]] = (WEIGHTS, TRIANGLES)
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            WeightsError, HeadError: something is not installed, or not what it should be.
        """
        progress("fit", 0.0, "Loading 2DASL")
        regressor, model = loaded()
        progress("fit", 0.1, "Looking at the face")
        seen = [look(face, regressor) for face in faces]
        read = [Parameters.of(flat) for flat, _ in seen]
        standing = [
            Seen(face, p.expression, model_camera(face, p, roi))
            for face, p, (_, roi) in zip(faces, read, seen, strict=True)
        ]
        animated = animate(model, aggregated([p.shape for p in read]), standing, settings, progress)
        flat, roi = seen[0]
        colours = photo_colours(faces[0], in_photo(crop_points(model, flat), roi)[:2].T + 0.5)
        details = {
            "files": store.open_weights(WEIGHTS).sources | store.open_weights(TRIANGLES).sources,
            "photos": [told(flat, roi) for flat, roi in seen],
        }
        return animated.reconstruction(self.name, colours, details)


def look(face: Face, regressor: Regressor) -> tuple[NDArray[np.float32], Roi]:
    """The 62 parameters of a face and the region they were read from."""
    picture = np.ascontiguousarray(face.photo.pixels[..., ::-1])
    points = landmarks68(face)
    roi = roi_from_points(points.T.astype(np.float32))
    return regressor.parameters(picture, roi, points), roi


def loaded() -> tuple[Regressor, Bfm]:
    """Regressor and shape model, kept for the next photo.

    Raises:
        WeightsError, HeadError: something is not installed, or not what it should be.
    """
    return _loaded(store.stamp(TwoDASL.needs))


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> tuple[Regressor, Bfm]:
    weights, cut = store.open_weights(WEIGHTS), store.open_weights(TRIANGLES)
    title = catalog.entry(WEIGHTS).title
    mean, std = weights.tensor("whitening/param_mean"), weights.tensor("whitening/param_std")
    regressor = Regressor.from_tensors(weights.tensors("model/"), mean, std, title)
    arrays = {name: weights.tensor(name) for name in ("u_shp", "u_exp", "w_shp", "w_exp", "keypoints")}
    indices = cut.tensor("indices")
    uv = cut.tensor("uv/UV") if cut.names("uv/") else None
    return regressor, Bfm.from_noneck(without_neck(arrays, indices), cut.tensor("triangles"), indices, uv, title)
