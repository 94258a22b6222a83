"""The pieces that maps are made of, each with an answer known beforehand."""

import numpy as np
import pytest
import torch
from made_head import egg, even_light, side_light, take_photo

from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of, enlarge, material_triangles
from likeness.maps.eyes import BROWN, iris_colour
from likeness.maps.field import Surface
from likeness.maps.highlights import gloss_in
from likeness.maps.lashes import lashes_material
from likeness.maps.light import fit_light
from likeness.maps.mouth import mouth_materials
from likeness.maps.relief import height_of, micro_relief, normals_of
from likeness.maps.scalp import stubble
from likeness.maps.transfer import transfer_of
from likeness.maps.unwrap import gathered
from likeness.methods.base import Reconstruction
from likeness.render.light import sh_basis
from likeness.render.view import vertex_normals


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return egg()


def test_atlas_places_vertices_and_their_mirror_images(head: HeadModel) -> None:
    atlas = atlas_of(head, "Skin", 256)
    points = atlas.texels(head.template.numpy())
    inside = atlas.mirror[..., 0] >= 0
    assert inside.mean() > 0.95
    turned = atlas.flipped(points)
    # Within a texel of the seam behind, the flip looks past the square's edge.
    middle = np.s_[4:-4, 4:-4]
    assert np.abs(turned - points * [-1, 1, 1])[middle].max() < 1e-3
    assert atlas_of(egg(), "Skin", 256) is atlas, "an equal head shares it"


def test_texels_and_vertices_are_adjoint(head: HeadModel) -> None:
    atlas = atlas_of(head, "Skin", 256)
    random = np.random.default_rng(0)
    values = random.random(len(head.template)).astype(np.float32)
    picture = random.random((256, 256)).astype(np.float32)
    there = float((atlas.texels(values) * picture)[atlas.inside].sum())
    assert there == pytest.approx(float((values * atlas.vertices(picture)).sum()), rel=1e-4)
    # The texels' areas add up to the surface.
    skin = Surface(head.template.numpy(), head.triangles[material_triangles(head, "Skin")])
    assert atlas.area.sum() == pytest.approx(skin.area.sum(), rel=0.01)


def test_enlarging_keeps_smooth_pictures(head: HeadModel) -> None:
    small, full = atlas_of(head, "Skin", 256), atlas_of(head, "Skin", 512)
    points = head.template.numpy()
    grown = enlarge(small.texels(points), small, full)
    assert np.abs(grown - full.texels(points))[full.inside].max() < 0.003


def test_no_shadow_falls_on_a_lone_convex_head(head: HeadModel) -> None:
    skin = np.unique(head.triangles[material_triangles(head, "Skin")])
    normals = vertex_normals(head.template, head.triangles)
    # Away from the eyes, which stand out, and from the poles, where triangles are slivers.
    p = head.template.numpy()[skin]
    clear = skin[(p[:, 2] < 0.03) & (abs(p[:, 1] - 0.13) < 0.09)]
    expected = sh_basis(normals)[torch.from_numpy(clear)].numpy()
    assert np.abs(transfer_of(head)[clear] - expected).max() < 0.05


def test_light_is_found_and_taken_off(head: HeadModel) -> None:
    atlas, transfer = atlas_of(head, "Skin", 256), transfer_of(head)
    skin = np.array([0.5, 0.3, 0.2])
    shaded = np.maximum(transfer @ side_light(0.3), 0.02)[:, None] * skin
    log = np.log(np.maximum(atlas.texels(shaded.astype(np.float32)), 1e-3))
    seen = (atlas.texels(head.template.numpy())[..., 2] > 0.02).astype(np.float32) * (atlas.area > 0)
    # A tenth of it is something else, far darker.
    random = np.random.default_rng(1)
    log[random.random(log.shape[:2]) < 0.1] -= 2
    light = fit_light(log, seen, atlas, transfer)
    left = np.log(shaded) - light.correction(light.shading(transfer))
    front = head.template.numpy()[:, 2] > 0.04
    assert np.std(np.log(shaded[front]), axis=0).min() > 0.15
    assert np.std(left[front], axis=0).max() < 0.05


def test_light_without_evidence_is_even(head: HeadModel) -> None:
    atlas, transfer = atlas_of(head, "Skin", 256), transfer_of(head)
    light = fit_light(np.zeros((256, 256, 3), np.float32), np.zeros((256, 256), np.float32), atlas, transfer)
    assert np.isfinite(light.correction(light.shading(transfer))).all()


def test_fields_join_what_is_known(head: HeadModel) -> None:
    surface = Surface(head.template.numpy(), head.triangles[material_triangles(head, "Skin")])
    y = head.template.numpy()[:, 1]
    known = ((y < 0.08) | (y > 0.2)) & (surface.area > 0)
    field = surface.spread(y, (known * surface.area).astype(np.float32), 0.002)
    between = (surface.area > 0) & ~known
    assert np.abs(field - y)[known & (abs(y - 0.13) < 0.1)].max() < 0.004
    assert field[between].min() > 0.05
    assert field[between].max() < 0.22
    far = surface.spread(y, np.zeros(len(y), np.float32), 0.01, 0.7)
    assert far[surface.area > 0] == pytest.approx(0.7, abs=1e-3)


