"""People whose skin is known texel by texel, photographed with Cycles and kept between runs.

A person's folder holds
    photo_00.png …   the photos, 416 x 416
    photos.json      per photo: light, yaw, camera, a `likeness.camera.Camera` from the head's frame to the photo
    truth.npz        neutral (V, 3) float32 metres, expression (M,), joints (J, 3), of the head model `anny`
    hidden_00.png …  255 where hair stands before the head
    albedo.png, roughness.png, specular.png, bare.png, relief.npy    see `skin_people.Painted`
    person.json      seed, tone, look; written last
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from likeness.camera import Camera
from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of
from skin_lights import LIGHTS, draw_light
from skin_people import TONES, Figure, Painted, body_of, dress, figure, tone_colour
from truth.body import Body
from truth.canvas import Canvas
from truth.eyes import eye_picture, eye_uv
from truth.hair import grow
from truth.light import develop, look_at
from truth.sets import ROOT
from truth.skin import HAIR

__all__ = ["CONSISTENT", "PLAIN", "Person", "Shot", "people", "plan"]

Floats = NDArray[np.float64]

SIZE, SAMPLES, TEXTURE = 416, 8, 1024
PLAIN = 2
"""Photos that everybody has; they come first."""
CONSISTENT = (2, 6, 9)
"""Tones whose people are photographed from the front in every light."""
ASIDE = 30.0
METERED, MIDDLE, SPREAD = 0.4, 0.25, 0.15
"""How much a camera's exposure follows the face rather than the scene, the luminous reflectance it takes for usual, and
the deviation of its log: dark skin comes out darker than fair skin, but lighter than it is."""
VERSION = 1
"""Goes up whenever what is drawn changes, so that old pictures are not used."""


@dataclass(frozen=True)
class Shot:
    """A photo that a person is taken in: the light's name and degrees that the face turns to the picture's right."""

    light: str
    yaw: float


def plan(tone: int) -> list[Shot]:
    """The photos of a tone's person: one from the front, one from the side, in different lights; some in all lights."""
    names = list(LIGHTS)
    first = (tone - 1) % len(names)
    shots = [Shot(names[first], 0.0), Shot(names[(first + 2) % len(names)], ASIDE if tone % 2 else -ASIDE)]
    if tone in CONSISTENT:
        shots += [Shot(name, 0.0) for name in names if name != names[first]]
    return shots


@dataclass(frozen=True)
class Person:
    """One photographed person (see the top of this file for the files of the folder)."""

    folder: Path
    tone: int

    @property
    def rendered(self) -> bool:
        """Whether the folder is complete."""
        return (self.folder / "person.json").exists()

    @property
    def count(self) -> int:
        """Number of photos."""
        return len(self.notes)

    def photo(self, index: int) -> Path:
        """A photo's file."""
        return self.folder / f"photo_{index:02d}.png"

    @cached_property
    def notes(self) -> list[dict[str, Any]]:
        """Per photo what photos.json says."""
        loaded: list[dict[str, Any]] = json.loads((self.folder / "photos.json").read_text())
        return loaded

    def camera(self, index: int) -> Camera:
        """Of a photo."""
        return Camera.from_json(self.notes[index]["camera"])

    def hidden(self, index: int) -> NDArray[np.bool_]:
        """(H, W) where hair stands before the head in a photo."""
        return np.asarray(Image.open(self.folder / f"hidden_{index:02d}.png")) > 127

    @cached_property
    def truth(self) -> dict[str, NDArray[Any]]:
        """The arrays of truth.npz."""
        with np.load(self.folder / "truth.npz") as data:
            return {k: data[k] for k in data.files}

    @cached_property
    def skin(self) -> Painted:
        """The painted skin."""

        def read(name: str) -> NDArray[np.uint8]:
            return np.asarray(Image.open(self.folder / f"{name}.png"))

        roughness, specular, bare = (read(n).astype(np.float32) / 255 for n in ("roughness", "specular", "bare"))
        return Painted(read("albedo"), roughness, specular, np.load(self.folder / "relief.npy"), bare)


