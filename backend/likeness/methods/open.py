"""The open method: a head model fitted to who the face is, calibrated landmarks and the face's outline.

No licensed file is needed."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from likeness.errors import WeightsError
from likeness.faces.face import Face
from likeness.fitting.fit import fit_faces
from likeness.fitting.shape import Hint
from likeness.fitting.solve import Fit
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.methods.base import OF_THE_HEAD, Licences, Reconstruction, Settings, View
from likeness.methods.recognised import hint
from likeness.methods.registry import register
from likeness.progress import Progress
from likeness.weights import store

__all__ = ["Open"]


@register
class Open:
    """Any number of photos of one person -> cameras, identity, expressions and gaze of an open head."""

    name: ClassVar[str] = "open"
    title: ClassVar[str] = "Open head"
    paper: ClassVar[str] = "none; our own, see README"
    year: ClassVar[int] = 2026
    licences: ClassVar[Licences] = Licences(code="Apache-2.0", weights="Apache-2.0", model=OF_THE_HEAD)
    needs: ClassVar[tuple[str, ...]] = ("landmarks", "dlib-face", "ict-facekit or anny")
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo, to a head; raises HeadError where no head model can be had."""
        # Statistical expressions of other heads would say the same twice.
        head = open_head(settings.head, progress).with_expressions(ARKIT)
        fitted = fit_faces(head, faces, progress, lambda fit: _hint(head, faces, fit, progress))
        rest = np.zeros((len(head.joint_names), 3), np.float32)
        views = tuple(
            View(face, camera, expression, rest)
            for face, camera, expression in zip(faces, fitted.cameras, fitted.expressions, strict=True)
        )
        return Reconstruction(
            self.name, head, fitted.identity, fitted.vertices, fitted.joints, views, details=fitted.details
        )


def _hint(head: HeadModel, faces: list[Face], fit: Fit | None, progress: Progress) -> Hint | None:
    """What recognition says, given the fit so far; nothing, and a note why, where its network cannot be had."""
    if fit is None:
        first = not store.installed("dlib-face")
        progress("fit", 0.05, "Asking who the face is" + " (fetching the network for it, 93 MB, once)" * first)
    try:
        return hint(head, faces, fit)
    except WeightsError as error:
        progress("note", 0.0, f"The shape is told from landmarks alone: {error}")
        return None
