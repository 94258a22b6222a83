"""PRNet: one photo to a map of positions, and from its mesh to a head that moves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.faces.face import Face
from likeness.methods.base import OF_THE_HEAD, Licences, Reconstruction, Settings
from likeness.methods.flame_family import landmarks68
from likeness.methods.photo_mesh import HALF, PhotoMesh
from likeness.methods.prnet_map import Square, Topology, euler_radians, pose
from likeness.methods.registry import register
from likeness.networks.graph import one_thread
from likeness.networks.prnet import ResFcn
from likeness.progress import Progress
from likeness.weights import catalog, store

__all__ = ["PRNet", "from_positions", "loaded", "look"]

STRANGE = 0.5
"""Distance from the mean face, as a share of a face's extent, beyond which something is no face."""


@register
class PRNet:
    """Feng et al. 2018. Of several photos the first one is used: the method has no shape apart from the expression."""

    name: ClassVar[str] = "prnet"
    title: ClassVar[str] = "PRNet"
    paper: ClassVar[str] = (
        "Feng, Wu, Shao, Wang and Zhou: Joint 3D Face Reconstruction and Dense Alignment with Position Map Regression "
        "Network, ECCV 2018"
    )
    year: ClassVar[int] = 2018
    licences: ClassVar[Licences] = Licences(
        code="MIT",
        weights="non-commercial research (training data; see the project's issue 28)",
        model=OF_THE_HEAD,
    )
    needs: ClassVar[tuple[str, ...]] = ("prnet",)
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "one photo"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """The first face to a head.

        Raises:
            WeightsError, HeadError: something is not installed, or the network saw no face there.
        """
        progress("fit", 0.0, "Loading PRNet")
        network, topology = loaded()
        progress("fit", 0.3, "Looking at the face")
        return from_positions(faces[0], look(faces[0], network), topology, settings, progress)


def look(face: Face, network: ResFcn) -> NDArray[np.float64]:
    """The position map (256, 256, 3) of a face in its photo; see `likeness.methods.prnet_map`."""
    square = Square.of_landmarks(landmarks68(face))
    picture = torch.from_numpy(square.crop(face.photo.pixels)).permute(2, 0, 1)[None]
    with torch.inference_mode(), one_thread():
        positions = network(picture)[0].permute(1, 2, 0).numpy()
    return square.in_photo(positions)


def from_positions(
    face: Face, positions: NDArray[np.float64], topology: Topology, settings: Settings, progress: Progress
) -> Reconstruction:
    """A position map in the photo, (256, 256, 3), to the head of its shape; raises as the method does."""
    vertices = topology.vertices(positions)
    scale, rotation, shift = pose(vertices, topology.canonical)
    away = vertices - scale * topology.canonical @ rotation.T - shift
    if np.sqrt((away**2).sum() / ((vertices - vertices.mean(0)) ** 2).sum()) > STRANGE:
        raise HeadError("PRNet saw no face in the photo; try another one, with the face from the front.")
    mesh = PhotoMesh(face, vertices + HALF, topology.triangles)
    details: dict[str, Any] = {
        "files": store.open_weights("prnet").sources,
        "yaw_pitch_roll": [round(float(np.degrees(a)), 2) for a in euler_radians(rotation)],
        "pixels_per_unit": round(scale, 4),
        "landmarks68": np.round(topology.landmarks(positions), 2).tolist(),
    }
    return mesh.reconstruction(PRNet.name, settings, progress, details)


def loaded() -> tuple[ResFcn, Topology]:
    """Network and tables, kept for the next photo; raises WeightsError where they are not what they should be."""
    return _loaded(store.stamp(PRNet.needs))


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> tuple[ResFcn, Topology]:
    weights = store.open_weights("prnet")
    network = ResFcn.from_variables(weights.tensors("model/"), catalog.entry("prnet").title)
    given = weights.tensor("triangles") if "triangles" in weights.names() else None
    index, keypoints, canonical = (weights.tensor(name) for name in ("face_ind", "uv_kpt_ind", "canonical"))
    return network, Topology.of(index, keypoints, canonical, given)
