"""GANFIT's procedure with parts that can be had: a texture model, a head model and a face network are fitted to photos.

GANFIT itself cannot be run by anybody but its authors: neither code nor texture model were published. What is here is
the published objective and order of work, on the open head; docs/ganfit.md says what differs. Nothing licensed is
needed: without a texture model of the user's own, `likeness.maps.latent` is fitted.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import MethodError
from likeness.faces.face import Face
from likeness.fitting.appearance import Portrait, Sitter, Stand, camera_of, first_light
from likeness.fitting.appearance_fit import Outcome, Plan, fit_appearance
from likeness.fitting.appearance_sides import even_light
from likeness.fitting.fit import Fitted, fit_faces
from likeness.fitting.lights import LIGHTS, WHITE
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.maps.fitted import with_fitted
from likeness.maps.latent import FITTED, albedo_map, at_vertices
from likeness.maps.transfer import transfer_of
from likeness.methods.base import OF_THE_HEAD, Licences, Mesh, Reconstruction, Settings, View
from likeness.methods.ganfit_faces import FaceNetwork, choose_network
from likeness.methods.ganfit_textures import Chosen, choose
from likeness.methods.registry import register
from likeness.progress import Progress
from likeness.render.light import linear_to_srgb

__all__ = ["Ganfit"]

BEGIN = 0.1
"""Share of the time that placing the head takes."""
MAP_SIDE = 512
"""Texels a side that hold all that a texture model tells."""


@register
class Ganfit:
    """Any number of photos of one person: one shape and one skin, a camera, an expression and a light in each.

    Attributes:
        plan: of the fit; None takes the standard one with the settings' seed.
        work: folder for its state, in which a fit that was stopped goes on, and a picture of how it goes.
    """

    name: ClassVar[str] = "ganfit"
    title: ClassVar[str] = "GANFIT-style fitting"
    paper: ClassVar[str] = (
        "Gecer, Ploumpis, Kotsia and Zafeiriou: GANFIT: Generative Adversarial Network Fitting for High Fidelity 3D "
        "Face Reconstruction, CVPR 2019"
    )
    year: ClassVar[int] = 2019
    licences: ClassVar[Licences] = Licences(code="Apache-2.0", weights="Apache-2.0", model=OF_THE_HEAD)
    needs: ClassVar[tuple[str, ...]] = ("landmarks", "dlib-face or arcface or auraface", "ict-facekit or anny")
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def __init__(self, plan: Plan | None = None, work: Path | None = None) -> None:
        self.plan, self.work = plan, work

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            HeadError, WeightsError: no head model or no face network can be had.
            MethodError: the work folder holds another fit, or there is no light of the name.
        """
        if settings.light not in LIGHTS:
            raise MethodError(f"There is no light {settings.light!r}; choose one of: {', '.join(LIGHTS)}.")
        light = LIGHTS[settings.light]
        network = choose_network()
        head = open_head(settings.head, progress).with_expressions(ARKIT)
        placed = fit_faces(head, faces, _within(progress, 0.0, BEGIN))
        occlusion = torch.from_numpy(transfer_of(head)[:, 0] / 0.282095).clamp(0.05, 1).float()
        sitter = Sitter.of(head, placed.identity, placed.vertices, occlusion)
        portraits = [Portrait.of(face, camera, head) for face, camera in zip(faces, placed.cameras, strict=True)]
        texture = choose(head, settings.seed, progress)
        plan = self.plan or Plan(seed=settings.seed)
        if self.plan is None and network.weights is not None:
            plan = replace(plan, weights=dict(network.weights))
        stands = []
        for portrait, expression in zip(portraits, placed.expressions, strict=True):
            stand = _standing(expression)
            harmonics = first_light(sitter, portrait, stand, texture.paint())
            stands.append(replace(stand, light=light.of(harmonics), kind=light))
        told = {"texture": texture.name, "face network": network.name, "photos": [_sum(face) for face in faces]}
        found = fit_appearance(
            sitter,
            portraits,
            stands,
            texture,
            network.looks,
            plan,
            self.work,
            told,
            _within(progress, BEGIN, 1.0),
            realigned=network.realigned,
        )
        return _result(self.name, sitter, placed, faces, portraits, texture, network, found, settings)


def _within(progress: Progress, start: float, end: float) -> Progress:
    """A part of a stage that runs from 0 to 1 of its own."""
    return lambda stage, fraction, said: progress(
        stage, start + (end - start) * fraction if stage == "fit" else fraction, said
    )


def _standing(expression: NDArray[np.float32]) -> Stand:
    return Stand(torch.zeros(3), torch.zeros(3), torch.zeros(()), torch.from_numpy(expression), even_light(WHITE))


def _sum(face: Face) -> str:
    return hashlib.sha256(face.photo.pixels.tobytes() + face.landmarks.tobytes()).hexdigest()


def _result(
    method: str,
    sitter: Sitter,
    placed: Fitted,
    faces: list[Face],
    portraits: list[Portrait],
    texture: Chosen,
    network: FaceNetwork,
    found: Outcome,
    settings: Settings,
) -> Reconstruction:
    head = sitter.head
    with torch.no_grad():
        vertices = sitter.shaped(found.identity).numpy()
        moved = head.joints_of(found.identity[None])[0] - head.joints_of(sitter.identity[None])[0]
        colours = linear_to_srgb(texture.paint()(at_vertices(sitter))).numpy()
        albedo = albedo_map(head, texture.paint(), min(settings.texture_size, MAP_SIDE))
    still = np.zeros((len(head.joint_names), 3), np.float32)
    views = tuple(
        View(face, camera_of(sitter, portrait, stand, camera), stand.expression.numpy(), still)
        for face, portrait, stand, camera in zip(faces, portraits, found.stands, placed.cameras, strict=True)
    )
    last = found.history[-1] if found.history else {}
    details: dict[str, Any] = {
        **placed.details,
        "providers": {
            FITTED: texture.source,
            "shape": f"open head model: {head.title}",
            "face network": network.source,
        },
        "likeness": {"before": round(found.likeness[0], 4), "after": round(found.likeness[1], 4)},
        "steps": len(found.history),
        "terms": {name: round(value, 6) for name, value in last.items()},
        "light": LIGHTS[settings.light].title,
        "lights": [stand.light.numpy().round(4).tolist() for stand in found.stands],
    }
    joints = (torch.from_numpy(placed.joints) + moved).numpy()
    mesh = Mesh(vertices, sitter.triangles.numpy(), colours)
    return Reconstruction(
        method,
        head,
        found.identity.numpy(),
        vertices,
        joints,
        views,
        mesh,
        {FITTED: albedo},
        details,
        with_fitted if texture.learned else None,
        tuple(dict.fromkeys((*texture.licences, *network.licences))),
    )
