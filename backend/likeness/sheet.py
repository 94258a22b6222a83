"""The sheet to judge a head by: photo, mesh on the photo, re-render, studio portrait, grey clay, side by side."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from likeness import package as packages
from likeness.avatar import Avatar, AvatarView
from likeness.blend import Picture, beside, run_blender
from likeness.camera import Camera
from likeness.heads.base import triangulate
from likeness.heads.skinning import linear_blend_skinning, pose_correctives
from likeness.progress import Progress, quiet
from likeness.render.raster import rasterise
from likeness.render.view import project

__all__ = ["compare_sheet", "posed", "wire"]

Picture8 = NDArray[np.uint8]

HEIGHT = 720
"""Of the panels, pixels."""
ASPECT = 3 / 4
GAP, LABEL = 10, 34
GROUND = (22, 22, 24)
PAPER = (62, 64, 66)
"""Behind the re-render; as dark as the studio's backdrop."""
WIRE = (120, 235, 255)
STRENGTH = 0.6
"""How much of a wire's colour covers the photo."""
THIN = ("lashes", "wet")
"""Regions that would draw a thicket over the eyes."""
SKIN_DEEP = 0.002
"""A vertex shows where nothing lies more than this in front of it, metres."""


def compare_sheet(
    package: Path,
    compare: Path,
    blend_file: Path | None = None,
    portrait: Path | None = None,
    *,
    blender: Path | None = None,
    samples: int = 96,
    height: int = 1024,
    progress: Progress = quiet,
) -> None:
    """Build a package's head as `likeness.blend.blend` does, and write the sheet ``compare`` (PNG) besides.

    The panels are 720 pixels high and show the first photo around its head. One Blender process renders all of them.
    Raises PackageError and OutputError as `blend` does.
    """
    avatar = packages.load(package)
    view = avatar.views[0] if avatar.views else None
    names = (compare, blend_file, portrait)
    with (
        beside(*names) as (sheet, blend_aside, portrait_aside),
        tempfile.TemporaryDirectory(prefix="likeness-") as room,
    ):
        shots = {kind: Path(room) / f"{kind}.png" for kind in ("photo", "portrait", "clay")}
        studio = portrait_aside or shots["portrait"]
        pictures = [
            Picture("portrait", studio, height if portrait_aside else HEIGHT, samples),
            Picture("clay", shots["clay"], HEIGHT, min(samples, 32)),
        ]
        panels: dict[str, Picture8] = {}
        if view:
            box = frame(avatar, view)
            size = view.camera.width, view.camera.height
            crop = (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1])
            pictures.append(Picture("photo", shots["photo"], HEIGHT, max(1, samples // 2), view.name, crop))
            panels["photo"] = _cut(view.photo, box)
            panels["mesh on the photo"] = wire(avatar, view, box)
        run_blender(package, blend_aside, pictures, blender=blender, progress=progress)
        if view:
            panels["from the photo's camera"] = _over(Image.open(shots["photo"]), PAPER)
        panels["studio"] = np.asarray(Image.open(studio).convert("RGB"))
        panels["shape"] = np.asarray(Image.open(shots["clay"]).convert("RGB"))
        assert sheet is not None  # a path was given
        _arrange(panels).save(sheet, "PNG")


def posed(avatar: Avatar, view: AvatarView) -> NDArray[np.float32]:
    """Vertices (V, 3) metres, head's frame, with the expression and pose of a photo."""
    vertices = avatar.vertices.copy()
    for name, weight in view.expression.items():
        vertices += weight * avatar.expression[avatar.expression_names.index(name)]
    tensors = (torch.as_tensor(np.asarray(a, np.float32)) for a in (vertices, avatar.joints, view.pose))
    v, joints, pose = (t[None] for t in tensors)
    if avatar.correctives is not None:
        bending = [avatar.joint_names.index(name) for name in avatar.corrective_joints]
        v = v + pose_correctives(pose[:, bending], torch.as_tensor(avatar.correctives))
    weights = torch.as_tensor(avatar.skin_weights)
    return np.asarray(linear_blend_skinning(v, joints, pose, avatar.joint_parents, weights)[0].numpy(), np.float32)


def frame(avatar: Avatar, view: AvatarView) -> tuple[int, int, int, int]:
    """The part of a photo to show: left, top, right, bottom in pixels, 3:4 where the photo has room, head with air."""
    above = set()
    for i, (name, parent) in enumerate(zip(avatar.joint_names, avatar.joint_parents, strict=True)):
        if name == "head" or parent in above:
            above.add(i)
    head = avatar.skin_weights[:, sorted(above)].sum(1) > 0.5 if above else np.ones(len(avatar.vertices), bool)
    points = view.camera.project(posed(avatar, view)[head])
    (left, top), (right, bottom) = points.min(0), points.max(0)
    tall = min(1.35 * max(bottom - top, (right - left) / ASPECT), view.camera.height, view.camera.width / ASPECT)
    wide = tall * ASPECT
    x = np.clip((left + right - wide) / 2, 0, view.camera.width - wide)
    y = np.clip((top + bottom - tall) / 2, 0, view.camera.height - tall)
    return round(x), round(y), max(round(x + wide), round(x) + 1), max(round(y + tall), round(y) + 1)


def wire(avatar: Avatar, view: AvatarView, box: tuple[int, int, int, int]) -> Picture8:
    """The visible edges of the mesh drawn on a part of the photo, (720, W, 3) uint8 sRGB."""
    photo = _cut(view.photo, box)
    # Twice as big and then halved: finer lines than a pixel.
    height, width = (2 * s for s in photo.shape[:2])
    points = project(_camera(view.camera, box, width, height), torch.as_tensor(posed(avatar, view)).double())
    shown = np.array([n not in THIN for n in avatar.region_names])[avatar.polygon_region]
    polygons = torch.as_tensor(avatar.polygons[shown].astype(np.int64))
    corners, parent = triangulate(polygons)
    triangles = torch.gather(polygons[parent], 1, corners)
    depth = rasterise(points.float(), triangles, width, height).depth
    visible = _visible(points, depth)

    edges = np.concatenate([avatar.polygons[shown], avatar.polygons[shown][:, :1]], 1)
    edges[edges[:, 3] < 0, 3] = edges[edges[:, 3] < 0, 0]  # a triangle closes one corner earlier
    pairs = np.concatenate([edges[:, i : i + 2] for i in range(4)])
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], 1), axis=0)
    pairs = pairs[visible[pairs].all(1)]
    lines = np.zeros((height, width), np.uint8)
    ends = np.rint((points[:, :2].numpy()[pairs] - 0.5) * 16).astype(np.int32)
    cv2.polylines(lines, list(ends), False, 255, 1, cv2.LINE_AA, 4)
    cover = cv2.resize(lines, photo.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None] * (STRENGTH / 255)
    mixed: Picture8 = np.rint(photo * (1 - cover) + np.array(WIRE) * cover).astype(np.uint8)
    return mixed


