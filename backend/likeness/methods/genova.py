"""Genova et al. 2018: who a face is, as a recognition network sees it, becomes the shape and colours of a head.

The authors published no weights. Those here are our own, trained by `likeness train genova` on renders of the open head
(genova_weights/CARD.md), so nothing licensed is needed. Weights that a user trained on a Basel Face Model, as the
authors did, are taken before those.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.faces.face import Face
from likeness.fitting.known import stances
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.heads.morphable import BASEL, Morphable, open_morphable
from likeness.heads.transfer import onto_head
from likeness.methods.base import OF_THE_HEAD, Licences, Mesh, Reconstruction, Settings, View
from likeness.methods.recognised import OPEN_HEAD, coefficients, weights_for
from likeness.methods.registry import register
from likeness.progress import Progress
from likeness.render.light import linear_to_srgb
from likeness.weights import catalog

__all__ = ["Genova"]


@register
class Genova:
    """With several photos the coefficients are their mean. Expression and camera come from the landmarks."""

    name: ClassVar[str] = "genova"
    title: ClassVar[str] = "Genova 2018, open weights"
    paper: ClassVar[str] = (
        "Genova, Cole, Maschinot, Sarna, Vlasic and Freeman: Unsupervised Training for 3D Morphable Model Regression, "
        "CVPR 2018"
    )
    year: ClassVar[int] = 2018
    licences: ClassVar[Licences] = Licences(code="Apache-2.0", weights="Apache-2.0", model=OF_THE_HEAD)
    needs: ClassVar[tuple[str, ...]] = ("landmarks", "dlib-face", "anny")
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            WeightsError, HeadError: the descriptor or the head cannot be had, or the weights are of another head.
        """
        progress("fit", 0.0, "Reading the weights")
        found = weights_for(settings.head, BASEL) or weights_for(OPEN_HEAD)
        assert found is not None, "the program comes with weights for the open head"
        path, regressor, told = found
        model = open_morphable(str(told["head"]), progress=progress)
        if (len(model.identity), model.albedo_count) != regressor.sizes[1:3]:
            raise WeightsError(f"{path} is for another edition of the head {model.name}; delete it, or train again.")
        progress("fit", 0.2, "Asking who the face is")
        identity, albedo = coefficients(regressor, faces)
        shape = model.vertices(identity[None], torch.zeros(1, len(model.expression)))[0]

        name = OPEN_HEAD if settings.head == "auto" and model.name not in BASEL else settings.head
        head = open_head(name, progress).with_expressions(ARKIT)
        if head.name == model.name:
            vertices, joints = shape.numpy(), head.joints_of(identity[None])[0].numpy()
            code: NDArray[np.float32] = identity.numpy()
        else:
            rigged = onto_head(head, *_skin(model, shape), progress, metric=True)
            vertices, joints, code = rigged.vertices, rigged.joints, rigged.identity
        progress("fit", 0.7, "Placing the head in the photo, finding its expression")
        still = np.zeros((len(head.joint_names), 3), np.float32)
        views = tuple(
            View(face, stance.camera, stance.expression, still)
            for face, stance in zip(faces, stances(head, vertices, faces), strict=True)
        )
        colours = linear_to_srgb(model.colours(albedo[None])[0]).numpy()
        mesh = Mesh(shape.numpy(), model.triangles.numpy(), colours)
        progress("fit", 1.0, f"Told from {len(faces)} photo{'s' * (len(faces) > 1)}")
        details = {
            "weights": {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
            "trained_for": model.name,
            "albedo": [round(float(value), 4) for value in albedo],
        }
        licences = (catalog.entry(model.name).licence.model,) if model.name in BASEL else ()
        return Reconstruction(self.name, head, code, vertices, joints, views, mesh, details=details, licences=licences)


def _skin(model: Morphable, vertices: torch.Tensor) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Vertices and triangles of the skin alone, and the 68 landmarks on it, NaN where the model does not say."""
    used, index = torch.unique(model.triangles[model.skin], return_inverse=True)
    marks = model.marks.on(vertices, model.triangles)
    marks[model.marks.triangle < 0] = torch.nan
    return vertices[used].double().numpy(), index.numpy(), marks.double().numpy()
