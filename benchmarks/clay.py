"""Shapes as pictures: truth, mean head and ours in clay from two sides, and where ours is off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from likeness.camera import Camera
from likeness.render.raster import interpolate, rasterise
from likeness.render.view import project, vertex_normals
from shape_error import Fit, Neutral
from synthetic import Result
from truth.body import split
from truth.light import look_at
from truth.sets import Subject, source

__all__ = ["clay", "heat", "sheet"]

Picture = NDArray[np.uint8]
SIDE = 224
SIDES = (0.0, 40.0)  # degrees
WORST = 4.0  # millimetres at the red end


def sheet(results: Sequence[Result], path: Path) -> None:
    """A row a subject: a photo; the truth, the mean head, ours from the front photo, ours from three; the errors."""
    rows = []
    for result in results:
        heads = [result.heads[0]]
        fits: list[Fit] = [result.mean]
        views = sorted(result.single)
        if views:
            pick = views.index(result.subject.front) if result.subject.front in views else 0
            heads += [result.heads[1 + pick], result.heads[-1]]
            fits += [result.single[views[pick]], result.together or result.mean]
        rows.append(_row(result.subject, heads, fits))
    canvas = Image.fromarray(np.concatenate(rows))
    draw = ImageDraw.Draw(canvas)
    for i, result in enumerate(results):
        note = f"{result.subject.name}  mean {result.mean.median_mm:.2f} mm, one " + " ".join(
            f"{result.single[v].median_mm:.2f}" for v in sorted(result.single)
        )
        draw.text(
            (SIDE + 6, i * SIDE + 2), note + (f", three {result.together.median_mm:.2f}" if result.together else "")
        )
    canvas.save(path)


def _row(subject: Subject, heads: Sequence[Neutral], fits: Sequence[Fit]) -> Picture:
    landmarks = subject.truth["landmarks"].astype(np.float64)
    eyes = float(np.linalg.norm(landmarks[36] - landmarks[45]))
    target = landmarks[[36, 45, 33, 8]].mean(0) + eyes * np.array([0, 0.2, -0.6])
    cameras = [look_at(target, yaw, 0, 0, 8 * eyes, 8 * SIDE / 3.0, SIDE) for yaw in SIDES]
    photo = Image.open(subject.photos[subject.front]).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    body = source(subject.folder.parent.name)[0]
    polygons = np.concatenate([p.polygons for n, p in body.parts.items() if n.split(".")[0] in ("skin", "eye")])
    panels: list[Picture] = [np.asarray(photo.convert("RGB"))]
    panels += [clay(subject.truth["neutral"], split(polygons), c) for c in cameras]
    for head, fit in zip(heads, fits, strict=True):
        scale, rotation, translation = fit.pose
        moved = scale * head.vertices.astype(np.float64) @ rotation.T + translation
        panels += [clay(moved, head.triangles, c) for c in cameras]
    panels += [heat(fit, cameras[0]) for fit in fits]
    blank = np.zeros((SIDE, SIDE, 3), np.uint8)
    return np.concatenate(panels + [blank] * (12 - len(panels)), 1)


def clay(vertices: NDArray[Any], triangles: NDArray[Any], camera: Camera) -> Picture:
    """A grey picture of vertices (V, 3) metres and triangles (T, 3), lit from above the camera."""
    points = torch.as_tensor(np.asarray(vertices, np.float32))
    corners = torch.as_tensor(np.ascontiguousarray(triangles)).long()
    raster = rasterise(project(camera, points), corners, camera.width, camera.height)
    normal = interpolate(vertex_normals(points, corners), corners, raster).numpy() @ camera.rotation.T.astype(
        np.float32
    )
    light = np.array([-0.35, -0.55, -0.75])
    shade = 0.18 + 0.82 * np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)
    grey = np.where(raster.covered.numpy(), 225 * shade, 28)
    return np.repeat(grey[..., None], 3, 2).astype(np.uint8)


def heat(fit: Fit, camera: Camera) -> Picture:
    """Where the scan's points lie and how far the head passes them: blue 0, red 4 mm and more."""
    image = np.full((SIDE, SIDE, 3), 28, np.uint8)
    level = np.clip(255 * 1000 * fit.distances / WORST, 0, 255).astype(np.uint8)
    colours = cv2.applyColorMap(level[:, None], cv2.COLORMAP_JET)[:, 0, ::-1]
    for k in np.argsort(-camera.to_camera(fit.points)[:, 2]):  # the nearest last
        x, y = camera.project(fit.points[k])
        cv2.circle(image, (int(x), int(y)), 1, colours[k].tolist(), -1)
    return image
