"""DECA: one photo, or several of one person, to FLAME with detail that follows the expression."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.heads.flame_arkit import said_in_flame
from likeness.heads.flame_files import FlameFiles, flame_head, open_flame, texture_space
from likeness.heads.library import open_head
from likeness.methods.base import Licences, Mesh, Reconstruction, Settings, View
from likeness.methods.deca_model import Assets, Coarse, Codes, Deca
from likeness.methods.flame_crops import SIDE, Crop, landmark_crop
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
from likeness.progress import Progress
from likeness.weights import catalog, store

__all__ = ["DECA", "DETAIL_KEYS", "loaded", "place_in_photo"]

EDITION = "flame-2020"
"""What DECA was trained with; coefficients of other editions mean other shapes."""
DETAIL_KEYS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekSquintLeft",
    "cheekSquintRight", "jawOpen", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthPucker",
    "mouthSmileLeft", "mouthSmileRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""Expressions that wrinkle: each gets a map of what it adds to the neutral displacement."""
ALBEDOS = ("flame-albedo-bfm", "flame-texture")
"""Texture spaces that DECA's code knows; the paper's is the first."""
DETAILED_PHOTOS = 2
"""Photos whose own displacement is kept beside the neutral one."""


@register
class DECA:
    """Feng et al. 2021. With several photos the shape and detail codes are their mean."""

    name: ClassVar[str] = "deca"
    title: ClassVar[str] = "DECA"
    paper: ClassVar[str] = (
        "Feng, Feng, Black and Bolkart: Learning an Animatable Detailed 3D Face Model from In-The-Wild Images, "
        "ACM ToG (SIGGRAPH) 2021"
    )
    year: ClassVar[int] = 2021
    licences: ClassVar[Licences] = Licences(
        code="Apache-2.0",
        weights="non-commercial research (Max Planck, DECA)",
        model=catalog.entry(EDITION).licence.model,
    )
    needs: ClassVar[tuple[str, ...]] = ("deca", "deca-data", EDITION)
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo.

        Raises:
            WeightsError, HeadError: something is not installed, or not what it should be.
        """
        progress("fit", 0.0, "Loading DECA")
        files, model = loaded()
        head = flame_head(files, open_head("auto", progress), progress)
        progress("fit", 0.4, "Encoding the face")
        crops = [landmark_crop(landmarks68(face)) for face in faces]
        codes = model.encode(torch.stack([c.cut(f.photo.pixels) for c, f in zip(crops, faces, strict=True)]))
        shape = average([row.numpy() for row in codes.shape])
        detail = torch.from_numpy(average([row.numpy() for row in codes.detail]))[None]
        vertices, joints, identity = neutral(files.flame, head, shape)
        standings = []
        for item, (face, crop) in enumerate(zip(faces, crops, strict=True)):
            given = Coefficients(shape, codes.exp[item].numpy(), codes.pose[item].numpy())
            placed = place_in_photo(crop, codes.cam[item].numpy())
            standings.append(standing_in(face, files.flame, head, shape, given, placed))
        views = tuple(s.view for s in standings)
        progress("fit", 0.8, "Decoding detail")
        coarse = model.coarse(codes)
        maps = self._detail_maps(model, files, head, codes, detail)
        maps |= self._first_photo(model, head, codes, coarse, views[0], (vertices, joints), settings)
        details = {
            "edition": files.edition,
            "files": files.sources | store.open_weights("deca").sources,
            "photos": [_told(codes, coarse, crop, i) for i, crop in enumerate(crops)],
            "rig_error_mm": [round(1e3 * s.rig_error, 3) for s in standings],
        }
        mesh = self._dense(model, codes, coarse, maps["photo"])
        return Reconstruction(self.name, head, identity, vertices, joints, views, mesh, maps, details)

    def _detail_maps(
        self, model: Deca, files: FlameFiles, head: HeadModel, codes: Codes, detail: torch.Tensor
    ) -> dict[str, NDArray[Any]]:
        """ "displacement" of the neutral face in metres, and what expressions add to it."""
        names = [n for n in DETAIL_KEYS if n in head.expression_names]
        deltas = head.expression[[head.expression_names.index(n) for n in names]].double().numpy()
        skin = head.triangles[head.region("skin")].numpy()
        exp, jaw = said_in_flame(files.flame, deltas, skin, codes.exp.shape[1])
        photos = codes.exp[:DETAILED_PHOTOS]
        turns = codes.pose[:DETAILED_PHOTOS, 3:]
        exps = torch.cat([torch.zeros(1, exp.shape[1]), torch.from_numpy(exp).float(), photos])
        jaws = torch.cat([torch.zeros(1, 3), torch.from_numpy(jaw).float(), turns])
        some = len(exps)
        made = Codes(
            codes.shape[:1].expand(some, -1), codes.tex[:1].expand(some, -1), exps,
            torch.cat([torch.zeros(some, 3), jaws], 1), codes.cam[:1].expand(some, -1),
            codes.light[:1].expand(some, -1, -1), detail.expand(some, -1),
        )  # fmt: skip
        height = torch.cat([model.displacement(part) for part in _portions(made, 4)])
        # Beside the mask the decoder was never told what to do.
        fixed = model.assets.fixed
        shown = (height - fixed) * model.assets.mask + fixed
        maps: dict[str, NDArray[Any]] = {"displacement": shown[0].numpy()}
        added = (shown[1:] - shown[0]).numpy()
        labels = [*names, *(f"photo{i + 1}" for i in range(len(photos)))]
        return maps | {f"detail.{label}": values for label, values in zip(labels, added, strict=True)}

    def _first_photo(
        self,
        model: Deca,
        head: HeadModel,
        codes: Codes,
        coarse: Coarse,
        view: View,
        rest: tuple[NDArray[np.float32], NDArray[np.float32]],
        settings: Settings,
    ) -> dict[str, NDArray[Any]]:
        """The first photo in UV space: itself, its detail normals, and the model's albedo where there is one.

        Normals are in the head's frame, coded as (n + 1) / 2.
        """
        photo, seen = photo_map(head, posed_in(head, *rest, view), view, settings.texture_size)
        world = model.detail(codes, coarse).normals
        turn = torch.from_numpy(np.diag([1.0, -1.0, -1.0]) @ view.camera.rotation).float()
        maps: dict[str, NDArray[Any]] = {
            "photo": photo,
            "photo_seen": seen,
            "normal_object": ((world @ turn + 1) / 2).clamp(0, 1).numpy(),
        }
        space = texture_space(ALBEDOS)
        if space is not None:
            albedo = space.albedo(codes.tex[:1])[0].clamp(0, 1)
            maps["albedo_model"] = (albedo * 255).round().to(torch.uint8).numpy()
        return maps

    def _dense(self, model: Deca, codes: Codes, coarse: Coarse, photo: NDArray[np.uint8]) -> Mesh | None:
        """The first photo's dense coloured mesh in FLAME's frame, None without the file of texels."""
        if not model.assets.dense:
            return None
        detail = model.detail(codes, coarse)
        small = cv2.resize(photo, detail.displacement.shape, interpolation=cv2.INTER_AREA)
        points, faces, colours = model.dense(coarse, detail, torch.from_numpy(small.astype(np.float32) / 255))
        # The file's own order of corners looks inwards.
        return Mesh(points.numpy(), faces.flip(1).numpy(), colours.numpy())


def place_in_photo(crop: Crop, cam: NDArray[np.float32]) -> Placement:
    """DECA's camera of a crop, (3,) scale, tx, ty, as a placement in the photo."""
    s, tx, ty = (float(v) for v in cam)
    left, top = np.linalg.inv(crop.matrix)[:2, 2]
    half = SIDE / 2 * crop.scale
    # The originals count from the first pixel's centre.
    return Placement(s * half, (float(left) + half + 0.5, float(top) + half + 0.5), (tx, ty), upright=True)


