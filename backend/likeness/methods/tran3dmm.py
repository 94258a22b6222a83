"""3dmm_cnn: photos to the neutral face and skin colours of a person, and from there to a head that moves."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.fitting.known import stances
from likeness.heads.bfm_tran import TranBfm, trimmed
from likeness.heads.embedding_points import IBUG68
from likeness.heads.registration import Laid
from likeness.methods.base import Licences, Reconstruction, Settings, View
from likeness.methods.bfm_family import aggregated, headed
from likeness.methods.flame_family import landmarks68, rounded
from likeness.methods.registry import register
from likeness.methods.tran3dmm_expression import expression_seen
from likeness.methods.tran3dmm_model import Regressor, crop
from likeness.progress import Progress
from likeness.weights import catalog, store
from likeness.weights.store import Weights

__all__ = ["Tran3DMM", "loaded", "look"]

WEIGHTS, BASEL, TRIMMED = "3dmm_cnn", "bfm-2009", "3dmm_cnn-bfm"


@register
class Tran3DMM:
    """Tran et al. 2017. With several photos the coefficients are their mean.

    So the paper pools those of one person, but by weights of its photos that were not released. The network says
    nothing of pose and expression; they are fitted to our own landmarks, with the head in the shape that it gives.
    """

    name: ClassVar[str] = "3dmm_cnn"
    title: ClassVar[str] = "3dmm_cnn"
    paper: ClassVar[str] = (
        "Tran, Hassner, Masi and Medioni: Regressing Robust and Discriminative 3D Morphable Models with a very Deep "
        "Neural Network, CVPR 2017"
    )
    year: ClassVar[int] = 2017
    licences: ClassVar[Licences] = Licences(
        code=catalog.entry(WEIGHTS).licence.code,
        weights=catalog.entry(WEIGHTS).licence.weights,
        model=catalog.entry(BASEL).licence.model,
    )
    needs: ClassVar[tuple[str, ...]] = (WEIGHTS, f"{BASEL} or {TRIMMED}")
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            WeightsError, HeadError: something is not installed, or not what it should be.
        """
        progress("fit", 0.0, "Loading 3dmm_cnn")
        regressor, face_model, files = loaded()
        progress("fit", 0.1, "Looking at the face")
        seen = [look(face, regressor) for face in faces]
        shape, texture = (aggregated(codes) for codes in zip(*seen, strict=True))
        animated = headed(face_model.model, shape, settings, progress)
        head, rigged = animated.head, animated.rigged
        progress("fit", 0.8, "Placing the head in the photo")
        still = np.zeros((len(head.joint_names), 3), np.float32)
        views = tuple(
            View(face, stance.camera, stance.expression, still)
            for face, stance in zip(faces, stances(head, rigged.vertices, faces), strict=True)
        )
        moods = [_mood(face_model, animated.rest, view, rigged.laid) for view in views]
        told = [
            {"shape": rounded(a), "texture": rounded(b), "expression": rounded(mood)}
            for (a, b), mood in zip(seen, moods, strict=True)
        ]
        details = {"files": files, "photos": told}
        colours = face_model.model.colours
        assert colours is not None
        skin = np.clip(colours.of(texture), 0, 1)
        maps = {"albedo_model": animated.colour_map(skin, settings.texture_size)}
        return replace(animated, views=views).reconstruction(self.name, skin, details, maps)


def look(face: Face, regressor: Regressor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The coefficients (99,) of shape and (99,) of texture that the network sees in a face."""
    picture = np.ascontiguousarray(face.photo.pixels[..., ::-1])
    points = landmarks68(face)
    return regressor.coefficients(crop(picture, (*points.min(0), *points.max(0))))


def _mood(face_model: TranBfm, rest: NDArray[np.float32], view: View, laid: Laid) -> NDArray[np.float32]:
    points = view.face.landmarks[list(IBUG68), :2]
    return expression_seen(face_model, rest, points, lambda places: view.camera.project(laid.home(places)))


def loaded() -> tuple[Regressor, TranBfm, dict[str, str]]:
    """Regressor, face model, and the SHA-256 of their files by name, kept for the next photo.

    Raises:
        WeightsError, HeadError: something is not installed, or not what it should be.
    """
    return _loaded(store.stamp((WEIGHTS, BASEL, TRIMMED)))


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> tuple[Regressor, TranBfm, dict[str, str]]:
    weights = store.open_weights(WEIGHTS)
    made = store.installed(TRIMMED)
    source = store.open_weights(TRIMMED if made else BASEL)
    regressor = Regressor.from_blobs(weights.tensors("model/"), weights.tensor("mean"), catalog.entry(WEIGHTS).title)
    face_model = TranBfm.of(_made(source) if made else _making(source, weights), source.manifest["title"])
    return regressor, face_model, weights.sources | source.sources


def _made(source: Weights) -> dict[str, NDArray[Any]]:
    """The fields of the model that the original's script made."""
    return source.tensors("mat/") or source.tensors("h5/")


def _making(basel: Weights, weights: Weights) -> dict[str, NDArray[Any]]:
    """The same out of the Basel model itself."""
    return trimmed(basel.tensors("model/"), weights.tensors("selection/"), weights.tensors("expression/") or None)
