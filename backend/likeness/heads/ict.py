"""ICT-FaceKit as a head: bust, eyes, teeth, gums, tongue, lashes, from light-stage scans; the user installs it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from likeness.heads import ict_rig
from likeness.heads.anny_parts import IRIS_UV_RADIUS
from likeness.heads.base import HeadModel, LandmarkEmbedding, triangulate
from likeness.heads.expressions import ARKIT
from likeness.heads.gaze import look
from likeness.heads.ict_groups import soft_groups
from likeness.heads.ict_source import COUNT, MODES, POLYGONS, VERTICES, IctFiles
from likeness.heads.ict_symmetry import partners
from likeness.heads.ict_tongue import lowered, tongue_out
from likeness.heads.ict_uv import eye_uv, lash_uv, pack
from likeness.progress import Progress, quiet

__all__ = ["LICENCE", "TITLE", "VERSION", "compile_ict"]

VERSION = 5
"""Goes up whenever the compiled head changes, so that a stale file is not used."""

TITLE, LICENCE = "ICT-FaceKit head", "MIT"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIPS_SHUT = 0.025
"""Weight of mouthClose that shuts the lips: the published mean head shows its teeth through a slit."""
REGIONS = {
    "face": "skin",
    "back": "skin",
    "mouth": "mouth",
    "sockets": "mouth",
    "gums": "gums",
    "tongue": "tongue",
    "teeth": "teeth",
    "eye.L": "eye.L",
    "eye.R": "eye.R",
    "wet": "wet",
    "lashes": "lashes",
}
"""Parts in the order in which they are kept -> region. Inner eyeballs and shadow shells are left out."""


def compile_ict(files: IctFiles, progress: Progress = quiet) -> HeadModel:
    """Make the head of ICT-FaceKit's published files, in seconds."""
    progress("head", 0.0, "Placing joints and eyes")
    vertices = lowered(files) + LIPS_SHUT * files.expression["mouthClose"]
    identity = files.identity.astype(np.float64)
    expression = np.stack([tongue_out(files, vertices) if n == "tongueOut" else _arkit(files, n) for n in ARKIT])
    polygons = np.concatenate([files.polygons[POLYGONS[part]] for part in REGIONS])
    used = np.unique(polygons[polygons >= 0])

    hinge, angle = ict_rig.jaw_turn(vertices, expression[ARKIT.index("jawOpen")])
    centres = {}
    for side in "LR":
        ball = VERTICES[f"eye.{side}"]
        centres[side], turn = _straight(vertices[ball])
        vertices[ball] = (vertices[ball] - centres[side]) @ turn.T + centres[side]
        identity[:, ball] = identity[:, ball] @ turn.T
        for k, name in enumerate(ARKIT):
            expression[k, ball] += look(vertices[ball] - centres[side], name, side)

    # Who somebody is must not part the lips either; that is an expression.
    shut = expression[ARKIT.index("mouthClose")]
    identity -= (_lip_gap(files, identity) / _lip_gap(files, shut))[:, None, None] * shut
    groups = soft_groups(files)
    identity -= _rigid(vertices, identity, groups["face"])
    joints = ict_rig.joint_places(hinge, (centres["L"], centres["R"]))
    joints_identity = np.zeros((MODES, len(joints), 3))
    for joint, side in ((4, "L"), (5, "R")):
        joints_identity[:, joint] = identity[:, VERTICES[f"eye.{side}"]].mean(1)
    weights = ict_rig.skin_weights(vertices, expression[ARKIT.index("jawOpen")], hinge, angle, _links(files.polygons))

    progress("head", 0.4, "Laying out textures")
    renumbered = np.full(COUNT + 1, -1, dtype=np.int64)
    renumbered[used] = np.arange(len(used))
    kept = renumbered[polygons]
    uv, polygons_uv = _textures(files, vertices, centres)
    names = tuple(dict.fromkeys(REGIONS.values()))
    counts = {part: POLYGONS[part].stop - POLYGONS[part].start for part in REGIONS}
    region = np.concatenate([np.full(counts[part], names.index(name)) for part, name in REGIONS.items()])
    return HeadModel(
        name="ict",
        title=TITLE,
        licence=LICENCE,
        template=_tensor((vertices[used] - ict_rig.NECK) / 100),
        identity=_tensor(identity[:, used] / 100),
        expression=_tensor(expression[:, used] / 100),
        expression_names=ARKIT,
        polygons=torch.from_numpy(kept),
        uv=_tensor(uv),
        polygons_uv=torch.from_numpy(polygons_uv),
        region_names=names,
        polygon_region=torch.from_numpy(region),
        joint_names=ict_rig.JOINTS,
        joint_parents=ict_rig.PARENTS,
        joints=_tensor((joints - ict_rig.NECK) / 100),
        joints_identity=_tensor(joints_identity / 100),
        skin_weights=_tensor(weights[used]),
        mirror=torch.from_numpy(partners(files.vertices[used], kept)),
        landmarks={"ibug68": _at(renumbered[files.points68], kept)},
        groups={name: _tensor(group[used]) for name, group in groups.items()},
        notes="Compiled from ICT-FaceKit (USC Institute for Creative Technologies), "
        f"https://github.com/ICT-VGL/ICT-FaceKit; iris radius {IRIS_UV_RADIUS} in the eye's UV square.",
    )


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _at(vertices: Ints, polygons: Ints) -> LandmarkEmbedding:
    """Vertices (L,) as an embedding."""
    corner, parent = triangulate(torch.from_numpy(polygons))
    triangles = torch.gather(torch.from_numpy(polygons)[parent], 1, corner).numpy()
    first = np.argmax((triangles[None] == vertices[:, None, None]).any(-1), 1)
    share = triangles[first] == vertices[:, None]
    return LandmarkEmbedding(torch.from_numpy(first), _tensor(share.astype(np.float64)))


