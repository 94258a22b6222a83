"""Landmark error, the clock, and the face descriptor of the accuracy bench."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import descriptor
import real
import timing

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT.parent / "shared" / "parity" / "dlib_face"


def face(**changes: object) -> SimpleNamespace:
    landmarks = np.random.default_rng(2).uniform(100, 400, (478, 3))
    landmarks[33], landmarks[263] = (200, 200, 0), (290, 200, 40)
    return SimpleNamespace(landmarks=landmarks, **changes)


def test_landmark_error_is_a_share_of_the_eyes_distance() -> None:
    where = face()
    eyes = np.hypot(90, 40)
    assert real.landmark_error(where.landmarks[:, :2], where) == 0
    assert real.landmark_error(where.landmarks[:, :2] + [0.03 * eyes, 0], where) == pytest.approx(3)


def test_landmarks_the_head_lacks_do_not_count() -> None:
    where = face()
    points = where.landmarks[:, :2] + [0, 0.01 * np.hypot(90, 40)]
    points[100:200] = np.nan
    assert real.landmark_error(points, where) == pytest.approx(1)


def test_the_machine_is_never_faster_than_its_own_processor() -> None:
    assert timing.busyness(0.1) > 0.8


@pytest.mark.skipif(descriptor.missing() is not None, reason=f"the face descriptor needs {descriptor.missing()}")
@pytest.mark.skipif(not GOLDENS.is_dir(), reason=f"the recorded descriptors {GOLDENS} are missing")
@pytest.mark.parametrize("name", ["000002", "000031", "000114", "015316", "vd034"])
def test_descriptors_match_the_recorded_ones(name: str) -> None:
    with np.load(GOLDENS / f"{name}.npz") as golden:
        found = descriptor.describe(golden["image"], golden["lm5"])
        assert np.abs(found - golden["desc5"]).max() < 1e-4


@pytest.mark.skipif(descriptor.missing() is not None, reason=f"the face descriptor needs {descriptor.missing()}")
def test_a_face_is_nearer_to_its_mirror_than_to_noise() -> None:
    from likeness import faces, photos

    photo = photos.load(ROOT / "tests" / "data" / "astronaut.png").pixels

    def of(pixels: np.ndarray) -> np.ndarray:
        found = faces.find(photos.Photo(Path("x.png"), np.ascontiguousarray(pixels)))
        return descriptor.describe(found.photo.pixels, found.landmarks[list(descriptor.FIVE), :2])

    one, mirrored = of(photo), of(photo[:, ::-1])
    noise = descriptor.describe(
        np.random.default_rng(1).integers(0, 255, (150, 150, 3), dtype=np.uint8),
        np.array([[110, 50], [85, 50], [40, 50], [65, 50], [75, 95]]),
    )
    assert 0 < np.linalg.norm(one - mirrored) < 0.35
    assert np.linalg.norm(one - noise) > 0.5
