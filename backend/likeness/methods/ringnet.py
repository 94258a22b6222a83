"""RingNet: one photo, or several of one person, to FLAME."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.heads.flame_files import FlameFiles, flame_head, open_flame
from likeness.heads.library import open_head
from likeness.methods.base import Licences, Reconstruction, Settings
from likeness.methods.flame_crops import SIDE, Window, landmark_crop, ringnet_window
from likeness.methods.flame_family import (
    Coefficients,
    Placement,
    average,
    landmarks68,
    neutral,
    posed_in,
    rounded,
    standing_in,
)
from likeness.methods.flame_photo import photo_map
from likeness.methods.registry import register
from likeness.networks.fuse import fold_batch_norms
from likeness.networks.ringnet import RingNet as Network
from likeness.progress import Progress
from likeness.weights import catalog, store

__all__ = ["RingNet", "demo_camera", "loose_crop", "place_in_photo", "split"]

EDITION = "flame-2019"
"""What RingNet was trained with; coefficients of other editions mean other shapes."""
FOCAL = 500.0 * 100
"""Pixels: the demo's stand-in for a camera infinitely far away."""

Floats = NDArray[np.float64]


@register
class RingNet:
    """Sanyal et al. 2019. With several photos the shape is their mean."""

    name: ClassVar[str] = "ringnet"
    title: ClassVar[str] = "RingNet"
    paper: ClassVar[str] = (
        "Sanyal, Bolkart, Feng and Black: Learning to Regress 3D Face Shape and Expression from an Image without 3D "
        "Supervision, CVPR 2019"
    )
    year: ClassVar[int] = 2019
    licences: ClassVar[Licences] = Licences(
        code="Apache-2.0",
        weights="MIT (by the project's update; older headers say non-commercial research)",
        model="non-commercial research (FLAME model licence)",
    )
    needs: ClassVar[tuple[str, ...]] = (
        "ringnet",
        EDITION,
        "flame-landmarks or deca-data",
        "deca-data or flame-texture-data",
    )
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            WeightsError, HeadError: something is not installed, or not what it should be.
        """
        progress("fit", 0.0, "Loading RingNet")
        files, network = _loaded(
            store.stamp(("ringnet", EDITION, "flame-landmarks", "deca-data", "flame-texture-data"))
        )
        head = flame_head(files, open_head("auto", progress), progress)
        progress("fit", 0.5, "Looking at the face")
        loose = [loose_crop(face) for face in faces]
        windows = [ringnet_window(picture) for picture, _ in loose]
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack([w.pixels for w in windows])).permute(0, 3, 1, 2)
            theta = network(pixels).numpy()
        shape = average([split(row)["shape"] for row in theta])
        vertices, joints, identity = neutral(files.flame, head, shape)
        standings = []
        for face, row, window, (_, corner) in zip(faces, theta, windows, loose, strict=True):
            parts = split(row)
            given = Coefficients(shape, parts["exp"], parts["pose"])
            placed = place_in_photo(window, corner, parts["cam"])
            standings.append(standing_in(face, files.flame, head, shape, given, placed))
        views = tuple(s.view for s in standings)
        posed = posed_in(head, vertices, joints, views[0])
        photo, seen = photo_map(head, posed, views[0], settings.texture_size)
        details = {
            "edition": files.edition,
            "files": files.sources | store.open_weights("ringnet").sources,
            "photos": [
                {name: rounded(value) for name, value in split(row).items()} | {"corner": rounded(corner)}
                for row, (_, corner) in zip(theta, loose, strict=True)
            ],
            "rig_error_mm": [round(1e3 * s.rig_error, 3) for s in standings],
        }
        maps = {"photo": photo, "photo_seen": seen}
        return Reconstruction(self.name, head, identity, vertices, joints, views, None, maps, details)


def split(theta: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The 159 numbers by name: cam (3,), pose (6,), shape (100,), exp (50,)."""
    cam, pose, shape, exp = np.split(theta, [3, 9, 109])
    return {"cam": cam, "pose": pose, "shape": shape, "exp": exp}


def place_in_photo(window: Window, corner: Floats, cam: NDArray[np.floating[Any]]) -> Placement:
    """RingNet's camera of a window, (3,) scale, tx, ty, as a placement in the photo.

    Args:
        corner: (2,) pixels of the photo, upper left corner of the loose crop.
    """
    s, tx, ty = (float(v) for v in cam)
    x, y = (window.start + 0.5) / window.scale + corner
    return Placement(s * SIDE / 2 / window.scale, (float(x), float(y)), (tx, ty), upright=False)


def demo_camera(window: Window, cam: Floats) -> tuple[Floats, Floats]:
    """The pinhole by which the original's demo draws over the picture: (f, cx, cy) pixels, shift (3,) metres."""
    s, tx, ty = cam
    pinhole = np.array([FOCAL, *window.start]) / window.scale
    return pinhole, np.array([tx, ty, FOCAL / (SIDE / 2 * s)])


def loose_crop(face: Face) -> tuple[NDArray[np.uint8], Floats]:
    """DECA's square around the face as pixels (S, S, 3), its edges repeated outside, and its corner (2,) in the photo.

    RingNet asks for a loose crop of the face and has no detector of its own.
    """
    inverse = np.linalg.inv(landmark_crop(landmarks68(face)).matrix)
    side = round(inverse[0, 0] * (SIDE - 1))
    corner = np.round(inverse[:2, 2]).astype(int)
    photo = face.photo
    before = np.maximum(-corner, 0)
    after = np.maximum(corner + side - (photo.width, photo.height), 0)
    low = np.maximum(corner, 0)
    part = photo.pixels[low[1] : corner[1] + side, low[0] : corner[0] + side]
    framed = cv2.copyMakeBorder(part, before[1], after[1], before[0], after[0], cv2.BORDER_REPLICATE)
    return np.asarray(framed, np.uint8), corner.astype(np.float64)


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> tuple[FlameFiles, Network]:
    """Network and head, kept for the next photo."""
    variables = store.open_weights("ringnet").tensors("model/")
    network = Network.from_variables(variables, catalog.entry("ringnet").title)
    fold_batch_norms(network)
    return open_flame(EDITION), network
