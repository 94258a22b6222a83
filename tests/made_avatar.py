"""A small avatar made in code: an egg with eyes, teeth and a jaw, every part of the contract in use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from likeness.avatar import Avatar, AvatarView, Identity, Map, Material
from likeness.camera import Camera

NAMES = (
    "browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft "
    "cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight "
    "eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft "
    "eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft "
    "mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight "
    "mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft "
    "mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft "
    "noseSneerRight tongueOut"
)
ARKIT = NAMES.split()

JOINTS = {
    "root": (-1, (0.0, 0.0, 0.0)),
    "neck": (0, (0.0, 0.0, 0.0)),
    "head": (1, (0.0, 0.07, 0.01)),
    "jaw": (2, (0.0, 0.10, 0.03)),
    "eye.L": (2, (0.032, 0.135, 0.075)),
    "eye.R": (2, (-0.032, 0.135, 0.075)),
}
EYE = 0.0125
WRINKLED = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp")
"""Expressions of `bending` that have wrinkles: one more than a picture has channels."""


def sphere(rings: int, sides: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Unit sphere about +Z: vertices, polygons (triangles at the poles), uv, polygons_uv."""
    angle, turn = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, sides + 1)
    a, t = np.meshgrid(angle[1:-1], turn[:-1], indexing="ij")
    body = np.stack([np.sin(a) * np.cos(t), np.sin(a) * np.sin(t), np.cos(a)], -1).reshape(-1, 3)
    v = np.concatenate([[[0, 0, 1]], body, [[0, 0, -1]]])
    # Seen from the front, radius by angle: the whole sphere on one disc.
    uv = 0.5 + 0.5 * np.stack([v[:, 0], v[:, 1]], 1) * (np.arccos(v[:, 2:]) / np.pi) / np.maximum(
        np.linalg.norm(v[:, :2], axis=1, keepdims=True), 1e-9
    )

    def index(ring: int, side: int) -> int:
        return 1 + (ring - 1) * sides + side % sides

    polygons = [[0, index(1, s), index(1, s + 1), -1] for s in range(sides)]
    polygons += [
        [index(r, s), index(r + 1, s), index(r + 1, s + 1), index(r, s + 1)]
        for r in range(1, rings - 1)
        for s in range(sides)
    ]
    polygons += [[index(rings - 1, s), len(v) - 1, index(rings - 1, s + 1), -1] for s in range(sides)]
    p = np.array(polygons, np.int32)
    return v, p, uv.clip(0, 1), p.copy()


SHADE = 255 / 200
"""Scale of the map of shade: codes 50 and 200 mean a logarithm of -0.75 and 0."""


