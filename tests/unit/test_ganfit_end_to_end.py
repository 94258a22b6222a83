"""A photo becomes a head by GANFIT-style fitting without anybody's files, and its maps are filled by what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from likeness import faces, photos
from likeness.assemble import assemble
from likeness.avatar import Map, Material
from likeness.errors import WeightsError
from likeness.fitting.appearance_fit import Plan
from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of
from likeness.maps.fitted import with_fitted
from likeness.maps.latent import FITTED
from likeness.methods.base import Reconstruction, Settings
from likeness.methods.ganfit import Ganfit
from likeness.networks.dlib_face import dlib_face
from likeness.progress import quiet

SIZE = 256


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, float, str]]:
    return []


@pytest.fixture(scope="module")
def made(astronaut: Path, anny_head: HeadModel, heard: list[tuple[str, float, str]]) -> Reconstruction:
    try:
        dlib_face()
    except WeightsError as error:
        pytest.skip(f"needs the face descriptor: {error}")
    method = Ganfit(Plan(steps=4, align=4, keep=2))
    return method.reconstruct(
        [faces.find(photos.load(astronaut))], Settings(head="anny", texture_size=SIZE), lambda *said: heard.append(said)
    )


def test_the_head_stands_where_the_face_is(made: Reconstruction, anny_head: HeadModel) -> None:
    (view,) = made.views
    marks = anny_head.landmarks["mediapipe478"].on(
        torch.from_numpy(made.vertices)
        + torch.einsum("m,mvc->vc", torch.from_numpy(view.expression), made.head.expression if made.head else None),
        anny_head.triangles,
    )
    corners = view.camera.project(marks.numpy()[[33, 263]])
    assert np.linalg.norm(corners - view.face.landmarks[[33, 263], :2], axis=1).max() < 0.08 * view.face.interocular
    assert view.expression.min() >= 0
    assert view.expression.max() <= 1


def test_it_says_which_parts_it_is_of(made: Reconstruction) -> None:
    assert made.details["providers"][FITTED].startswith("free")
    assert made.details["providers"]["face network"].startswith("open weights: dlib")
    assert made.licences == ()
    assert made.details["likeness"]["after"] > made.details["likeness"]["before"]
    assert made.details["steps"] == 4
    told = assemble("a", made, {"Skin": Material()}).provenance
    assert told["method"]["title"] == "GANFIT-style fitting"
    assert told["details"]["providers"] == made.details["providers"]


def test_progress_tells_every_term_and_never_runs_back(
    made: Reconstruction, heard: list[tuple[str, float, str]]
) -> None:
    fractions = [fraction for stage, fraction, _ in heard if stage == "fit"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    last = heard[-1][2]
    assert all(f"{name} 0." in last for name in ("pixels", "identity", "content", "grey light"))


def filled(
    head: HeadModel, albedo: NDArray[np.uint8], fitted: NDArray[np.uint8], known: NDArray[np.uint8]
) -> NDArray[Any]:
    """What becomes of a skin's albedo."""
    skin = Material({"albedo": Map(albedo, "srgb"), "confidence": Map(known, "linear")})
    none = np.zeros(len(head.identity), np.float32)
    made = Reconstruction("ganfit", head, none, head.template.numpy(), head.joints.numpy(), (), maps={FITTED: fitted})
    return with_fitted(made, skin, (), Settings(texture_size=SIZE), quiet).maps["albedo"].pixels.astype(int)


def test_what_was_fitted_fills_what_no_photo_shows_and_nothing_else(anny_head: HeadModel) -> None:
    rng = np.random.default_rng(0)
    albedo = np.clip(rng.normal(150, 6, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
    inside = atlas_of(anny_head, "Skin", SIZE).inside
    known = np.zeros((SIZE, SIZE), np.uint8)
    known[:, : SIZE // 2] = 255  # one side of the head was seen
    darker = np.full((SIZE, SIZE, 3), 100, np.uint8)
    same = filled(anny_head, albedo, darker, known)
    assert np.abs(same - albedo)[inside].max() <= 6  # another exposure changes nothing
    patch = darker.copy()
    patch[190:230, 200:240] = 70
    there = np.zeros((SIZE, SIZE), bool)
    there[200:220, 210:230] = True
    there &= inside
    assert there.sum() > 100
    after = filled(anny_head, albedo, patch, known)
    seen = known > 0
    seen[:, SIZE // 2 - 3 :] = False
    assert np.array_equal(after[seen], albedo.astype(int)[seen])
    assert (same - after)[there].mean() > 15
    grain = (after - same)[there].std(0)
    assert (grain < 8).all()  # the maps' own grain stays
