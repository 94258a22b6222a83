"""The default head: symmetric, laid out without overlap, with eyes, teeth and lashes that sit right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.heads.anny_parts import eye_profile
from likeness.heads.base import REGION_MATERIALS, HeadModel, triangulate
from likeness.heads.expressions import ARKIT, mirrored
from likeness.heads.prior import load_prior
from likeness.render.raster import rasterise, rasterise_uv

FLIP = torch.tensor([-1.0, 1.0, 1.0])


def weights_of(head: HeadModel, **expressions: float) -> Tensor:
    """(1, M) expression weights; a name without its side sets both."""
    weights = torch.zeros(1, len(head.expression_names))
    for name, value in expressions.items():
        for i, full in enumerate(head.expression_names):
            if full in (name, name + "Left", name + "Right"):
                weights[0, i] = value
    return weights


def seen(
    head: HeadModel,
    vertices: Tensor,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    size: int = 400,
    drop: tuple[str, ...] = ("lashes",),
) -> NDArray[np.str_]:
    """(size, size) region seen at each pixel of a parallel projection of the face, "" where nothing is."""
    a, b = np.radians([yaw, pitch])
    turn = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]) @ np.array(
        [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]
    )
    turned = (vertices.double().numpy() - (0, 0.12, 0.06)) @ turn.T
    scale = size / 0.24
    points = np.stack([size / 2 + turned[:, 0] * scale, size / 2 - turned[:, 1] * scale, 1 - turned[:, 2]], 1)
    kept = ~head.region(*drop)
    raster = rasterise(torch.tensor(points, dtype=torch.float32), head.triangles[kept], size, size)
    region = head.triangle_region[kept][raster.triangle.clamp(min=0)].numpy()
    names = np.array(head.region_names)[region]
    names[raster.triangle.numpy() < 0] = ""
    return names


def test_has_every_region_and_expression(anny_head: HeadModel) -> None:
    assert set(anny_head.region_names) == {
        "skin",
        "mouth",
        "tongue",
        "eye.L",
        "eye.R",
        "teeth",
        "gums",
        "lashes",
    }
    assert set(anny_head.region_names) <= set(REGION_MATERIALS)
    assert anny_head.expression_names == ARKIT
    assert anny_head.joint_names == ("root", "neck", "head", "jaw", "eye.L", "eye.R")
    assert (anny_head.expression.abs().amax((1, 2)) > 1e-3).all()


def test_mirror_swaps_the_sides(anny_head: HeadModel) -> None:
    h = anny_head
    assert (h.mirror[h.mirror] == torch.arange(len(h.mirror))).all()
    assert (h.template[h.mirror] * FLIP - h.template).abs().max() < 1e-5
    # Eye joints change places.
    swapped = h.skin_weights[h.mirror][:, [0, 1, 2, 3, 5, 4]]
    assert (swapped - h.skin_weights).abs().max() < 0.02
    for name in ("eyeBlinkLeft", "mouthSmileRight", "jawOpen", "eyeLookInLeft"):
        one = h.expression[ARKIT.index(name)]
        other = h.expression[ARKIT.index(mirrored(name))]
        assert (one[h.mirror] * FLIP - other).abs().max() < 1e-4, name


@pytest.mark.parametrize("material", ["Skin", "Mouth", "Tongue", "Teeth", "Gums"])
def test_uv_has_neither_flips_nor_overlaps(anny_head: HeadModel, material: str) -> None:
    chosen = anny_head.region(*(r for r, m in REGION_MATERIALS.items() if m == material))
    corners = anny_head.uv[anny_head.triangles_uv[chosen]].double()
    assert corners.min() >= 0
    assert corners.max() <= 1
    a, b = (corners[:, k] - corners[:, 0] for k in (1, 2))
    area = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    assert (area > 0).all()
    raster = rasterise_uv(anny_head.uv, anny_head.triangles_uv[chosen], 1024)
    covered = float((raster.triangle >= 0).float().mean())
    # What lies twice on a texel counts once as covered.
    assert float(area.sum()) == pytest.approx(covered, abs=0.004)


def test_skin_fills_its_square_and_the_face_most_of_it(anny_head: HeadModel) -> None:
    h = anny_head
    skin = h.region("skin")
    raster = rasterise_uv(h.uv, h.triangles_uv[skin], 512)
    assert (raster.triangle >= 0).float().mean() > 0.99
    triangle = h.triangles[skin][raster.triangle.clamp(min=0)]
    # In front of the ears, above the jaw: what a photo of a face shows.
    front = sum(h.groups[name][triangle].mean(-1) for name in ("face", "ears"))
    assert (front > 0.5).float().mean() > 0.5
    v, u = torch.nonzero(h.groups["face"][triangle].mean(-1) > 0.5).T
    assert (u.max() - u.min()) * 4 > 900
    assert (v.max() - v.min()) * 4 > 1100


def test_uv_is_symmetric(anny_head: HeadModel) -> None:
    h = anny_head
    skin = h.polygons[h.polygon_region == h.region_names.index("skin")]
    corners = h.polygons_uv[h.polygon_region == h.region_names.index("skin")]
    places: dict[int, set[tuple[float, float]]] = {}
    for vertex, corner in zip(skin.flatten().tolist(), corners.flatten().tolist(), strict=True):
        if vertex >= 0:
            u, v = h.uv[corner].tolist()
            places.setdefault(vertex, set()).add((round(u, 4), round(v, 4)))
    for vertex in (1, 500, 2000, 3000):
        mirror = {(round(1 - u, 4), v) for u, v in places[int(h.mirror[vertex])]}
        for one, other in zip(sorted(places[vertex]), sorted(mirror), strict=True):
            assert one == pytest.approx(other, abs=2e-4)


def test_seams_lie_on_the_back_only(anny_head: HeadModel) -> None:
    h = anny_head
    skin = h.polygon_region == h.region_names.index("skin")
    pairs = torch.stack([h.polygons[skin].flatten(), h.polygons_uv[skin].flatten()], 1).unique(dim=0)
    vertex, count = pairs[pairs[:, 0] >= 0][:, 0].unique(return_counts=True)
    seam = h.template[vertex[count > 1]]
    assert len(seam) > 10
    assert (seam[:, 0].abs() < 1e-5).all()
    assert (seam[:, 2] < 0.02).all()


@pytest.mark.parametrize("side", ["L", "R"])
def test_skin_stays_out_of_the_eyeball(anny_head: HeadModel, side: str) -> None:
    h = anny_head
    full = {"L": "Left", "R": "Right"}[side]
    centre = h.joints[h.joint_names.index(f"eye.{side}")].double().numpy()
    skin = h.triangles[h.region("skin")].unique()
    inside = set(h.triangles[h.region("mouth")].unique().tolist())
    lid = torch.tensor([v for v in skin.tolist() if v not in inside])
    near = lid[(h.template[lid] - h.joints[h.joint_names.index(f"eye.{side}")]).norm(dim=1) < 0.022]
    assert len(near) > 50
    radius = load_prior().eye_radius
    for name in (f"eyeBlink{full}", f"eyeSquint{full}", f"eyeWide{full}", f"eyeLookDown{full}", f"eyeLookUp{full}"):
        for weight in (0.0, 0.25, 0.5, 1.0):
            arm = h.shape(torch.zeros(1, len(h.identity)), weights_of(h, **{name: weight}))[0, near].numpy() - centre
            length = np.linalg.norm(arm, axis=1)
            assert (length - eye_profile(arm[:, 2] / length, radius) > -5e-5).all(), (name, weight)


def test_blink_covers_the_eyes(anny_head: HeadModel) -> None:
    h = anny_head
    people = torch.cat([torch.zeros(1, len(h.identity)), torch.randn(3, len(h.identity), generator=_seed())])
    for identity in people:
        open_ = np.isin(seen(h, h.shape(identity[None])[0]), ("eye.L", "eye.R")).sum()
        closed = np.isin(seen(h, h.shape(identity[None], weights_of(h, eyeBlink=1.0))[0]), ("eye.L", "eye.R")).sum()
        assert open_ > 300
        assert closed < 0.02 * open_


def test_eyes_keep_to_their_sockets(anny_head: HeadModel) -> None:
    h = anny_head
    front = seen(h, h.template)
    rows = np.nonzero(np.isin(front, ("eye.L", "eye.R")))[0]
    # Between brows and cheeks, nowhere else.
    height = 0.12 - (rows - 200) * 0.24 / 400
    assert height.min() > 0.12
    assert height.max() < 0.16
    for yaw in (-90.0, 180.0, 90.0):
        view = seen(h, h.template, yaw=yaw)
        assert np.isin(view, ("eye.L", "eye.R")).sum() < 200


def test_lips_close_over_the_teeth(anny_head: HeadModel) -> None:
    h = anny_head
    inner = ("teeth", "gums", "tongue", "mouth")
    at_rest = np.isin(seen(h, h.template, size=800)[430:], inner).sum()
    opened = h.shape(torch.zeros(1, len(h.identity)), weights_of(h, jawOpen=0.5))[0]
    view = seen(h, opened, size=800)
    assert at_rest < 60
    assert (view == "teeth").sum() > 300
    assert np.isin(view[430:], inner).sum() > 4000


def test_nothing_inside_the_head_shows_through(anny_head: HeadModel) -> None:
    h = anny_head
    inner = ("teeth", "gums", "tongue", "mouth")
    lips = h.groups["lips"] > 0.5
    for name in (n for n in ARKIT if not n.startswith("eye") and n not in ("mouthClose", "tongueOut")):
        vertices = h.shape(torch.zeros(1, len(h.identity)), weights_of(h, **{name: 1.0}))[0]
        low, high = vertices[lips].amin(0), vertices[lips].amax(0)
        rows, columns = np.nonzero(np.isin(seen(h, vertices, size=256), inner))
        x, y = (columns + 0.5 - 128) * 0.24 / 256, 0.12 - (rows + 0.5 - 128) * 0.24 / 256
        around = (x < float(low[0])) | (x > float(high[0])) | (y < float(low[1])) | (y > float(high[1]))
        # The inner corners of the eyes show some of the sockets.
        assert (around & (y < 0.12)).sum() == 0, name
        assert np.isin(seen(h, vertices, yaw=90, size=256), inner).sum() < 40, name


def test_jaw_bone_does_what_jaw_open_does(anny_head: HeadModel) -> None:
    h = anny_head
    rows = h.expression[ARKIT.index("jawOpen")]
    lower = h.skin_weights[:, 3] == 1
    teeth = torch.zeros(len(h.template), dtype=torch.bool)
    teeth[h.triangles[h.region("teeth")].unique()] = True
    row = lower & teeth
    assert row.sum() > 300
    # The angle that carries the front of the row as far down as the expression does.
    tip = torch.argmax(torch.where(row, h.template[:, 2], -torch.inf))
    arm = h.template[tip] - h.joints[3]
    angle = float(rows[tip].norm() / arm[1:].norm())
    pose = torch.zeros(1, 6, 3)
    pose[0, 3, 0] = angle
    posed = h.forward(torch.zeros(1, len(h.identity)), torch.zeros(1, len(ARKIT)), pose)[0] - h.template
    assert 0.1 < angle < 0.6
    assert (posed - rows)[row].norm(dim=1).max() < 0.004
    # Upper teeth stay, the chin goes along.
    assert posed[teeth & ~lower].abs().max() < 1e-5
    chin = torch.argmin((h.template - torch.tensor([0.0, 0.045, 0.14])).norm(dim=1))
    assert (posed - rows)[chin].norm() < 0.35 * rows[chin].norm()


def test_weights_sum_to_one(anny_head: HeadModel) -> None:
    assert (anny_head.skin_weights >= 0).all()
    assert torch.allclose(anny_head.skin_weights.sum(1), torch.ones(len(anny_head.template)), atol=1e-5)


def test_groups_lie_where_their_names_say(anny_head: HeadModel) -> None:
    h = anny_head
    skin = torch.zeros(len(h.template), dtype=torch.bool)
    skin[h.triangles[h.region("skin")].unique()] = True
    middle = {}
    for name, weight in h.groups.items():
        assert weight.min() >= 0
        assert weight.max() == pytest.approx(1, abs=0.05)
        assert weight[~skin].abs().max() == 0
        middle[name] = (h.template * weight[:, None]).sum(0) / weight.sum()
    height = {name: float(place[1]) for name, place in middle.items()}
    assert height["scalp"] > height["brows"] > height["eyelids"] > height["nose"] > height["lips"] > height["neck"]
    assert height["neck"] > height["shoulders"] > height["rim"]
    assert float(middle["ears"][2]) < float(middle["face"][2])


def test_people_of_the_prior_keep_their_faces_in_order(anny_head: HeadModel) -> None:
    h = anny_head
    shapes = h.shape(torch.randn(6, len(h.identity), generator=_seed()))
    spread = (shapes - h.template).norm(dim=-1)[:, h.groups["face"] > 0.5].mean(1)
    assert (spread > 0.001).all()
    assert (spread < 0.02).all()
    corners, _ = triangulate(h.polygons)
    assert len(corners) == len(h.triangles)


def _seed() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_a_smile_widens_the_nose_as_much_as_it_does_in_people(anny_head: HeadModel) -> None:
    wings = anny_head.landmarks["mediapipe478"]

    def width(smile: float, name: str = "mouthSmile") -> float:
        shape = anny_head.shape(torch.zeros(1, len(anny_head.identity)), weights_of(anny_head, **{name: smile}))
        points = wings.on(shape[0], anny_head.triangles)
        return float((points[129] - points[358]).norm())

    assert 0.0035 < width(1) - width(0) < 0.0055
    one = width(1, "mouthSmileLeft") - width(0)
    assert 0.4 < one / (width(1) - width(0)) < 0.6
