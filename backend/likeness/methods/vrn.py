"""VRN: one photo to a volume, and from its surface to a head that moves."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import HeadError, WeightsError
from likeness.faces.face import Face
from likeness.methods.base import OF_THE_HEAD, Licences, Reconstruction, Settings
from likeness.methods.flame_family import landmarks68
from likeness.methods.photo_mesh import HALF, PhotoMesh
from likeness.methods.registry import register
from likeness.methods.vrn_volume import (
    DEPTH,
    LEVEL,
    SIDE,
    Cut,
    before,
    heatmaps,
    isosurface,
    largest_part,
    smoothed,
    sureness,
)
from likeness.networks.graph import one_thread
from likeness.networks.torch7 import Torch7
from likeness.progress import Progress
from likeness.weights import catalog, store

__all__ = ["VRN", "loaded", "volume_of"]

SURE = 0.9
"""Share of voxels that a network is sure of when it runs as it was trained."""
FEWEST = 2000
"""Vertices that the surface of a face has at least."""


@register
class VRN:
    """Jackson et al. 2017, without landmarks as a guide. Of several photos the first one is used."""

    name: ClassVar[str] = "vrn"
    title: ClassVar[str] = "VRN"
    paper: ClassVar[str] = (
        "Jackson, Bulat, Argyriou and Tzimiropoulos: Large Pose 3D Face Reconstruction from a Single Image via Direct "
        "Volumetric CNN Regression, ICCV 2017"
    )
    year: ClassVar[int] = 2017
    licences: ClassVar[Licences] = Licences(
        code="MIT",
        weights="not stated; trained on 300W-LP, non-commercial research",
        model=OF_THE_HEAD,
    )
    needs: ClassVar[tuple[str, ...]] = ("vrn",)
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "one photo"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """The first face to a head.

        Raises:
            WeightsError, HeadError: something is not installed, or the network saw no face there.
        """
        face = faces[0]
        progress("fit", 0.0, "Loading VRN")
        network = loaded()
        progress("fit", 0.2, "Looking at the face")
        cut = Cut.of_landmarks(landmarks68(face))
        volume, mode = volume_of(face, cut, network)
        progress("fit", 0.7, "Finding the surface")
        vertices, triangles = isosurface(volume, LEVEL)
        if len(vertices) < FEWEST:
            raise HeadError("VRN saw no face in the photo; try another one, with the face from the front.")
        vertices, triangles = largest_part(vertices, triangles)
        vertices, triangles = before(smoothed(vertices, triangles), triangles)
        mesh = PhotoMesh(face, cut.in_photo(vertices) + HALF, triangles)
        details = {
            "files": store.open_weights("vrn").sources,
            "normalisation": mode,
            "sure": round(sureness(volume), 4),
            "crop": [round(v, 4) for v in (cut.x, cut.y, cut.scale)],
        }
        return mesh.reconstruction(self.name, settings, progress, details)


def volume_of(face: Face, cut: Cut, network: Torch7) -> tuple[NDArray[np.float32], str]:
    """The volume (200, 192, 192) in 0..1 and how the network normalised, "batch" or "running".

    What the file says of itself is tried first; where its volume is no solid and the other way's is, the other way was
    meant.
    """
    picture = cut.crop(face.photo.pixels).transpose(2, 0, 1)
    if network.inputs != 3:
        picture = np.concatenate([picture, heatmaps(cut.in_crop(landmarks68(face)))])
    if len(picture) != network.inputs:
        raise WeightsError(
            f"This VRN takes {network.inputs} channels; networks for 3 (colours) or 71 (and landmarks) are known."
        )
    given = torch.from_numpy(np.ascontiguousarray(picture))[None]
    tried: list[tuple[float, bool, NDArray[np.float32]]] = []
    for batch in (network.batch, not network.batch):
        network.batch = batch
        volume = _volume(network, given)
        tried.append((sureness(volume), batch, volume))
        if tried[-1][0] > SURE:
            break
    _, batch, volume = max(tried, key=lambda one: one[0])
    network.batch = batch
    return volume, "batch" if batch else "running"


def _volume(network: Torch7, given: torch.Tensor) -> NDArray[np.float32]:
    with one_thread():
        results = network(given)
    last = results[-1] if isinstance(results, list) else results
    if last.shape != (1, DEPTH, SIDE, SIDE):
        raise WeightsError("This network gives no volume of 200 x 192 x 192; it is not VRN.")
    volume: NDArray[np.float32] = last[0].numpy()
    return volume


def loaded() -> Torch7:
    """The network, kept for the next photo; raises WeightsError where it is not what it should be."""
    return _loaded(store.stamp(VRN.needs))


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> Torch7:
    return Torch7.from_store(store.open_weights("vrn").tensors("model/"), catalog.entry("vrn").title)