def people(
    head: HeadModel, count: int, seed: int = 0, *, render: bool = True, folder: Path | None = None
) -> list[Person]:
    """People of `count` tones spread over the scale; those not photographed yet are, a minute each, or left out."""
    folder = (
        folder or Path(os.environ.get("LIKENESS_TRUTH", ROOT / "out" / "bench" / "truth"))
    ) / f"skin_{VERSION}_{seed}"
    tones = sorted({round(t) for t in np.linspace(1, len(TONES), max(count, 2))})
    found = [Person(folder / f"tone_{tone:02d}", tone) for tone in tones]
    missing = [p for p in found if not p.rendered]
    if missing and render:
        body = body_of(head)
        canvas = Canvas.of(body, TEXTURE)
        texel = _texel(head)
        for person in sorted(missing, key=lambda p: len(plan(p.tone))):
            _photograph(person, head, body, canvas, texel, seed)
            print(f"Photographed tone {person.tone}", flush=True)
    return [p for p in found if p.rendered]


def _texel(head: HeadModel) -> float:
    area = atlas_of(head, "Skin", TEXTURE).area
    return float(np.sqrt(np.median(area[area > 0])))


def _photograph(person: Person, head: HeadModel, body: Body, canvas: Canvas, texel: float, seed: int) -> None:
    folder, tone = person.folder, person.tone
    folder.mkdir(parents=True, exist_ok=True)
    # Each matter has a random stream of its own, so that a change to one leaves the others alone.
    skin_rng, hair_rng, view_rng, light_rng, lens_rng = (np.random.default_rng([4, seed, tone, k]) for k in range(5))
    who = figure(head, tone, seed)
    painted = dress(canvas, texel, who, skin_rng)
    posed = who.neutral + np.einsum("m,mvc->vc", who.expression, head.expression.numpy())
    marks = body.landmarks_on(posed.astype(np.float64))
    shots = plan(tone)
    cameras = [_camera(marks, shot.yaw, view_rng) for shot in shots]
    hair = grow(body, who.neutral.astype(np.float64), who.look.style, hair_rng)
    rooms = np.stack([draw_light(shot.light, light_rng) for shot in shots])
    _render(folder, body, who, painted, posed, hair, rooms, cameras, hair_rng)

    for i, camera in enumerate(cameras):
        light = np.load(folder / f"light_{i}.npy").astype(np.float64)[..., :3]
        hull = cv2.convexHull(camera.project(marks).astype(np.float32)).astype(np.int32)
        mask = cv2.fillConvexPoly(np.zeros((SIZE, SIZE), np.uint8), hull, 1).astype(bool)
        Image.fromarray(develop(light, mask, lens_rng, _exposure(tone, lens_rng))).save(person.photo(i))
        Image.fromarray(_before(hair, camera)).save(folder / f"hidden_{i:02d}.png")
        (folder / f"light_{i}.npy").unlink()
    (folder / "job.npz").unlink()
    rows = [{**asdict(s), "camera": c.to_json()} for s, c in zip(shots, cameras, strict=True)]
    (folder / "photos.json").write_text(json.dumps(rows, indent=1))
    Image.fromarray(painted.albedo).save(folder / "albedo.png")
    for name in ("roughness", "specular", "bare"):
        Image.fromarray(np.rint(255 * getattr(painted, name)).astype(np.uint8)).save(folder / f"{name}.png")
    np.save(folder / "relief.npy", painted.relief)
    np.savez_compressed(
        folder / "truth.npz", neutral=who.neutral, expression=who.expression, joints=_joints(head, who.neutral)
    )
    notes = {"seed": seed, "tone": tone, "look": asdict(who.look)}
    (folder / "person.json").write_text(json.dumps(notes, indent=1))


