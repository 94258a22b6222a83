"""Where the landmarks lie on a head."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.faces import landmarks_of
from likeness.heads.base import HeadModel
from likeness.heads.embedding import cast_samples
from likeness.heads.embedding_pictures import Painter, camera_at
from likeness.heads.embedding_points import (
    COUNT,
    IBUG68,
    IRISES,
    LOWER_LIDS,
    LOWER_LIP,
    MIRROR,
    UPPER_LIDS,
    UPPER_LIP,
)


@pytest.fixture(params=["anny_head", "ict_head"])
def head(request: pytest.FixtureRequest) -> HeadModel:
    found: HeadModel = request.getfixturevalue(request.param)
    return found


def places(head: HeadModel, name: str = "mediapipe478") -> NDArray[np.float32]:
    points: NDArray[np.float32] = head.landmarks[name].on(head.template, head.triangles).numpy()
    return points


def regions(head: HeadModel, points: range | tuple[int, ...]) -> set[str]:
    chosen = head.landmarks["mediapipe478"].triangle[list(points)]
    return {head.region_names[r] for r in head.triangle_region[chosen].tolist()}


def group(head: HeadModel, name: str, points: tuple[int, ...]) -> torch.Tensor:
    embedded = head.landmarks["mediapipe478"]
    values = head.groups[name][head.triangles[embedded.triangle]]
    return (values * embedded.barycentric).sum(1)[list(points)]


def test_the_table_of_sides_is_an_involution() -> None:
    assert (MIRROR[MIRROR] == np.arange(COUNT)).all()
    for right, left in ((33, 263), (133, 362), (61, 291), (78, 308), (159, 386), (234, 454), (468, 473), (469, 476)):
        assert MIRROR[right] == left
    assert len(set(IBUG68)) == 68


def test_points_lie_on_the_right_parts(head: HeadModel) -> None:
    assert regions(head, range(468)) == {"skin"}
    for eye, points in IRISES.items():
        assert regions(head, points) == {eye}
    assert group(head, "lips", (11, 12, 13, 14, 15, 16, 82, 312, 87, 317)).min() > 0.6
    rim = group(head, "lips", (0, 17, 37, 267))
    assert 0.01 < rim.min() < 0.6
    assert group(head, "lips", (10, 152, 4, 33, 234)).max() < 0.05
    assert group(head, "brows", (105, 334, 52, 282)).min() > 0.1
    assert group(head, "nose", (1, 4, 5, 195)).min() > 0.5
    embedded = head.landmarks["mediapipe478"]
    assert embedded.barycentric.min() >= 0
    assert torch.allclose(embedded.barycentric.sum(1), torch.ones(COUNT), atol=1e-5)


def test_points_stand_where_a_face_has_them(head: HeadModel) -> None:
    at = places(head)
    skin = torch.unique(head.triangles[head.region("skin")])
    assert at[[1, 4], 2].max() > head.template[skin][:, 2].max() - 0.003  # the nose's tip is frontmost
    assert at[10, 1] > at[151, 1] > at[168, 1] > at[4, 1] > at[0, 1] > at[13, 1] > at[17, 1] > at[152, 1]
    for upper, lower in (((159, 386), (145, 374)), (UPPER_LIP, LOWER_LIP)):
        assert (at[list(upper), 1] > at[list(lower), 1] - 0.001).all()  # shut lips press upon each other
    assert (at[[33, 133, 159], 0] < 0).all()
    assert at[33, 0] < at[159, 0] < at[133, 0]
    assert 0.07 < np.linalg.norm(at[33] - at[263]) < 0.11  # outer corners of the eyes, metres


def test_lips_open_and_lids_close_between_the_points(head: HeadModel) -> None:
    points = head.landmarks["mediapipe478"]

    def moved(*names: str) -> NDArray[np.float32]:
        chosen = [head.expression_names.index(n) for n in names]
        result: NDArray[np.float32] = points.on(head.template + head.expression[chosen].sum(0), head.triangles).numpy()
        return result

    still, opened = places(head), moved("jawOpen")
    for upper, lower in zip(UPPER_LIP[2:-2], LOWER_LIP[2:-2], strict=True):
        assert still[upper, 1] - still[lower, 1] < 0.006
        assert opened[upper, 1] - opened[lower, 1] > 0.012
    shut = moved("eyeBlinkLeft", "eyeBlinkRight")
    for i in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12):
        before, after = (p[UPPER_LIDS[i], 1] - p[LOWER_LIDS[i], 1] for p in (still, shut))
        assert after < 0.35 * before


def test_irises_are_round_and_in_the_eyes(head: HeadModel) -> None:
    at = places(head)
    for eye, points in IRISES.items():
        centre, rim = at[points[0]], at[list(points[1:])]
        radii = np.linalg.norm((rim - centre)[:, :2], axis=1)
        assert np.allclose(radii, 0.0059, atol=0.0006)
        joint = head.joints[head.joint_names.index(eye)].numpy()
        assert np.abs((centre - joint)[:2]).max() < 0.0006
        assert (rim[0] - centre)[0] > 0.005  # towards the person's left first, then up
        assert (rim[1] - centre)[1] > 0.005


def test_both_sides_agree(head: HeadModel) -> None:
    at = places(head)
    assert np.linalg.norm(at[MIRROR] * (-1, 1, 1) - at, axis=1).max() < 0.0005


def test_the_68_points_agree_with_the_mesh(head: HeadModel) -> None:
    away = np.linalg.norm(places(head, "ibug68") - places(head)[list(IBUG68)], axis=1)
    assert np.median(away[17:]) < 0.004
    assert away[36:].max() < 0.012


@pytest.mark.parametrize(("yaw", "pitch", "limit"), [(0, 0, 0.02), (20, 5, 0.03), (-20, -8, 0.03)])
def test_the_network_finds_them_again(head: HeadModel, yaw: float, pitch: float, limit: float) -> None:
    identity = 0.4 * torch.randn(1, len(head.identity), generator=torch.Generator().manual_seed(11))
    vertices = head.shape(identity)[0]
    aim = head.joints[4:6].double().mean(0).numpy() + np.array([0, -0.03, 0])
    camera = camera_at(yaw, pitch, aim)
    picture = Painter(head).picture(vertices, camera)
    box = camera.project(aim + np.array([[-0.08, 0.09, 0], [0.08, -0.09, 0]]))
    found, score = landmarks_of(picture.pixels, (box[0, 0], box[0, 1], box[1, 0], box[1, 1]))
    expected = camera.project(head.landmarks["mediapipe478"].on(vertices, head.triangles).numpy())
    metres = np.linalg.norm(places(head)[33] - places(head)[263])
    error = np.linalg.norm(found[:, :2] - expected, axis=1) / (camera.fx * metres)
    assert score > 0.9
    assert np.median(error) < limit
    assert error.mean() < 1.3 * limit


def test_a_head_without_a_face_is_told(anny_head: HeadModel) -> None:
    turned = anny_head.template * torch.tensor([1.0, -1.0, -1.0])
    with pytest.raises(HeadError, match="does not see a face"):
        cast_samples(replace(anny_head, template=turned))
