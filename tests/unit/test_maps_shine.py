"""How skin mirrors, told from highlights whose lobe is known, and hidden in hollows."""

import numpy as np
import pytest
from made_head import egg

from likeness.maps.gloss import ROUGHNESS, SPECULAR, cavity, gloss_fields
from likeness.maps.places import HeadFrame
from likeness.maps.shine import GAIN, Glints, lobe, shine_of

ALBEDO = 0.35


def glints(gain: float, roughness: float, noise: float = 0.01, seed: int = 0) -> Glints:
    """A ball under a lamp aside, its highlight over diffuse light that faces the lamp."""
    random = np.random.default_rng(seed)
    across, up = random.uniform(-0.9, 0.9, (2, 4000))
    kept = across**2 + up**2 < 0.9
    normal = np.stack([across, up, np.sqrt(np.maximum(1 - across**2 - up**2, 0.05))], 1)[kept]
    to = np.array([0.5, 0.3, 0.81])
    half = to + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    cosines = (np.zeros(len(normal)), normal @ half, normal[:, 2], np.full(len(normal), half[2]), np.ones(len(normal)))
    made = Glints(*(c.astype(np.float32) for c in cosines))
    mirrored = gain * lobe(made, roughness) * np.pi / ALBEDO + random.normal(0, noise, len(normal))
    return Glints(mirrored.astype(np.float32), made.half, made.seeing, made.fresnel, made.weight)


@pytest.mark.parametrize(("gain", "roughness"), [(1.0, 0.46), (1.3, 0.36), (0.8, 0.5)])
def test_strength_and_roughness_come_back(gain: float, roughness: float) -> None:
    found = shine_of(glints(gain, roughness), ALBEDO)
    assert found is not None
    assert found.gain == pytest.approx(gain, rel=0.08)
    assert found.roughness == pytest.approx(roughness, abs=0.025)


def test_no_highlight_tells_nothing_and_a_mirror_no_more_than_skin_can() -> None:
    rough = glints(0.0, 0.46, noise=0.1)
    assert shine_of(rough, ALBEDO) is None, "noise"
    assert shine_of(glints(0.1, 0.46), ALBEDO) is None, "powder"
    hidden = glints(1.0, 0.46)
    unknown = Glints(hidden.mirrored, hidden.half, hidden.seeing, hidden.fresnel, 0 * hidden.weight)
    assert shine_of(unknown, ALBEDO) is None
    wet = shine_of(glints(5.0, 0.4), ALBEDO)
    assert wet is not None
    assert wet.gain == GAIN[1]


def test_a_persons_shine_scales_the_regions() -> None:
    head = egg()
    points = head.template.numpy()
    frame = HeadFrame.of(points, head.joints[4].numpy(), head.joints[5].numpy())
    lips = np.zeros(len(points), np.float32)
    usual, glossy = gloss_fields(frame, lips), gloss_fields(frame, lips, 1.3, 0.36)
    assert glossy[:, 1] / usual[:, 1] == pytest.approx(1.3, rel=1e-5)
    assert glossy[:, 0] / usual[:, 0] == pytest.approx(0.85, rel=1e-5), "within bounds"
    assert usual[:, 0].max() == pytest.approx(ROUGHNESS["skin"])
    assert usual[:, 1].max() <= SPECULAR["oily"]


def test_hollows_mirror_less_and_ridges_as_much() -> None:
    height = np.zeros((80, 80), np.float32)
    height[:, 38:42] = -0.0001
    height[38:42, :20] = 0.0001
    kept = cavity(height, 0.0002)
    assert kept[60, 40] < 0.75
    assert kept.min() >= 0.5
    assert kept[40, 10] == 1
    assert kept[60, 10] == pytest.approx(1, abs=1e-3)
