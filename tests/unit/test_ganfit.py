"""GANFIT-style fitting: a known head is found again, the background stays, every term has the gradient it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from likeness.errors import MethodError
from likeness.fitting import appearance_terms as terms
from likeness.fitting.appearance import Portrait, Sitter, Stand, draw, first_light, lens
from likeness.fitting.appearance_fit import STATE, Plan, fit_appearance
from likeness.fitting.appearance_sides import even_light, lit_from, other_side
from likeness.fitting.appearance_terms import Looks
from likeness.fitting.lights import HARMONICS, LIGHTS, WHITE
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT
from likeness.maps.latent import FreeSkin, albedo_map, at_vertices
from likeness.progress import Cancelled
from likeness.render.light import sh_basis
from likeness.render.view import vertex_normals

SIDE = 96
PHONG = LIGHTS["phong"]
LIGHT = lit_from(functional.normalize(torch.tensor([0.6, 0.4, 0.7]), dim=0), WHITE, 0.4)


def plain_looks(picture: Tensor, anchors: Tensor) -> Looks:
    """Stands in for a face network where who it is does not matter."""
    small = functional.adaptive_avg_pool2d(picture, 12)
    return Looks(functional.adaptive_avg_pool2d(picture, 6).flatten() - 0.5, (small, small[:, ::2, ::2]))


@pytest.fixture(scope="module")
def head(anny_head: HeadModel) -> HeadModel:
    return anny_head.with_expressions(ARKIT)


def seated(head: HeadModel, identity: Tensor) -> Sitter:
    vertices = head.shape(identity[None])[0]
    return Sitter.of(head, identity.numpy(), vertices.numpy(), torch.full((len(vertices),), 0.9))


def still(head: HeadModel, light: Tensor) -> Stand:
    return Stand(torch.zeros(3), torch.zeros(3), torch.zeros(()), torch.zeros(len(head.expression_names)), light)


def photographed(head: HeadModel, sitter: Sitter, stand: Stand, skin: FreeSkin) -> Portrait:
    """A portrait of a head, with a background that no head has, and its true landmarks."""
    blank, _ = other_side(sitter, SIDE, np.random.default_rng(3))
    picture = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    blank = replace(blank, picture=picture)
    with torch.no_grad():
        vertices = sitter.shaped(sitter.identity, stand.expression)
        drawn = draw(sitter, blank, stand, vertices, skin.paint(), whole=True)
        marks = sitter.marks.on(vertices, sitter.mesh)
        points = lens(sitter, blank, stand, marks)[:, :2]
        anchors = lens(sitter, blank, stand, sitter.anchors.on(vertices, sitter.mesh))[:, :2]
    index = torch.arange(len(marks))
    return replace(
        blank, picture=drawn.picture, landmarks=points, index=index, bias=torch.zeros(len(marks), 3),
        trust=torch.ones(len(marks)), anchors=anchors,
    )  # fmt: skip


@pytest.fixture(scope="module")
def known(head: HeadModel) -> tuple[Sitter, FreeSkin, Portrait]:
    """A person: shape, skin, and a portrait in a light from one side."""
    draw_ = torch.Generator().manual_seed(7)
    sitter = seated(head, 0.7 * torch.randn(len(head.identity), generator=draw_))
    skin = FreeSkin(head)
    with torch.no_grad():
        skin.shades.copy_(torch.randn(len(skin.shades), generator=draw_))
        skin.shades[0] = 1.0  # darker than the mean
    return sitter, skin, photographed(head, sitter, still(head, LIGHT), skin)


def begun(sitter: Sitter) -> Sitter:
    """The same person before anything is known but about where the head is."""
    identity = 0.6 * sitter.identity
    return seated(sitter.head, identity)


def test_a_known_head_is_found_again(head: HeadModel, known: tuple[Sitter, FreeSkin, Portrait]) -> None:
    truth, skin, portrait = known
    start, texture = begun(truth), FreeSkin(head)
    face = head.groups["face"] > 0.5

    def gap(guess: FreeSkin) -> float:
        """Mean difference of log colour over the face."""
        with torch.no_grad():
            one, other = (s.paint()(at_vertices(truth))[face].log() for s in (skin, guess))
        return float((one - other).abs().mean())

    before = gap(texture)
    heard: list[str] = []
    plan = Plan(steps=40, align=5, rates={**Plan().rates, "light": 0.06})
    begin = still(head, even_light(WHITE))
    begin = replace(begin, light=first_light(start, portrait, begin, texture.paint()))
    normals = vertex_normals(truth.vertices, truth.mesh)
    shown = face & ((normals @ portrait.rotation[2]) < -0.3)
    shades = [sh_basis(normals[shown]) @ light.mean(1) for light in (LIGHT, begin.light)]
    assert float(torch.corrcoef(torch.stack(shades))[0, 1]) > 0.75
    found = fit_appearance(
        start, [portrait], [begin], texture, plain_looks, plan, progress=lambda *said: heard.append(said[2])
    )
    assert gap(texture) < 0.5 * before
    assert found.likeness[1] > found.likeness[0]
    assert 1 - found.likeness[1] < 0.3 * (1 - found.likeness[0])
    first, last = found.history[0], found.history[-1]
    assert last["pixels"] < 0.4 * first["pixels"]
    assert any(line.startswith("Fitting, step 40 of 40: pixels 0.0") for line in heard)


def test_a_lamp_is_fitted(head: HeadModel, known: tuple[Sitter, FreeSkin, Portrait]) -> None:
    truth, skin, _ = known
    lamp = torch.tensor([[1.2, 0.8, 1.4], [0.5, 0.5, 0.5], [0.4, 0.4, 0.4]])
    portrait = photographed(head, truth, replace(still(head, lamp), kind=PHONG), skin)
    texture, begin = FreeSkin(head), still(head, even_light(WHITE))
    start = PHONG.of(first_light(truth, portrait, begin, texture.paint()))
    begin = replace(begin, light=start, kind=PHONG)
    plan = Plan(steps=25, align=0, rates={**Plan().rates, "light": 0.06})
    found = fit_appearance(truth, [portrait], [begin], texture, plain_looks, plan)
    (stand,) = found.stands
    assert stand.kind is PHONG
    assert stand.light.shape == (3, 3)
    assert not torch.equal(stand.light, start)
    assert float(stand.light[1:].min()) >= 0
    assert float(functional.cosine_similarity(stand.light[0], lamp[0], dim=0)) > 0.8
    assert found.history[-1]["pixels"] < 0.6 * found.history[0]["pixels"]


def test_a_realigned_face_is_seen_where_it_was_drawn(head: HeadModel, known: tuple[Sitter, FreeSkin, Portrait]) -> None:
    truth, _, portrait = known
    moved = replace(still(head, LIGHT), shift=torch.tensor([0.01, 0.0, 0.0]))
    seen: list[Tensor] = []

    def looks(picture: Tensor, anchors: Tensor) -> Looks:
        seen.append(anchors.detach())
        return plain_looks(picture, anchors)

    plan = Plan(steps=1, align=0)
    for realigned in (False, True):
        fit_appearance(truth, [portrait], [moved], FreeSkin(head), looks, plan, realigned=realigned)
    # In both: the photo's, before the fit, in the step, from another side, after it.
    photo, *drawn = seen[0], seen[1], seen[2], seen[4]
    assert all(torch.equal(anchors, photo) for anchors in drawn)
    away = seen[6] - photo
    assert float(away[:, 0].min()) > 1
    torch.testing.assert_close(away[:, 0], away[:1, 0].expand(8), atol=0.2, rtol=0)
    assert torch.equal(seen[5], photo)


def test_the_background_is_untouched(head: HeadModel, known: tuple[Sitter, FreeSkin, Portrait]) -> None:
    sitter, skin, portrait = known
    grey = replace(portrait, picture=torch.rand(3, SIDE, SIDE))
    with torch.no_grad():
        drawn = draw(sitter, grey, still(head, even_light(0.5)), sitter.vertices, skin.paint())
    touched = sitter.triangles[(sitter.face[sitter.triangles] > 0).any(1)]
    points = drawn.points[touched.flatten()]
    low, high = points[:, :2].amin(0).floor().int(), points[:, :2].amax(0).ceil().int() + 1
    outside = torch.ones(SIDE, SIDE, dtype=torch.bool)
    outside[low[1] : high[1], low[0] : high[0]] = False
    assert outside.sum() > 500
    assert torch.equal(drawn.picture[:, outside], grey.picture[:, outside])
    assert (drawn.skin > 0.9).sum() > 1000
    assert (drawn.picture != grey.picture).any(0)[drawn.skin > 0.9].all()


def doubles(*shape: int, seed: int = 0) -> Tensor:
    values = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


PLACES, FACING, FAR = 0.1 * doubles(6, 3, seed=3).detach(), doubles(6, 3, seed=4).detach(), doubles(6, seed=5).detach()
FACING = functional.normalize(FACING, dim=1)
TERMS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "landmarks": (terms.landmarks, (doubles(5, 2), doubles(5, 2, seed=1).detach(), doubles(5, seed=2).detach())),
    "pixels": (terms.pixels, (doubles(3, 4, 4), doubles(3, 4, 4, seed=1).detach(), doubles(4, 4, seed=2).detach())),
    "identity": (
        lambda a, b: terms.identity(Looks(a, ()), Looks(b, ())),
        (doubles(8), doubles(8, seed=1).detach()),
    ),
    "content": (
        lambda a, b: terms.content(Looks(a, (a, a[:1])), Looks(b, (b, b[:1]))),
        (doubles(2, 3, 3), doubles(2, 3, 3, seed=1).detach()),
    ),
    "unlikely light": (HARMONICS.unlikely, (doubles(9, 3),)),
    "shading": (
        lambda light: HARMONICS.shading(PLACES, FACING, torch.ones(6).double(), light + 1), (doubles(9, 3),),
    ),
    "unlikely lamp": (PHONG.unlikely, (doubles(3, 3),)),
    "lamp's shading": (
        lambda light, normals: PHONG.shading(PLACES, functional.normalize(normals, dim=1), FAR, light + 0.1),
        (doubles(3, 3), doubles(6, 3, seed=4)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TERMS)
def test_a_terms_gradient(name: str) -> None:
    term, inputs = TERMS[name]
    assert torch.autograd.gradcheck(term, inputs)


def test_grey_light_costs_nothing_and_coloured_light_does() -> None:
    grey = lit_from(torch.tensor([0.0, 0.0, 1.0]), WHITE, 0.5)
    assert float(HARMONICS.coloured(grey)) < 1e-12
    red = grey * torch.tensor([1.2, 1.0, 0.9])
    assert float(HARMONICS.coloured(red)) > 1e-4
    assert float(HARMONICS.coloured(3 * red)) == pytest.approx(float(HARMONICS.coloured(red)), rel=1e-4)
    assert float(HARMONICS.unlikely(even_light(WHITE))) < 1e-9
    assert float(HARMONICS.unlikely(even_light(2 * WHITE))) > 1


def test_a_lamp_stands_where_harmonics_are_brightest_and_lights_as_they_do() -> None:
    to = functional.normalize(torch.tensor([0.6, 0.4, 0.7]), dim=0)
    lamp = PHONG.of(lit_from(to, WHITE, 0.4))
    assert float(functional.cosine_similarity(lamp[0], to, dim=0)) > 0.999
    normals = functional.normalize(torch.randn(500, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    one = PHONG.shading(torch.zeros(500, 3), normals, torch.ones(500), lamp)
    other = HARMONICS.shading(torch.zeros(500, 3), normals, torch.ones(500), lit_from(to, WHITE, 0.4))
    assert float((one - other).abs().mean()) < 0.04 * WHITE
    assert float(PHONG.coloured(lamp)) < 1e-12
    red = lamp.clone()
    red[1:] *= torch.tensor([1.2, 1.0, 0.9])
    assert float(PHONG.coloured(red)) > 1e-4
    near = lamp.clone()
    near[0] *= 0.1
    assert float(PHONG.unlikely(near)) > 1 + float(PHONG.unlikely(lamp))
    red[1:] -= 5
    PHONG.settle(red)
    assert float(red[1:].min()) == 0
    assert torch.equal(red[0], lamp[0])


def test_a_lamp_near_by_lights_what_faces_it_where_it_is() -> None:
    """By hand: ambient light through occlusion, and the lamp by the cosine of the angle to where it stands."""
    light = torch.tensor([[0.0, 0.0, 1.0], [0.6, 0.3, 0.0], [0.1, 0.2, 0.4]])
    places = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    normals = torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3)
    found = PHONG.shading(places, normals, torch.tensor([1.0, 1.0, 0.5]), light)
    half = 0.5**0.5
    wanted = [[0.7, 0.5, 0.4], [0.1 + 0.6 * half, 0.2 + 0.3 * half, 0.4], [0.05, 0.1, 0.2]]
    torch.testing.assert_close(found, torch.tensor(wanted))


@pytest.mark.parametrize("name", ["light", "lamp", "shades", "maps", "identity", "expression", "turn"])
def test_what_is_drawn_has_the_gradient_of_differences(
    head: HeadModel, known: tuple[Sitter, FreeSkin, Portrait], name: str
) -> None:
    sitter, skin, portrait = known
    torch.manual_seed(0)
    skin = FreeSkin(head)
    inner = torch.zeros(SIDE, SIDE)
    inner[27:35, 44:60] = 1  # the forehead: outlines have no gradient
    values = {
        "light": even_light(WHITE), "lamp": PHONG.of(LIGHT) * torch.tensor([[0.5], [1.0], [1.0]]),
        "shades": skin.shades.detach().clone(), "maps": 0.3 * torch.randn(skin.maps.shape),
        "identity": sitter.identity.clone(), "expression": torch.full((len(head.expression_names),), 0.1),
        "turn": torch.zeros(3),
    }  # fmt: skip

    def cost(changed: Tensor) -> Tensor:
        now = values | {name: changed}
        skin.shades, skin.maps = now["shades"], now["maps"]
        stand = replace(still(head, now["light"]), expression=now["expression"], turn=now["turn"])
        if name == "lamp":
            stand = replace(stand, light=now["lamp"], kind=PHONG)
        drawn = draw(sitter, portrait, stand, sitter.shaped(now["identity"], stand.expression), skin.paint())
        wanted = portrait.picture.roll(1, 2)
        return ((drawn.picture - wanted).square().sum(0) * inner).sum()

    at = values[name].requires_grad_()
    cost(at).backward()
    assert at.grad is not None
    way = at.grad / at.grad.norm()
    step = {"turn": 2e-3, "identity": 0.03, "expression": 0.01}.get(name, 0.02)
    with torch.no_grad():
        slope = (cost(at + step * way) - cost(at - step * way)) / (2 * step)
    assert float(slope) == pytest.approx(float(at.grad.norm()), rel=0.15)


def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(
    head: HeadModel, known: tuple[Sitter, FreeSkin, Portrait], tmp_path: Path
) -> None:
    truth, _, portrait = known
    plan = Plan(steps=6, align=2, keep=2, every=1)

    def fit(folder: Path | None, stop: int = 0, **changes: object) -> tuple[Tensor, FreeSkin, tuple[float, float]]:
        def heard(stage: str, fraction: float, message: str) -> None:
            if stop and message.startswith(f"Fitting, step {stop} "):
                raise Cancelled

        texture = FreeSkin(head)
        begin = [still(head, even_light(WHITE))] * 2
        found = fit_appearance(
            begun(truth), [portrait, portrait], begin, texture, plain_looks, replace(plan, **changes), folder,
            {"photos": ["a"]}, heard,
        )  # fmt: skip
        return found.identity, texture, found.likeness

    identity, texture, likeness = fit(None)
    with pytest.raises(Cancelled):
        fit(tmp_path, stop=4)
    assert (tmp_path / STATE).exists()
    assert (tmp_path / "preview.png").exists()
    again, resumed, known_again = fit(tmp_path)
    assert torch.equal(again, identity)
    assert torch.equal(resumed.maps, texture.maps)
    assert known_again == likeness
    assert sorted(p.name for p in tmp_path.iterdir()) == [STATE, "preview.png"]
    with pytest.raises(MethodError, match="holds another fit"):
        fit(tmp_path, seed=1)
    other, _, _ = fit(None, seed=1)
    assert not torch.equal(other, identity)


def test_it_ends_early_once_nothing_improves(head: HeadModel, known: tuple[Sitter, FreeSkin, Portrait]) -> None:
    truth, _, portrait = known
    plan = Plan(steps=40, align=0, patience=3, least=0.9)  # asks for more than can be
    found = fit_appearance(
        begun(truth), [portrait], [still(head, even_light(WHITE))], FreeSkin(head), plain_looks, plan
    )
    assert len(found.history) == 6 + 16


def test_the_fitted_albedo_laid_out(head: HeadModel) -> None:
    skin = FreeSkin(head)
    with torch.no_grad():
        skin.shades[0] = 1.5
    dark, light = albedo_map(head, skin.paint(), 64), albedo_map(head, FreeSkin(head).paint(), 64)
    assert dark.shape == (64, 64, 3)
    assert dark.dtype == np.uint8
    assert (light.reshape(-1, 3).min(0) > 0).all()
    assert dark.mean() < light.mean() - 20