def _render(
    folder: Path,
    body: Body,
    who: Figure,
    painted: Painted,
    posed: Floats,
    hair: NDArray[np.float32],
    rooms: NDArray[np.float32],
    cameras: list[Camera],
    rng: Generator,
) -> None:
    """Let `truth.scene` write each photo's light, (H, W, 4) float16 linear."""
    job: dict[str, Any] = {
        "size": SIZE,
        "samples": SAMPLES,
        "vertices": np.repeat(posed[None].astype(np.float32), len(cameras), 0),
        "albedo": painted.albedo,
        "roughness": painted.roughness,
        "specular": painted.specular,
        "relief": painted.relief,
        "iris": eye_picture(who.look.iris, rng),
        "hair": hair,
        "hair_colour": np.array(HAIR[who.look.hair]),
        "hair_radius": 0.00022,
        "rooms": rooms,
        "camera_focal": np.array([c.fx for c in cameras]),
        "camera_rotation": np.stack([c.rotation for c in cameras]),
        "camera_translation": np.stack([c.translation for c in cameras]),
        "parts": np.array(list(body.parts)),
    }
    for name, part in body.parts.items():
        uv, polygons_uv = part.uv, part.polygons_uv
        if name.startswith("eye."):
            used = np.unique(part.polygons[part.polygons >= 0])
            uv, polygons_uv = np.zeros((len(body.template), 2)), part.polygons
            uv[used] = eye_uv(body.template[used])
        job[f"{name}/polygons"] = part.polygons
        if uv is not None:
            job[f"{name}/uv"], job[f"{name}/polygons_uv"] = uv, polygons_uv
    np.savez(folder / "job.npz", **job)
    scene = ROOT / "benchmarks" / "truth" / "scene.py"
    done = subprocess.run([sys.executable, str(scene), str(folder / "job.npz")], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Cycles failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _camera(marks: Floats, yaw: float, rng: Generator) -> Camera:
    """A portrait from one to two metres; the head fills about 70 per cent of the picture's height."""
    face = float(np.linalg.norm(marks[36] - marks[45]))
    centre = marks[[36, 45, 33, 8]].mean(0) + face * np.array([0, 0.15, -0.6])
    distance = float(rng.uniform(0.8, 1.8)) * face / 0.09
    focal = rng.uniform(0.64, 0.76) * SIZE * distance / (2.6 * face)
    target = centre + face * np.array([rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), 0])
    turned, pitch, roll = yaw + rng.uniform(-6, 6), rng.uniform(-6, 6), rng.normal(0, 3)
    return look_at(target, turned, pitch, roll, distance, focal, SIZE)


def _exposure(tone: int, rng: Generator) -> float:
    """The linear luminance at which a camera shows a face of a tone."""
    own = float(tone_colour(tone) @ [0.2126, 0.7152, 0.0722])
    return float(own ** (1 - METERED) * MIDDLE**METERED * np.exp(rng.normal(0, SPREAD)))


def _joints(head: HeadModel, neutral: NDArray[np.float32]) -> NDArray[np.float32]:
    """(J, 3) rest joints of a shape drawn from the head's identity basis."""
    basis = head.identity.flatten(1).double()
    away = torch.from_numpy(neutral).double().flatten() - head.template.double().flatten()
    identity = torch.linalg.solve(basis @ basis.T, basis @ away)
    return np.asarray(head.joints_of(identity[None].float())[0].numpy())


def _before(hair: NDArray[np.float32], camera: Camera) -> NDArray[np.uint8]:
    """(H, W) uint8, 255 where strands (S, K, 3) on the viewer's side of the skull cross the picture."""
    picture = np.zeros((SIZE, SIZE), np.uint8)
    if not len(hair):
        return picture
    ahead = hair.astype(np.float64) - hair.mean((0, 1))
    near = (ahead @ -camera.rotation[2]) > -0.01  # metres behind the hair's middle
    places = np.rint((camera.project(hair) - 0.5) * 8).astype(np.int32)
    for k in range(hair.shape[1] - 1):
        pieces = places[:, k : k + 2][near[:, k] & near[:, k + 1]]
        cv2.polylines(picture, list(pieces), False, 255, 1, cv2.LINE_8, 3)
    return picture