def _visible(points: Tensor, depth: Tensor) -> NDArray[np.bool_]:
    """(V,) bool: in the picture, and not behind anything."""
    height, width = depth.shape
    x, y, z = points[:, 0].floor().long(), points[:, 1].floor().long(), points[:, 2]
    inside = (x >= 1) & (y >= 1) & (x < width - 1) & (y < height - 1) & (z > 0)
    x, y = x.clamp(1, width - 2), y.clamp(1, height - 2)
    # The farthest of the pixels around, so that slopes and outlines do not hide their own vertices.
    around = torch.stack([depth[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    seen: NDArray[np.bool_] = (inside & (z < around.max(0).values + SKIN_DEEP)).numpy()
    return seen


def _camera(camera: Camera, box: tuple[int, int, int, int], width: int, height: int) -> Camera:
    left, top, right, bottom = box
    return camera.cropped(left, top, right - left, bottom - top).resized(width, height)


def _cut(photo: Picture8, box: tuple[int, int, int, int]) -> Picture8:
    left, top, right, bottom = box
    return _fit(photo[top:bottom, left:right])


def _fit(picture: NDArray[Any]) -> Picture8:
    """To the panels' height."""
    height, width = picture.shape[:2]
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((max(1, round(width * HEIGHT / height)), HEIGHT), Image.Resampling.LANCZOS))


def _over(image: Image.Image, ground: tuple[int, int, int]) -> Picture8:
    paper = Image.new("RGBA", image.size, (*ground, 255))
    paper.alpha_composite(image.convert("RGBA"))
    return np.asarray(paper.convert("RGB"))


def _arrange(panels: dict[str, Picture8]) -> Image.Image:
    fitted = {label: _fit(panel) for label, panel in panels.items()}
    width = sum(p.shape[1] for p in fitted.values()) + GAP * (len(fitted) + 1)
    sheet = Image.new("RGB", (width, HEIGHT + GAP + LABEL), GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    x = GAP
    for label, panel in fitted.items():
        sheet.paste(Image.fromarray(panel), (x, GAP))
        pen.text((x + 2, GAP + HEIGHT + LABEL // 2), label, (190, 190, 194), font, anchor="lm")
        x += panel.shape[1] + GAP
    return sheet