def test_gloss_goes_and_skin_stays() -> None:
    skin = np.array([0.45, 0.27, 0.19], np.float32)
    light = np.tile(skin, (128, 128, 1)) * (1 + 0.05 * np.sin(np.arange(128) / 3))[:, None, None].astype(np.float32)
    y, x = np.mgrid[0:128, 0:128]
    shine = 0.35 * np.exp(-((x - 64) ** 2 + (y - 64) ** 2) / 200.0)
    log = np.log(light + shine[..., None]).astype(np.float32)
    base = np.tile(np.log(skin), (128, 128, 1))
    left = np.exp(log - gloss_in(log, base, np.ones((128, 128), np.float32)))
    assert np.abs(left[64, 64] / skin - 1).max() < 0.15
    assert np.abs(np.exp(log[64, 64]) / skin - 1).min() > 0.5
    assert np.abs(left[:20] / light[:20] - 1).max() < 0.02


def test_normals_lean_away_from_a_slope() -> None:
    row, column = np.mgrid[0:32, 0:32].astype(np.float32)
    # Rises to the right (u) and to the top (v), 0.1 mm per mm.
    height = (0.1 * column - 0.1 * row) * 0.001
    normal = normals_of(height.astype(np.float32), np.full((32, 32), 0.001, np.float32))[16, 16]
    assert normal == pytest.approx(np.array([-0.1, -0.1, 1]) / np.sqrt(1.02), abs=1e-3)


def test_relief_follows_a_sharp_photo_and_ignores_a_blurred_one() -> None:
    luminance = np.zeros((200, 200), np.float32)
    luminance[:, 98:102] = -0.4
    flat = np.zeros_like(luminance)
    sharp, coarse = (height_of(luminance, flat, 0.0002, s) for s in (8000.0, 1200.0))
    assert sharp[100, 100] < -0.00002, "a dark line is a furrow"
    assert np.abs(coarse).max() == 0
    assert np.abs(height_of(luminance, flat + 1, 0.0002, 8000.0)).max() == 0, "hair is none"


def test_pores_and_stubble_repeat_with_their_seed(head: HeadModel) -> None:
    atlas = atlas_of(head, "Skin", 256)
    relief = micro_relief(atlas, 1)
    assert relief.min() >= -1
    assert relief.max() <= 1
    assert (relief == micro_relief(atlas, 1)).all()
    assert (relief != micro_relief(atlas, 2)).any()
    cover = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1))
    opacity, _ = stubble(cover, 0.0005, 1)
    assert opacity[:, 0].max() == 0
    assert 0.5 < opacity[:, -8:].mean() < 0.9
    assert (np.diff(opacity.reshape(256, 16, 16).mean((0, 2))) > 0).all()


def test_mouth_and_lashes_have_their_channels() -> None:
    mouth = mouth_materials(64, 0)
    assert set(mouth) == {"Gums", "Tongue", "Mouth"}
    means = {name: m.maps["albedo"].pixels.mean((0, 1)) for name, m in mouth.items()}
    assert means["Gums"].mean() > means["Mouth"].mean()
    lashes = lashes_material(np.log(np.array([0.2, 0.12, 0.06], np.float32)), 128, 0)
    alpha = lashes.maps["alpha"].pixels
    assert alpha.shape == (128, 128)
    # Upper lids have the upper half (roots below), lower lids the lowest quarter, with nothing between them.
    upper, between, lower = alpha[:64], alpha[64:96], alpha[96:]
    assert upper[32:48].mean() > 2 * upper[:8].mean()
    assert between.max() == 0
    assert 0 < lower.mean() < 0.35 * upper.mean()
    assert max(lashes.values["albedo"]) < 0.05
    fair = lashes_material(np.log(np.array([0.6, 0.45, 0.25], np.float32)), 128, 0)
    assert max(fair.values["albedo"]) > max(lashes.values["albedo"])


def test_eyes_that_show_nothing_are_brown(head: HeadModel) -> None:
    assert iris_colour((take_photo(head, side=64, light=even_light()),)) == pytest.approx(BROWN)


def test_a_folded_lid_tells_nothing_of_its_skin(anny_head: HeadModel) -> None:
    head = anny_head
    vertices = head.template.numpy()
    whole = Reconstruction("made", head, None, vertices, head.joints.numpy(), ())
    skin = head.triangles[material_triangles(head, "Skin")]
    blink = head.expression[[head.expression_names.index(f"eyeBlink{s}") for s in ("Left", "Right")]].sum(0).numpy()
    open_, shut = gathered(whole, vertices, skin), gathered(whole, vertices + blink, skin)
    lids = head.groups["eyelids"].numpy() > 0.5
    assert open_[lids].max() > 0.5
    eyes = head.joints[[head.joint_names.index(f"eye.{side}") for side in "LR"]].numpy()
    away = np.linalg.norm(vertices[:, None] - eyes, axis=-1).min(1)
    assert away[open_ > 0.1].max() < 0.03, "nothing but the surroundings of the eyes"
    assert shut.max() < 0.01
