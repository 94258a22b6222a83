"""Deep3D: one photo, or several of one person, to a Basel face with albedo and light, and to a head that moves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import HeadError, WeightsError
from likeness.faces.face import Face
from likeness.heads.bfm import Bfm
from likeness.heads.bfm_files import open_front
from likeness.methods import deep3d_losses as losses
from likeness.methods.base import Licences, Reconstruction, Settings
from likeness.methods.bfm_family import Seen, aggregated, animate
from likeness.methods.deep3d_crops import SIDE, Aligned, align, five_points
from likeness.methods.deep3d_model import AWAY, Coefficients, model_camera, normals, projected, shaded, world
from likeness.methods.flame_family import landmarks68, rounded
from likeness.methods.registry import register
from likeness.networks import deep3d as release
from likeness.progress import Progress
from likeness.render.raster import interpolate, rasterise
from likeness.weights import catalog, store

__all__ = ["Deep3D", "networks", "regress", "standard_face"]

PYTORCH, TENSORFLOW, DATA = "deep3d", "deep3d-tf", "deep3d-data"


@register
class Deep3D:
    """Deng et al. 2019.

    With several photos the identity is one for all: weighted by the confidences of the paper's second network where a
    file of its weights is installed (its authors released none), else the mean of the photos' coefficients, which they
    found nearly as good. So is the albedo. Expression, pose, place and light stay those of each photo.
    """

    name: ClassVar[str] = "deep3d"
    title: ClassVar[str] = "Deep3D"
    paper: ClassVar[str] = (
        "Deng, Yang, Xu, Chen, Jia and Tong: Accurate 3D Face Reconstruction with Weakly-Supervised Learning: From "
        "Single Image to Image Set, CVPR Workshops 2019"
    )
    year: ClassVar[int] = 2019
    licences: ClassVar[Licences] = Licences(
        code="Apache-2.0",
        weights="not stated; follows BFM, non-commercial research",
        model="non-commercial research (Basel Face Model)",
    )
    needs: ClassVar[tuple[str, ...]] = (
        f"{PYTORCH} or {TENSORFLOW}",
        "bfm-2009 or bfm-front",
        "bfm-expression or bfm-front",
        DATA,
    )
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            WeightsError, HeadError: something is not installed, or not what it should be.
        """
        progress("fit", 0.0, "Loading Deep3D")
        network, confidence, which = networks()
        model, standard = open_front(), standard_face()
        progress("fit", 0.3, "Looking at the face")
        crops = [align(face.photo.pixels, landmarks68(face), standard) for face in faces]
        flat, trust = regress(network, confidence, crops)
        read = [Coefficients.of(row) for row in flat]
        identity = aggregated([c.identity for c in read], trust)
        albedo = _albedo(model, aggregated([c.texture for c in read]))
        standing = [
            Seen(face, c.expression, model_camera(c, crop)) for face, c, crop in zip(faces, read, crops, strict=True)
        ]
        animated = animate(model, identity, standing, settings, progress)
        details = {
            "files": _sources(which),
            "release": which,
            "aggregation": "one photo" if len(faces) == 1 else "mean" if trust is None else "confidences",
            "identity": rounded(identity),
            "photos": [
                {"coefficients": rounded(row), "crop": _told(crop), "losses": _measured(model, c, crop, face)}
                for row, c, crop, face in zip(flat, read, crops, faces, strict=True)
            ],
        }
        maps = {"albedo_model": animated.colour_map(albedo, settings.texture_size)}
        return animated.reconstruction(self.name, albedo, details, maps)


def regress(
    network: release.ReconNet, confidence: release.ConfidenceNet | None, crops: list[Aligned]
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]] | None]:
    """Coefficients (B, 257) of crops, and how far to trust each one's identity, (80,) each, where a network says so."""
    pictures = np.stack([crop.pixels for crop in crops]).astype(np.float32) / 255
    with torch.inference_mode():
        flat, first, pooled = network.seen(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous())
        trust = None if confidence is None or len(crops) == 1 else list(confidence(first, pooled).numpy())
    return flat.numpy(), trust


