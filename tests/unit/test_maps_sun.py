"""A lamp whose direction is known, and the shadows that nose, brows and chin throw."""

import numpy as np
import pytest
import torch
from made_head import even_light

from likeness.heads.base import HeadModel
from likeness.maps.atlas import Atlas, atlas_of
from likeness.maps.fuse import HARD
from likeness.maps.light import fit_light
from likeness.maps.sun import find_sun
from likeness.maps.transfer import beams_of
from likeness.render.view import vertex_normals

SKIN = np.array([0.45, 0.28, 0.2])
LAMP = np.array([0.75, 0.5, 0.45]) / np.linalg.norm([0.75, 0.5, 0.45])
AMBIENT, STRENGTH = 0.35, 1.0


def reached(points: np.ndarray, normals: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) bool: no triangle (T, 3, 3) stands between points (N, 3) and the lamp (Moeller and Trumbore 1997)."""
    a, u, v = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(LAMP, v)
    determinant = (u * p).sum(1)
    free = np.ones(len(points), bool)
    for i, point in enumerate(points + 0.0008 * normals):
        s = point - a
        with np.errstate(divide="ignore", invalid="ignore"):
            x = (s * p).sum(1) / determinant
            q = np.cross(s, u)
            y, far = (q @ LAMP) / determinant, (q * v).sum(1) / determinant
        free[i] = not ((x > 0) & (y > 0) & (x + y < 1) & (far > 0.003)).any()
    return free


@pytest.fixture(scope="module")
def scene(anny_head: HeadModel) -> tuple[Atlas, np.ndarray, np.ndarray, np.ndarray]:
    """Atlas, the photo's log light on even skin, where bare skin is seen, and where the lamp's shadow falls."""
    head = anny_head
    atlas = atlas_of(head, "Skin", 256)
    points = head.template.numpy().astype(np.float64)
    solid = head.triangles[~head.region("lashes", "wet")]
    normals = vertex_normals(head.template, solid).numpy().astype(np.float64)
    seen = (normals[:, 2] > 0.25) & (head.groups["face"].numpy() > 0.5)
    facing = np.maximum(normals @ LAMP, 0)
    tried = np.flatnonzero(seen & (facing > 0))
    near = head.groups["face"].numpy()[solid.numpy()].max(1) > 0.5
    free = np.zeros(len(points), bool)
    free[tried] = reached(points[tried], normals[tried], points[solid.numpy()[near]])
    transfer = beams_of(head).transfer
    shading = AMBIENT * (transfer @ even_light()) + STRENGTH * facing * free
    log = np.log(np.maximum(atlas.texels((shading[:, None] * SKIN).astype(np.float32)), 1e-3))
    weight = (atlas.texels(seen.astype(np.float32)) > 0.9).astype(np.float32)
    cast = atlas.texels((seen & (facing > 0.15) & ~free).astype(np.float32)) > 0.95
    return atlas, log.astype(np.float32), weight, cast & (weight > 0)


def test_under_a_found_lamp_its_shadow_is_nearer_the_truth(anny_head: HeadModel, scene: tuple) -> None:
    atlas, log, weight, cast = scene
    beams = beams_of(anny_head)
    light = fit_light(log, weight, atlas, beams.transfer)
    solid = anny_head.triangles[~anny_head.region("lashes", "wet")]
    sun = find_sun(log, weight, atlas, beams, light, anny_head.template.numpy(), solid)
    assert sun is not None
    assert np.degrees(np.arccos(sun.direction @ LAMP)) < 15
    assert cast.sum() > 150, "there is a shadow to judge by"

    soft = light.correction(atlas.texels(light.shading(beams.transfer)))
    hard = light.correction(sun.shading, HARD)
    lit = (weight > 0) & ~cast

    def off(shading: np.ndarray) -> float:
        """Mean error of log albedo in the shadow, the level being told by what is lit."""
        left = (log - shading).mean(-1)
        return float(np.abs(left[cast] - np.median(left[lit])).mean())

    assert off(np.zeros_like(log)) > 0.5, "the photo itself has it"
    assert off(hard) < 0.7 * off(soft)
    assert off(hard) < 0.3


def test_soft_light_is_no_lamp(anny_head: HeadModel, scene: tuple[Atlas, torch.Tensor]) -> None:
    atlas, _, weight, _ = scene
    beams = beams_of(anny_head)
    soft = np.maximum(beams.transfer @ even_light(), 0.02)[:, None] * SKIN
    log = np.log(np.maximum(atlas.texels(soft.astype(np.float32)), 1e-3))
    light = fit_light(log, weight, atlas, beams.transfer)
    solid = anny_head.triangles[~anny_head.region("lashes", "wet")]
    assert find_sun(log, weight, atlas, beams, light, anny_head.template.numpy(), solid) is None