def make(name: str = "Egg", maps: int = 32) -> Avatar:
    """An avatar of about 900 vertices; ``maps`` is the side of its skin maps in texels."""
    egg = sphere(20, 28)
    ball = sphere(12, 16)
    parts = [("skin", egg, np.array([0.075, 0.115, 0.095]), np.array([0.0, 0.115, 0.0]))]
    parts += [(s, ball, np.full(3, EYE), np.array(JOINTS[s][1])) for s in ("eye.L", "eye.R")]
    parts += [("teeth", sphere(6, 8), np.array([0.02, 0.008, 0.006]), np.array([0.0, 0.07, 0.07]))]
    v, p, uv, puv, region, size = [], [], [], [], [], [0]
    for i, (_, (pv, pp, pu, ppu), radius, centre) in enumerate(parts):
        v.append(pv * radius + centre)
        p.append(np.where(pp < 0, -1, pp + size[-1]))
        puv.append(np.where(ppu < 0, -1, ppu + size[-1]))
        uv.append(pu)
        region.append(np.full(len(pp), i))
        size.append(size[-1] + len(pv))
    V = np.concatenate(v).astype(np.float32)
    skin = np.arange(len(V)) < size[1]

    weights = np.zeros((len(V), len(JOINTS)), np.float32)
    y, z = V[:, 1], V[:, 2]
    jaw = np.clip((0.09 - y) / 0.03, 0, 1) * np.clip(z / 0.03, 0, 1) * skin
    neck = np.clip((0.05 - y) / 0.04, 0, 1) * (1 - jaw) * skin
    weights[:, 3], weights[:, 1] = jaw, neck
    weights[size[1] : size[2], 4] = weights[size[2] : size[3], 5] = 1
    weights[:, 2] = 1 - weights.sum(1)

    rng = np.random.default_rng(7)
    deltas = np.zeros((len(ARKIT) + 1, len(V), 3), np.float32)
    for m in range(len(deltas)):
        centre = V[rng.integers(size[1])]
        near = np.exp(-((V - centre) ** 2).sum(1) / 0.02**2) * skin
        near[near < 1e-3] = 0
        deltas[m] = near[:, None] * rng.normal(0, 0.003, 3)
    deltas[ARKIT.index("jawOpen")] = jaw[:, None] * np.array([0, -0.02, -0.005], np.float32)

    ramp = np.linspace(0, 1, maps, dtype=np.float32)
    albedo = np.zeros((maps, maps, 3), np.uint8)
    albedo[:] = (205, 160, 140)
    albedo[..., 0] -= (ramp * 20).astype(np.uint8)
    normal = np.full((maps, maps, 3), (0.5, 0.5, 1.0), np.float32)
    skin_maps = {
        "albedo": Map(albedo, "srgb"),
        "specular": Map((ramp[None].repeat(maps, 0) * 255).astype(np.uint8), "linear"),
        "roughness": Map(np.full((maps, maps), 30000, np.uint16), "linear"),
        "normal": Map(normal, "linear"),
        "displacement": Map(((ramp[:, None] - 0.5) * 0.001).repeat(maps, 1), "linear"),
        "confidence": Map((ramp[None].repeat(maps, 0) * 255).astype(np.uint8), "linear"),
        "origin": Map(
            np.where(abs(ramp - 0.5) < 0.02, 127, 255 * (ramp > 0.5)).astype(np.uint8)[None].repeat(maps, 0), "linear"
        ),
        # The photo shows the left half of the square darker by 0.75.
        "shade.1": Map(np.where(ramp < 0.5, 50, 200).astype(np.uint8)[None].repeat(maps, 0), "linear", SHADE, -1.0),
    }
    materials = {
        "Skin": Material(skin_maps, {"roughness": 0.45}),
        "Eye": Material({}, {"iris": [0.2, 0.12, 0.06], "iris_radius": 0.16}),
        "Teeth": Material(),
    }
    photo = np.random.default_rng(1).integers(0, 255, (120, 90, 3), dtype=np.uint8)
    tilt = np.array([[0.96, 0.0, 0.28], [0.0, 1.0, 0.0], [-0.28, 0.0, 0.96]])
    camera = Camera(90, 120, 210.0, 210.0, 41.0, 66.0, np.diag([1.0, -1, -1]) @ tilt, np.array([0.01, 0.1, 0.55]))
    pose = np.zeros((len(JOINTS), 3), np.float32)
    pose[3], pose[4] = (0.2, 0, 0), (0.05, -0.2, 0)
    light = np.zeros((9, 3), np.float32)
    light[0], light[2] = 3.5, (1.0, 0.9, 0.8)  # even, and brighter from the front
    view = AvatarView("egg (1).png", photo, camera, {"jawOpen": 0.5, "mouthSmileLeft": 0.25}, pose, light)
    return Avatar(
        name=name,
        head="egg",
        vertices=V,
        polygons=np.concatenate(p).astype(np.int32),
        uv=np.concatenate(uv).astype(np.float32),
        polygons_uv=np.concatenate(puv).astype(np.int32),
        region_names=tuple(n for n, *_ in parts),
        polygon_region=np.concatenate(region).astype(np.int32),
        region_materials={"skin": "Skin", "eye.L": "Eye", "eye.R": "Eye", "teeth": "Teeth"},
        expression_names=(*ARKIT, "FLAME exp 000"),
        expression=deltas,
        joint_names=tuple(JOINTS),
        joint_parents=tuple(p for p, _ in JOINTS.values()),
        joints=np.array([q for _, q in JOINTS.values()], np.float32),
        skin_weights=weights,
        groups={"face": (np.clip(z / 0.05, 0, 1) * skin).astype(np.float32), "neck": neck.astype(np.float32)},
        materials=materials,
        views=(view,),
        provenance={"method": "made", "licences": ["CC0-1.0"], "note": "[ 1,  2 ] stays"},
    )


def bending(name: str = "Bending") -> Avatar:
    """The egg with what FLAME has more: pose correctives, wrinkles, weights below zero, a named identity."""
    egg = make(name)
    random = np.random.default_rng(3)
    joints = ("neck", "jaw", "eye.L")
    correctives = np.zeros((9 * len(joints), len(egg.vertices), 3), np.float32)
    for k in range(len(correctives)):
        near = np.exp(-((egg.vertices - egg.vertices[random.integers(400)]) ** 2).sum(1) / 0.03**2)
        near[near < 1e-3] = 0
        correctives[k] = near[:, None] * random.normal(0, 0.004, 3)
    correctives[4] = 0  # an entry without any
    (view,) = egg.views
    expression = egg.expression.copy()
    expression[ARKIT.index("browInnerUp")] = 0  # shows by its wrinkles alone
    waves = np.sin(np.linspace(0, 60, 64, dtype=np.float32))[:, None].repeat(64, 1)
    details = {n: Map(0.001 * (1 + i) * waves, "linear") for i, n in enumerate(WRINKLED)}
    skin = egg.materials["Skin"]
    maps = skin.maps | {f"detail.{n}": m for n, m in details.items()}
    return replace(
        egg,
        expression=expression,
        materials=egg.materials | {"Skin": replace(skin, maps=maps)},
        correctives=correctives,
        corrective_joints=joints,
        expression_limits={"FLAME exp 000": (-3.0, 3.0)},
        views=(replace(view, expression=view.expression | {"FLAME exp 000": -1.5}),),
        identity=_identity(egg, random),
    )


def _identity(egg: Avatar, random: np.random.Generator) -> Identity:
    """Three ways in which eggs differ; the joints go along."""
    middle = egg.vertices.mean(0)
    grown = random.normal(0, 0.03, (3, 3))[:, None]
    deltas = (grown * (egg.vertices - middle)).astype(np.float16).astype(np.float32)
    joints = (grown * (egg.joints - middle)).astype(np.float32)
    return Identity(tuple(f"FLAME shape {i:03}" for i in range(3)), np.float32([1.5, -0.75, 0.5]), deltas, joints)