def _albedo(model: Bfm, texture: NDArray[np.float32]) -> NDArray[np.float32]:
    if model.colours is None:
        raise HeadError("The Basel Face Model as installed has no colours; install it again.")
    return np.clip(model.colours.of(texture), 0, 1)


def _measured(model: Bfm, c: Coefficients, crop: Aligned, face: Face) -> dict[str, float]:
    """How well the drawn face fits the crop: the terms of the training's loss that need no other network."""
    posed = world(model, c)
    points, triangles, colours = projected(posed), model.triangles, model.colours
    assert triangles is not None
    assert colours is not None
    albedo = colours.of(c.texture)
    facing = normals(model.vertices(c.identity, c.expression), triangles) @ c.rotation().T
    front = model.masks.get("front", np.ones(len(posed), bool)).astype(np.float64)
    values = np.concatenate([shaded(albedo, facing, c.light), front[:, None]], 1)
    placed = np.stack([points[:, 0], SIDE - points[:, 1], AWAY - posed[:, 2]], 1).astype(np.float32)
    corners = torch.from_numpy(triangles)
    raster = rasterise(torch.from_numpy(placed), corners, SIDE, SIDE)
    drawn = interpolate(torch.from_numpy(values.astype(np.float32)), corners, raster).permute(2, 0, 1)[None]
    photo = torch.from_numpy(crop.pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
    wanted = landmarks68(face) * (1, -1) + (0, face.photo.height - 1)
    one = {name: torch.from_numpy(getattr(c, name))[None] for name in ("identity", "expression", "texture", "light")}
    skin = model.masks.get("skin", np.ones(len(posed), bool)).astype(np.float32)
    found = {
        "photometric": losses.photometric(drawn[:, :3], photo, (drawn[:, 3:] > 0.999).float()),
        "landmarks": losses.landmarks(
            torch.from_numpy(points[model.keypoints])[None], torch.from_numpy(crop.points(wanted))[None]
        ),
        "regularisation": losses.regularisation(one["identity"], one["expression"], one["texture"]),
        "gamma": losses.gamma(one["light"]),
        "reflectance": losses.reflectance(torch.from_numpy(albedo)[None], torch.from_numpy(skin)),
    }
    return {name: float(f"{float(value):.6g}") for name, value in found.items()}


def _told(crop: Aligned) -> dict[str, Any]:
    """Where a crop lies: enough to cut it again."""
    return {
        "scaled": list(crop.scaled),
        "corner": crop.corner.tolist(),
        "scale": round(crop.scale, 6),
        "middle": rounded(crop.middle),
    }


def _sources(which: str) -> dict[str, str]:
    used = (which, "bfm-front", "bfm-2009", "bfm-expression", DATA)
    found: dict[str, str] = {}
    for name in used:
        if store.installed(name):
            found |= store.open_weights(name).sources
    return found


def standard_face() -> NDArray[np.float64]:
    """(5, 3) decimetres: the landmarks of the face that photos are aligned to.

    Raises:
        WeightsError: Deep3D's files are not installed.
    """
    return five_points(store.open_weights(DATA).tensor("standard/lm").astype(np.float64))


def networks() -> tuple[release.ReconNet, release.ConfidenceNet | None, str]:
    """R-Net of the installed release, the PyTorch one first, the confidence network or None, and the release's name.

    Raises:
        WeightsError: neither is installed, or one is not what it should be.
    """
    which = PYTORCH if store.installed(PYTORCH) or not store.installed(TENSORFLOW) else TENSORFLOW
    return (*_networks(which, store.stamp((which,))), which)


@lru_cache(maxsize=1)
def _networks(which: str, _: tuple[tuple[str, float], ...]) -> tuple[release.ReconNet, release.ConfidenceNet | None]:
    weights, title = store.open_weights(which), catalog.entry(which).title
    if which == PYTORCH:
        network = release.from_checkpoint(weights.tensors("model/net_recon."), title)
    else:
        network = release.from_graph(weights.tensors("model/"), title)
    given = weights.tensors("confidence/")
    if given and network.backbone.wide != release.FEATURE:
        raise WeightsError(
            f"{title}: the confidence network belongs to the larger backbone; install it again without "
            "confidence_net.pth."
        )
    return network, release.confidence_net(given, title) if given else None
