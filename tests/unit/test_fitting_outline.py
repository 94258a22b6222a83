"""The outline of the face: found in the photo, and what it does to identity."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from made_head import egg, landmarks, take_photo

from likeness.fitting import refine as refining
from likeness.fitting.landmarks import LandmarkModel
from likeness.fitting.noise import Noise
from likeness.fitting.outline import FINE, Outline, Window, outline_of, seek, window
from likeness.fitting.pose import Pose
from likeness.fitting.refine import refine
from likeness.fitting.solve import Evidence, Fit, moved
from likeness.heads.base import HeadModel
from likeness.methods.base import View

SIDE = 300
SKIN, WALL = (190, 140, 120), (60, 80, 110)


def disc(radius: float, inside: tuple[int, int, int], outside: tuple[int, int, int]) -> Window:
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    within = np.hypot(x - SIDE / 2, y - SIDE / 2) < radius
    picture = np.where(within[..., None], inside, outside).astype(np.float32) / 255
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    return Window(lab, np.ones((SIDE, SIDE), bool), np.zeros(2), 1.0)


def circle(radius: float) -> Outline:
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    out = np.stack([np.cos(turn), np.sin(turn)], 1)
    size = np.full(60, radius * 2 * np.pi / 60)
    return Outline(np.zeros((60, 2), np.int64), SIDE / 2 + radius * out, out, np.full(60, FINE), size)


@pytest.mark.parametrize("off", [-4.0, 0.0, 5.0])
def test_an_edge_is_found_inside_and_outside(off: float) -> None:
    gap, trust = seek(disc(100, SKIN, WALL), circle(100 - off))
    assert np.median(gap) == pytest.approx(off, abs=0.7)
    assert np.median(trust) > 0.5


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert seek(disc(100, SKIN, SKIN), circle(100))[1].max() == 0


def test_nothing_is_believed_beyond_the_photo() -> None:
    view = disc(100, SKIN, WALL)
    seen = view.seen.copy()
    seen[:, SIDE // 2 :] = False
    outline = circle(100)
    trust = seek(replace(view, seen=seen), outline)[1]
    assert trust[outline.normals[:, 0] > 0.2].max() == 0
    assert np.median(trust[outline.normals[:, 0] < -0.2]) > 0.5


@pytest.fixture(scope="module")
def head() -> HeadModel:
    """The egg, wider by 3 mm on each side and deeper by 3 mm in front with its two coefficients."""
    plain = egg()
    wide = plain.template / torch.tensor([0.078, 1, 0.095]) * 0.003
    modes = torch.stack([wide * torch.tensor([1.0, 0, 0]), wide * torch.tensor([0, 0, 1.0])])
    return replace(plain, identity=modes, joints_identity=torch.zeros(2, 6, 3))


def fitted(head: HeadModel, view: View) -> tuple[LandmarkModel, Evidence, Fit]:
    """Mean egg, true camera; the landmarks say nothing of the shape."""
    camera = view.camera
    pose = Pose(camera.rotation, camera.translation, camera.fx, np.array([camera.cx, camera.cy]))
    points = landmarks()
    fields = np.stack([points * (0.003 / 0.078, 0, 0), points * (0, 0, 0.003 / 0.095)])
    model = LandmarkModel(np.arange(478), points, fields, np.zeros((1, 478, 3)))
    depth = (points @ pose.rotation.T + pose.translation)[:, 2]
    seen = np.concatenate([pose.project(points), pose.focal / depth.mean() * (depth - depth.mean())[:, None]], 1)
    noise = Noise(np.zeros((478, 3)), np.zeros((0, 478, 3)), np.full((478, 3), 0.002))
    evidence = Evidence(seen, pose, points.mean(0), float(np.log(pose.focal)), 0.05, noise, np.ones(1))
    start = Fit(np.zeros(2), (pose,), (np.zeros(1),), (np.zeros(0),), (np.ones(478),))
    return model, evidence, start


@pytest.mark.parametrize("wide", [-1.0, 1.5])
def test_a_wide_face_becomes_wide(head: HeadModel, wide: float) -> None:
    view = take_photo(replace(head, template=head.template + wide * head.identity[0]))
    model, evidence, start = fitted(head, view)
    fit = refine(head, model, [view.face], [evidence], start, np.eye(2), np.eye(1))
    assert fit.identity[0] == pytest.approx(wide, abs=0.35)


def test_what_contradicts_the_landmarks_is_not_followed(head: HeadModel) -> None:
    view = take_photo(replace(head, template=head.template + 1.5 * head.identity[0]))
    model, evidence, start = fitted(head, view)
    sure = 100 * np.eye(2)
    fit = refine(head, model, [view.face], [evidence], start, sure, np.eye(1))
    assert np.sqrt(fit.identity @ sure @ fit.identity) <= refining.SURPRISE + 1e-6


def test_slopes_are_the_outlines_motion(head: HeadModel) -> None:
    view = take_photo(head, yaw=20)
    model, evidence, start = fitted(head, view)
    near = window(view.face, start.poses[0], model.mean.mean(0))
    vertices = head.template.numpy()
    pose = near.pose(start.poses[0])
    outline = outline_of(head, vertices, pose, near.lab.shape[0])
    assert len(outline.points) > 20
    slopes = refining._slopes(head, vertices, pose, outline)
    for unknown in range(slopes.shape[1] - 1):
        step = np.zeros(slopes.shape[1])
        step[unknown] = 1e-4
        after = moved([evidence], start, step, 2, 1)
        shape = head.shape(torch.from_numpy(after.identity).float()[None])[0].numpy()
        placed = near.pose(after.poses[0]).project(shape[outline.edges].mean(1).astype(np.float64))
        was = pose.project(vertices[outline.edges].mean(1).astype(np.float64))
        motion = ((placed - was) * outline.normals).sum(1) / 1e-4
        assert slopes[:, unknown] == pytest.approx(motion, rel=0.02, abs=0.04 * np.abs(motion).max() + 1e-3)


def test_a_window_shows_the_photo_where_the_camera_says(head: HeadModel) -> None:
    view = take_photo(head)
    model, _, start = fitted(head, view)
    near = window(view.face, start.poses[0], model.mean.mean(0))
    outline = outline_of(head, head.template.numpy(), near.pose(start.poses[0]), near.lab.shape[0])
    gap, trust = seek(near, outline)
    assert np.average(np.abs(gap), weights=trust) / FINE < 0.0006
