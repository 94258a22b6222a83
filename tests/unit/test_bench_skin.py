"""The skin bench's figures on made-up skins whose errors are known, and its people."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import skin
import skin_lights
import skin_measure
import skin_metrics as metrics
import skin_people
import skin_report
import skin_seam
import skin_truth
from likeness.avatar import Map, Material
from likeness.camera import Camera
from truth.canvas import Canvas
from truth.skin import draw_look

SIDE = 48


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def skin_like(seed: int = 5) -> np.ndarray:
    noise = rng(seed).normal(0, 0.1, (SIDE, SIDE, 1))
    return (np.array([0.45, 0.28, 0.2]) * np.exp(noise)).astype(np.float32)


def weight() -> np.ndarray:
    return np.ones((SIDE, SIDE), np.float32)


def test_colour_difference_is_cie_2000s() -> None:
    # Sharma, Wu and Dalal 2005 give pairs in CIELAB; greys of L 50 and 51 differ by 1 over S_L(50.5).
    def grey(lightness: float) -> np.ndarray:
        return np.full((1, 3), ((lightness + 16) / 116) ** 3, np.float32)

    middle = (50.5 - 50) ** 2
    expected = 1 / (1 + 0.015 * middle / np.sqrt(20 + middle))
    assert metrics.delta_e(grey(50), grey(51))[0] == pytest.approx(expected, abs=2e-3)
    assert metrics.delta_e(skin_like(), skin_like()).max() == 0


def test_best_scale_undoes_an_exposure() -> None:
    truth = skin_like()
    factor = metrics.best_scale(truth * np.float32(0.6), truth, weight())
    assert factor == pytest.approx(1 / 0.6, rel=0.01)
    assert metrics.best_scale(truth, truth, 0 * weight()) == 1


def test_means_and_percentiles_follow_the_weights() -> None:
    values = np.arange(100, dtype=np.float32)
    even = metrics.spread(values, np.ones(100))
    assert (even.mean, even.p95) == (pytest.approx(49.5), pytest.approx(94, abs=1))
    low = metrics.spread(values, (values < 10).astype(float))
    assert (low.mean, low.p95) == (pytest.approx(4.5), pytest.approx(9))
    assert np.isnan(metrics.spread(values, 0 * values).mean)


def test_scale_invariant_error_forgives_each_channels_factor_and_nothing_else() -> None:
    truth = skin_like()
    assert metrics.scale_invariant_mse(truth * np.float32([0.5, 0.7, 1.4]), truth, weight()) < 1e-10
    assert metrics.scale_invariant_mse(0 * truth, truth, weight()) == pytest.approx(1)
    bent = truth.copy()
    bent[: SIDE // 2] *= 2
    assert metrics.scale_invariant_mse(bent, truth, weight()) > 0.05


def test_correlation_sees_likeness_up_to_a_line() -> None:
    truth = skin_like()[..., 0]
    assert metrics.correlation(3 * truth + 1, truth, weight()) == pytest.approx(1)
    assert metrics.correlation(-truth, truth, weight()) == pytest.approx(-1)
    assert metrics.correlation(np.ones_like(truth), truth, weight()) == 0
    half = weight()
    half[: SIDE // 2] = 0
    wrong_elsewhere = truth.copy()
    wrong_elsewhere[: SIDE // 2] = 9
    assert metrics.correlation(wrong_elsewhere, truth, half) == pytest.approx(1)


def test_normals_of_a_slope_point_away_from_it() -> None:
    pitch = np.full((SIDE, SIDE), 0.001, np.float32)
    across = np.tile(np.arange(SIDE) * 0.001 * np.tan(np.radians(20)), (SIDE, 1)).astype(np.float32)
    flat = np.broadcast_to(np.float32([0, 0, 1]), (SIDE, SIDE, 3))
    right, up = metrics.tangent_normals(across, pitch), metrics.tangent_normals(across.T[::-1], pitch)
    assert metrics.normal_angle(right, flat) == pytest.approx(20, abs=0.01)
    assert right[..., 0].max() < 0  # rises to the right, so it looks to the left
    assert up[..., 1].max() < 0  # rises upwards, so it looks down


def test_origins_are_read_from_either_map() -> None:
    exact = metrics.origin_of(np.array([0, 127, 255], np.uint8), confidence=False)
    guessed = metrics.origin_of(np.array([10, 127, 250], np.uint8), confidence=True)
    for found in (exact, guessed):
        assert [list(found[n]) for n in ("filled", "mirrored", "seen")] == np.eye(3, dtype=bool).tolist()


def material(albedo: np.ndarray, origin: np.ndarray) -> Material:
    grey = np.full((SIDE, SIDE), 128, np.uint8)
    flat = np.dstack([grey, grey, np.full_like(grey, 255)])
    words = np.full((SIDE, SIDE), 49152, np.uint16)
    return Material(
        {
            "albedo": Map(np.rint(255 * metrics.encoded(albedo)).astype(np.uint8), "srgb"),
            "specular": Map(grey, "linear"),
            "normal": Map(flat, "linear"),
            "displacement": Map(words, "linear", scale=0.0008, offset=-0.0004),
            "origin": Map(origin, "linear"),
        }
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skin_measure, "SIDE", SIDE)


def test_figures_tell_seen_from_filled_and_light_from_skin(small: None) -> None:
    origin = np.zeros((SIDE, SIDE), np.uint8)
    origin[: SIDE // 2] = 255
    true = skin_like()
    made = true.copy()
    made[SIDE // 2 :] *= 0.5
    ours = skin_measure.Maps.of(material(made, origin))
    assert ours.height.mean() == pytest.approx(0.0002, rel=0.01)
    truth = SimpleNamespace(
        albedo=true, specular=true[..., 0], weight=weight(), height=np.full((SIDE, SIDE), 0.0003, np.float32),
        normal=np.broadcast_to(np.float32([0, 0, 1]), (SIDE, SIDE, 3)),
        seams=np.zeros((0, 2, 2, 2), np.float32),
    )  # fmt: skip
    light = np.linspace(0.4, 1.6, SIDE, dtype=np.float32)[None, :, None]
    really = origin > 0
    row = skin_measure.compare(ours, true * light, truth, really)
    assert row["delta_e_seen"] < 0.6  # eight bits
    assert row["delta_e_filled"] > 10
    assert np.isnan(row["delta_e_mirrored"])
    assert row["unwrap_delta_e_seen"] > 5
    assert row["share_seen"] == pytest.approx(0.5)
    assert row["share_seen_wrongly"] == 0
    assert row["normal_deg"] == pytest.approx(row["normal_flat_deg"], abs=0.5)
    assert row["relief_mm"] == pytest.approx(0.1, rel=0.02)
    assert row["relief_flat_mm"] == pytest.approx(0.3, rel=0.02)
    assert skin_measure.compare(ours, true * light, truth, ~really)["share_seen_wrongly"] == 1


def row(tone: int, light: str, apart: float, raw: float = 10.0) -> skin_report.Row:
    names = ("delta_e_seen", "delta_e_seen_scaled", "delta_e_all")
    figures = dict.fromkeys(names, apart) | dict.fromkeys((f"unwrap_{n}" for n in names), raw)
    return skin_report.Row(tone, light, 0.0, figures)


def test_the_worst_tones_stand_beside_the_mean() -> None:
    rows = [row(1, "sun", 2.0), row(2, "side", 4.0), row(9, "sun", 6.0), row(10, "side", float("nan"))]
    made = skin_report.report(rows, {})
    assert made["delta_e_seen"] == pytest.approx(4)
    assert made["by_tone"] == {"1-2": pytest.approx(3), "9-10": pytest.approx(6)}
    assert (made["worst_tone"], made["worst_tone_ratio"]) == ("9-10", pytest.approx(1.5))
    assert made["gain_over_unwrap"] == pytest.approx(0.6)
    assert made["by_light"] == {"side": pytest.approx(4), "sun": pytest.approx(4)}


def test_one_person_in_two_lights_agrees_up_to_exposure() -> None:
    skins = [skin_like(), skin_like() * np.float32(0.7)]
    known = [np.ones((SIDE, SIDE), bool)] * 2
    plain, scaled = skin_report.agreement(skins, weight(), known)
    assert plain > 5
    assert scaled < 0.3


def test_the_worst_real_photo_is_told_and_failures_are_no_figures() -> None:
    assert skin.worst_lit({"a": {"descriptor_same": 0.2}, "b": {"descriptor_same": 0.4}, "c": {"error": 1.0}}) == 0.4
    assert skin.worst_lit({}) is None


def test_parts_not_measured_again_keep_their_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skin, "OUT", tmp_path)
    part = dict.fromkeys(skin.TOP, 1.0)
    skin.keep({"known_shape": part})
    assert skin.kept()["of"] == "known_shape"
    skin.keep({"photo": part | {"delta_e_seen": 7.0, "si_mse": float("nan")}})
    skin.keep({"known_shape": part})
    kept = skin.kept()
    assert (kept["of"], kept["delta_e_seen"], kept["si_mse"]) == ("photo", 7.0, None)


def test_everybody_stands_in_two_lights_and_every_group_of_tones_in_four() -> None:
    plans = {tone: skin_truth.plan(tone)[: skin_truth.PLAIN] for tone in range(1, 11)}
    for tones in skin_report.GROUPS.values():
        assert len({shot.light for tone in tones for shot in plans[tone]}) == 4
    for tone in skin_truth.CONSISTENT:
        front = [shot.light for shot in skin_truth.plan(tone) if shot.yaw == 0]
        assert sorted(front) == sorted(skin_lights.LIGHTS)


def test_lights_are_finite_and_hard_ones_small() -> None:
    for name in skin_lights.LIGHTS:
        light = skin_lights.draw_light(name, rng())
        assert light.shape == (128, 256, 3)
        assert np.isfinite(light).all()
        assert light.min() >= 0
        bright = light.mean(-1) > 0.5 * light.mean(-1).max()
        assert (bright.mean() < 0.004) == (name in skin_lights.HARD)


def test_tones_darken_step_by_step_and_skin_comes_out_in_its_tone(anny_head) -> None:
    colours = np.stack([skin_people.tone_colour(tone) for tone in range(1, 11)])
    assert (np.diff(colours, axis=0) < 0).all()
    assert (colours > 0).all()
    person = skin_people.figure(anny_head, 6, 0)
    again = skin_people.figure(anny_head, 6, 0)
    assert np.array_equal(person.neutral, again.neutral)
    assert np.abs(person.neutral - skin_people.figure(anny_head, 6, 1).neutral).max() > 0.002
    canvas = Canvas.of(skin_people.body_of(anny_head), 160)
    painted = skin_people.dress(canvas, 0.0025, person, rng())
    cheeks = np.maximum(canvas.near([4.5, -1, 7.5], 1.5), canvas.near([-4.5, -1, 7.5], 1.5)) > 0.8
    found = np.median(metrics.decoded(painted.albedo)[cheeks & (painted.bare > 0.9)], axis=0)
    assert float(metrics.delta_e(found[None], colours[5][None].astype(np.float32))[0]) < 6
    assert painted.relief.min() < -0.0001
    assert np.abs(painted.relief).max() < 0.0006


def test_clear_skin_is_what_the_painter_darkens_to_the_tone() -> None:
    look = draw_look(rng())
    from truth.skin import BLOOD, MELANIN

    pigment = np.exp(-look.melanin * MELANIN - skin_people.USUAL * look.blood * BLOOD)
    assert skin_people.clear_skin(3, look) * pigment == pytest.approx(skin_people.tone_colour(3))


def test_a_photo_laid_out_shows_what_faces_it_and_the_mean_elsewhere(anny_head) -> None:
    turn = np.diag([1.0, -1, -1])
    camera = Camera(200, 200, 400, 400, 100, 100, turn, np.array([0, 0.08, 1.0]))
    photo = np.full((200, 200, 3), 120, np.uint8)
    photo[:, 100:] = 180  # the person's left
    stand = skin_measure.Stand(None, camera, anny_head.template.numpy())
    raw = skin_measure.raw_unwrap(photo, stand, anny_head)
    side = skin_measure.SIDE
    left, right = raw[side // 2, round(0.62 * side)], raw[side // 2, round(0.38 * side)]
    assert left == pytest.approx(metrics.decoded(np.uint8([180] * 3)))
    assert right == pytest.approx(metrics.decoded(np.uint8([120] * 3)))
    back = raw[3, 3]
    assert right.mean() < back.mean() < left.mean()


def test_steps_across_the_cut_are_told_and_grain_is_none(anny_head) -> None:
    cut = skin_seam.seams(anny_head)
    assert len(cut) > 20  # up the back of the head
    assert cut[:, 0, :, 0] == pytest.approx(1 - cut[:, 1, :, 0], abs=1e-5)  # the layout is symmetric
    even = np.full((256, 256, 3), 0.3, np.float32)
    assert skin_seam.seam_step(even, cut) < 1e-6
    odd = even.copy()
    odd[:, 128:] *= 1.02
    assert skin_seam.seam_step(odd, cut) == pytest.approx(0.0198, abs=2e-4)
    grain = even * np.exp(rng().normal(0, 0.2, (256, 256, 1))).astype(np.float32)
    assert skin_seam.seam_step(grain, cut) < 0.02
