"""Real photos: do the landmarks land, and does the lit re-render look like the same person?"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from likeness import faces, package, photos
from likeness.avatar import Avatar, AvatarView
from likeness.blend import Picture, run_blender
from likeness.errors import FaceError, LikenessError
from likeness.faces.face import Face
from likeness.faces.identity import describe
from likeness.heads.library import open_head
from likeness.methods.base import Settings
from likeness.photos import Photo
from likeness.pipeline import reconstruct
from likeness.sheet import frame, posed, wire

__all__ = ["ASIDE", "Likeness", "landmark_error", "measure", "sheet"]

ASIDE = 25.0
"""Degrees that the second render's camera stands aside, towards the side the face looks to."""
HEIGHT, SAMPLES = 384, 24
GREY = (118, 118, 118)
FAILED = 9.0
"""Stands for a distance where the render shows no face."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """What was measured of one photo; all distances small is good.

    Attributes:
        figures: nme_percent (model's landmarks against the photo's), nme_render_percent (the render's against the
            photo's, both found by the network), descriptor_same, descriptor_25, yaw.
        panels: photo, mesh on the photo, render from the photo's camera, render 25 degrees aside; (384, W, 3) each.
    """

    figures: dict[str, float]
    panels: list[NDArray[np.uint8]]


def landmark_error(points: NDArray[Any], face: Face) -> float:
    """Mean distance of points (478, 2) from a face's, in per cent of its outer eye corners' distance; nan is skipped.

    That distance shrinks as a head turns away, so it is measured in the landmarks' three dimensions.
    """
    eyes = float(np.linalg.norm(face.landmarks[33] - face.landmarks[263]))
    return 100 * float(np.nanmean(np.linalg.norm(points - face.landmarks[:, :2], axis=1))) / eyes


def measure(path: Path, head: str = "auto", size: int = 1024) -> Likeness:
    """Reconstruct one photo, render it twice, compare; raises LikenessError as `reconstruct` does."""
    face = faces.find(photos.load(path))
    avatar = reconstruct([path], settings=Settings(head=head, texture_size=size))
    view = avatar.views[0]
    box = frame(avatar, view)
    crop = (
        box[0] / face.photo.width,
        box[1] / face.photo.height,
        box[2] / face.photo.width,
        box[3] / face.photo.height,
    )
    turn = -ASIDE if face.yaw > 0 else ASIDE  # so that the face comes round to the camera
    with tempfile.TemporaryDirectory(prefix="likeness-bench-") as folder:
        room = Path(folder)
        package.save(avatar, room / "head.likeness")
        same = Picture("photo", room / "same.png", HEIGHT, SAMPLES, view.name, crop)
        run_blender(room / "head.likeness", None, [same, replace(same, path=room / "aside.png", yaw=turn)])
        renders = [_on_grey(room / name) for name in ("same.png", "aside.png")]
    shown = [_find(image) for image in renders]
    reference = describe(face)
    distances = [float(np.linalg.norm(describe(found) - reference)) if found else FAILED for found in shown]
    figures = {
        "nme_percent": landmark_error(_model_landmarks(avatar, view), face),
        "nme_render_percent": FAILED,
        "descriptor_same": distances[0],
        "descriptor_25": distances[1],
        "yaw": face.yaw,
    }
    if shown[0]:
        scale = (box[3] - box[1]) / renders[0].shape[0]
        figures["nme_render_percent"] = landmark_error(shown[0].landmarks[:, :2] * scale + box[:2], face)
    photo = Image.fromarray(face.photo.pixels).crop(box).resize(renders[0].shape[1::-1], Image.Resampling.LANCZOS)
    mesh = Image.fromarray(wire(avatar, view, box)).resize(photo.size, Image.Resampling.LANCZOS)
    return Likeness(figures, [np.asarray(photo), np.asarray(mesh), *renders])


def _model_landmarks(avatar: Avatar, view: AvatarView) -> NDArray[np.float64]:
    """Where the avatar's 478 landmarks lie in the photo, (478, 2) pixels; nan where its head has none."""
    head = open_head(avatar.head)
    embedding = head.landmarks["mediapipe478"]
    triangle = embedding.triangle.numpy()
    corners = posed(avatar, view)[head.triangles.numpy()[np.maximum(triangle, 0)]]
    points = view.camera.project((corners * embedding.barycentric.numpy()[..., None]).sum(1))
    return np.where(triangle[:, None] >= 0, points, np.nan)


def _on_grey(path: Path) -> NDArray[np.uint8]:
    """A transparent render on plain grey, so that no background or hair of the photo helps."""
    over = Image.open(path).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", over.size, (*GREY, 255)), over).convert("RGB"))


def _find(image: NDArray[np.uint8]) -> Face | None:
    try:
        return faces.find(Photo(Path("render.png"), image))
    except FaceError:
        return None


def sheet(rows: dict[str, Likeness | LikenessError], path: Path) -> None:
    """All photos, a row each, with their figures."""
    made = {name: row for name, row in rows.items() if isinstance(row, Likeness)}
    if not made:
        return
    widths = [max(row.panels[k].shape[1] for row in made.values()) for k in range(4)]
    canvas = Image.new("RGB", (sum(widths), (HEIGHT + 18) * len(made)))
    draw = ImageDraw.Draw(canvas)
    for i, (name, row) in enumerate(made.items()):
        top, left = i * (HEIGHT + 18), 0
        draw.text((4, top + 3), f"{name}   " + "   ".join(f"{k} {v:.2f}" for k, v in row.figures.items()))
        for panel, width in zip(row.panels, widths, strict=True):
            canvas.paste(Image.fromarray(panel), (left, top + 18))
            left += width
    canvas.save(path)