def _arkit(files: IctFiles, name: str) -> Floats:
    """(26719, 3) centimetres of one of ARKit's expressions."""
    if name in ("browInnerUp", "cheekPuff"):
        return files.expression[f"{name}_L"].astype(np.float64) + files.expression[f"{name}_R"]
    own = name if name in files.expression else name.replace("Left", "_L").replace("Right", "_R")
    return files.expression[own].astype(np.float64)


def _lip_gap(files: IctFiles, deltas: Floats) -> Floats:
    """(...) centimetres by which deltas (..., 26719, 3) part the middle of the lips."""
    upper, lower = files.points68[[61, 62, 63]], files.points68[[67, 66, 65]]
    gap: Floats = (deltas[..., upper, 1] - deltas[..., lower, 1]).mean(-1)
    return gap


def _straight(ball: Floats) -> tuple[Floats, Floats]:
    """The centre (3,) of an eye's white and the turn (3, 3) that makes its cornea look along +Z.

    The published eyes look outwards by a few degrees, as the axis of a cornea does in life; gaze is easier to set
    where zero is straight ahead.
    """
    white = ball[ball[:, 2] < np.quantile(ball[:, 2], 0.6)]
    centre = _sphere(white)
    arms = ball - centre
    height = np.linalg.norm(arms, axis=1)
    bulge = _sphere(ball[(height > np.quantile(height, 0.85)) & (arms[:, 2] > 0)])
    axis = (bulge - centre) / np.linalg.norm(bulge - centre)
    goal = np.array([0.0, 0.0, 1.0])
    cross, cosine = np.cross(axis, goal), float(axis @ goal)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return centre, np.eye(3) + skew + skew @ skew / (1 + cosine)


def _sphere(points: Floats) -> Floats:
    """(3,) centre of the sphere through points (N, 3)."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    centre: Floats = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0][:3]
    return centre


def _rigid(vertices: Floats, deltas: Floats, share: Floats) -> Floats:
    """The small rigid motion (N, V, 3) in deltas (N, V, 3), by least squares over vertices with shares (V,)."""
    arms = vertices - np.average(vertices, axis=0, weights=share)
    axes = np.eye(3)
    basis = np.stack([*(np.broadcast_to(a, arms.shape) for a in axes), *(np.cross(a, arms) for a in axes)])
    used = share > 0
    root = np.sqrt(share[used])[:, None]
    system = (basis[:, used] * root).reshape(6, -1).T
    part = np.linalg.lstsq(system, (deltas[:, used] * root).reshape(len(deltas), -1).T, rcond=None)[0]
    motion: Floats = np.einsum("kn,kvc->nvc", part, basis)
    return motion


def _links(polygons: Ints) -> csr_matrix:
    """(26719, 26719) adjacency of vertices along edges."""
    ahead = np.concatenate([polygons[:, 1:], np.full((len(polygons), 1), -1)], 1)
    ahead[ahead[:, 3] < 0, 3] = polygons[:, 0]
    ahead[:, 2] = np.where(polygons[:, 3] < 0, polygons[:, 0], polygons[:, 3])
    ahead[:, 3] = polygons[:, 0]
    given = polygons >= 0
    a, b = polygons[given], ahead[given]
    links = coo_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), (COUNT, COUNT)).tocsr()
    links.data[:] = 1
    return links


def _textures(files: IctFiles, vertices: Floats, centres: dict[str, Floats]) -> tuple[Floats, Ints]:
    """UV (T, 2) and polygons_uv (F, 4) of the kept polygons."""
    packed = pack(files)
    rows = {part: files.polygons_uv[POLYGONS[part]] for part in REGIONS}
    uv = [packed]
    count = len(packed)
    for part in ("eye.L", "eye.R", "lashes"):
        if part == "lashes":
            own, corners = lash_uv(files)
        else:
            ball = VERTICES[part]
            polygons = files.polygons[POLYGONS[part]]
            own, corners = eye_uv(vertices[ball] - centres[part[-1]]), np.where(polygons < 0, -1, polygons - ball.start)
        uv.append(own)
        rows[part] = np.where(corners < 0, -1, corners + count)
        count += len(own)
    joined = np.concatenate([rows[part] for part in REGIONS])
    used = np.unique(joined[joined >= 0])
    renumbered = np.full(count + 1, -1, dtype=np.int64)
    renumbered[used] = np.arange(len(used))
    return np.concatenate(uv)[used], renumbered[joined]