def _told(codes: Codes, coarse: Coarse, crop: Crop, item: int) -> dict[str, Any]:
    """What is kept of one photo: all codes, the crop, the landmarks in pixels of the crop."""
    named = {name: rounded(value[item].numpy()) for name, value in vars(codes).items()}
    return named | {
        "crop": rounded(crop.matrix),
        "landmarks": rounded(((coarse.landmarks2d[item] + 1) * SIDE / 2).numpy()),
        "landmarks_visible": coarse.visible[item].tolist(),
    }


def _portions(codes: Codes, size: int) -> list[Codes]:
    parts = [value.split(size) for value in vars(codes).values()]
    return [Codes(*some) for some in zip(*parts, strict=True)]


def loaded() -> tuple[FlameFiles, Deca]:
    """The installed FLAME files and DECA, kept for the next photo.

    Raises:
        WeightsError, HeadError: something is not installed, or not what it should be.
    """
    return _loaded(store.stamp(DECA.needs))


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> tuple[FlameFiles, Deca]:
    weights = store.open_weights("deca")
    data = store.open_weights("deca-data")
    files = open_flame(EDITION)
    mask = data.tensor("face_eye_mask")
    mask = mask if mask.ndim == 2 else mask[..., 0]
    assets = Assets(
        files.layout.uv,
        files.layout.triangles_uv,
        torch.from_numpy(mask.astype(np.float32) / 255),
        torch.from_numpy(data.tensor("displacement").astype(np.float32)),
        data.tensors("texels/"),
    )
    model = Deca(files.flame, files.landmarks, assets)
    model.load(weights.tensors("model/"), catalog.entry("deca").title)
    return files, model
