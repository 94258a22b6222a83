"""Genova et al. 2018: who a face is, as a recognition network sees it, becomes the shape and colours of a head.

The authors published no weights. Those here are our own, trained by `likeness train genova` on renders of the open head
(genova_weights/CARD.md), so nothing licensed is needed.
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
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.heads.pigments import Pigments
from likeness.heads.transfer import onto_head
from likeness.methods.base import OF_THE_HEAD, Licences, Mesh, Reconstruction, Settings, View
from likeness.methods.recognised import OPEN_HEAD, coefficients, weights_for
from likeness.methods.registry import register
from likeness.progress import Progress
from likeness.render.light import linear_to_srgb

__all__ = ["Genova"]

HIDDEN = ("lashes", "wet")  # meshes that are nothing without their textures


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
        found = weights_for(settings.head, OPEN_HEAD)
        assert found is not None, "the program comes with weights for the open head"
        path, regressor, told = found
        own = open_head(str(told["head"]), progress)
        if len(own.identity) != regressor.sizes[1]:
            raise WeightsError(f"{path} is for another edition of the head {own.name}; delete it, or train again.")
        progress("fit", 0.2, "Asking who the face is")
        identity, albedo = coefficients(regressor, faces)
        shape = own.shape(identity[None])[0]

        if settings.head in ("auto", own.name):
            head, vertices, joints = (
                own.with_expressions(ARKIT),
                shape.numpy(),
                own.joints_of(identity[None])[0].numpy(),
            )
            code: NDArray[np.float32] = identity.numpy()
        else:
            head = open_head(settings.head, progress).with_expressions(ARKIT)
            rigged = onto_head(head, *_skin(own, shape), progress, metric=True)
            vertices, joints, code = rigged.vertices, rigged.joints, rigged.identity
        progress("fit", 0.7, "Placing the head in the photo, finding its expression")
        still = np.zeros((len(head.joint_names), 3), np.float32)
        views = tuple(
            View(face, stance.camera, stance.expression, still)
            for face, stance in zip(faces, stances(head, vertices, faces), strict=True)
        )
        pigments = Pigments.of(own)
        colours = linear_to_srgb(pigments.colours(albedo[None])[0]).numpy()
        mesh = Mesh(shape.numpy(), own.triangles[~own.region(*HIDDEN)].numpy(), colours)
        progress("fit", 1.0, f"Told from {len(faces)} photo{'s' * (len(faces) > 1)}")
        details = {
            "weights": {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
            "trained_for": own.name,
            "albedo": [round(float(value), 4) for value in albedo],
        }
        return Reconstruction(self.name, head, code, vertices, joints, views, mesh, details=details)


def _skin(head: HeadModel, vertices: torch.Tensor) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Vertices and triangles of the skin alone, and the 68 landmarks on it."""
    triangles = head.triangles[head.region("skin")]
    used, index = torch.unique(triangles, return_inverse=True)
    marks = head.landmarks["ibug68"].on(vertices, head.triangles)
    return vertices[used].double().numpy(), index.numpy(), marks.double().numpy()
