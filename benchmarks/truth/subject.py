"""One subject: who it is, how it stands in each view, and the files that remain of it.

A subject's folder holds
    view_0.png …      the photos, 512 x 512
    cameras.json      one `likeness.camera.Camera` per view, from the truth's frame to the photo
    truth.npz         neutral (V, 3) float32 metres; views (K, V, 3) float32 with expression; landmarks (68, 3) on the
                      neutral head; scan (P, 3) points on its visible skin; and what it was drawn from, where the
                      model has it: identity (N,), expression (K, M)
    subject.json      yaw, pitch, roll per view, look
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from likeness.camera import Camera
from truth.body import Body
from truth.canvas import Canvas
from truth.eyes import eye_picture, eye_uv
from truth.hair import grow
from truth.light import develop, look_at, room
from truth.scanner import scan_points
from truth.skin import HAIR, draw_look, paint

__all__ = ["Drawn", "make_subject"]

Floats = NDArray[np.float64]

SIZE, SAMPLES = 512, 12
YAWS = (-35.0, 0.0, 30.0)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A shape at random.

    Attributes:
        neutral: (V, 3) metres; views: (K, V, 3) metres, with expressions.
        coefficients: what to keep beside the shapes, by name.
    """

    neutral: Floats
    views: Floats
    coefficients: dict[str, NDArray[Any]]


def make_subject(
    folder: Path, body: Body, canvas: Canvas, draw: Callable[[Generator, int], Drawn], seed: tuple[int, int]
) -> None:
    """Draw, render and develop one subject into `folder`; what is there already is kept."""
    if (folder / "subject.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    # Each matter has a random stream of its own, so that a change to one leaves the others alone.
    shape_rng, look_rng, view_rng, light_rng, lens_rng = (np.random.default_rng([*seed, matter]) for matter in range(5))
    drawn = draw(shape_rng, len(YAWS))
    look = draw_look(look_rng)
    albedo, roughness, _ = paint(canvas, look, look_rng)
    landmarks = body.landmarks_on(drawn.neutral)
    poses = [(yaw + view_rng.uniform(-8, 8), view_rng.uniform(-10, 10), view_rng.normal(0, 4)) for yaw in YAWS]
    cameras = [_camera(landmarks, *pose, view_rng) for pose in poses]
    job: dict[str, Any] = {
        "size": SIZE,
        "samples": SAMPLES,
        "vertices": drawn.views.astype(np.float32),
        "albedo": albedo,
        "roughness": roughness,
        "iris": eye_picture(look.iris, look_rng),
        "hair": grow(body, drawn.neutral, look.style, look_rng),
        "hair_colour": np.array(HAIR[look.hair]),
        "hair_radius": 0.00022,
        "cloth_colour": np.array(look.shirt),
        "rooms": np.stack([room(light_rng) for _ in YAWS]),
        "camera_focal": np.array([c.fx for c in cameras]),
        "camera_rotation": np.stack([c.rotation for c in cameras]),
        "camera_translation": np.stack([c.translation for c in cameras]),
        "parts": np.array(list(body.parts)),
    }
    for name, part in body.parts.items():
        polygons, uv, polygons_uv = part.polygons, part.uv, part.polygons_uv
        if name.startswith(("eye.", "cornea.")):
            used = np.unique(polygons[polygons >= 0])
            uv, polygons_uv = np.zeros((len(body.template), 2)), polygons
            uv[used] = eye_uv(body.template[used])
            if name.startswith("cornea."):
                front = np.linalg.norm(uv - 0.5, axis=1) < 0.30
                depth = body.template[:, 2] > body.template[used, 2].mean()
                polygons = polygons[(front & depth)[polygons[:, :3]].all(1)]
                polygons_uv = polygons
        job[f"{name}/polygons"] = polygons
        if uv is not None:
            job[f"{name}/uv"], job[f"{name}/polygons_uv"] = uv, polygons_uv
    np.savez(folder / "job.npz", **job)
    scene = Path(__file__).with_name("scene.py")
    done = subprocess.run([sys.executable, str(scene), str(folder / "job.npz")], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Cycles failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    for i, camera in enumerate(cameras):
        light = np.load(folder / f"light_{i}.npy").astype(np.float64)[..., :3]
        hull = cv2.convexHull(camera.project(body.landmarks_on(drawn.views[i])).astype(np.float32))
        mask = cv2.fillConvexPoly(np.zeros((SIZE, SIZE), np.uint8), hull.astype(np.int32), 1).astype(bool)
        Image.fromarray(develop(light, mask, lens_rng)).save(folder / f"view_{i}.png")
    (folder / "cameras.json").write_text(json.dumps([c.to_json() for c in cameras], indent=1))
    np.savez_compressed(
        folder / "truth.npz",
        neutral=drawn.neutral.astype(np.float32),
        views=drawn.views.astype(np.float32),
        landmarks=landmarks,
        scan=scan_points(body, drawn.neutral).astype(np.float32),
        **drawn.coefficients,
    )
    for scrap in ("job.npz", *(f"light_{i}.npy" for i in range(len(YAWS)))):
        (folder / scrap).unlink(missing_ok=True)
    notes = {"seed": list(seed), "poses": [dict(zip(("yaw", "pitch", "roll"), p, strict=True)) for p in poses]}
    (folder / "subject.json").write_text(json.dumps(notes | {"look": asdict(look)}, indent=1))


def _camera(landmarks: Floats, yaw: float, pitch: float, roll: float, rng: Generator) -> Camera:
    """From a selfie at arm's length to a portrait lens; the head fills 45 to 80 per cent of the picture's height."""
    face = np.linalg.norm(landmarks[36] - landmarks[45])
    centre = landmarks[[36, 45, 33, 8]].mean(0) + face * np.array([0, 0.15, -0.6])
    distance = float(np.exp(rng.uniform(np.log(0.45), np.log(1.8)))) * face / 0.09
    share = rng.uniform(0.45, 0.80)
    focal = share * SIZE * distance / (2.6 * face)
    target = centre + face * np.array([rng.uniform(-0.25, 0.25), rng.uniform(-0.25, 0.2), 0])
    return look_at(target, yaw, pitch, roll, distance, float(focal), SIZE)
