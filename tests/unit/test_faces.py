"""Faces of the astronaut: upright, turned, tiny, many, covered, and none."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_face import drawn_face

from likeness import faces, photos
from likeness.errors import FaceError
from likeness.faces import search
from likeness.faces.drawn import DRAWN, flat_share
from likeness.networks.graph import face_network
from likeness.photos import Photo
from likeness.weights.face_networks import MEMBERS

# Eye corners, mouth corners, chin, irises: read off the enlarged picture by eye.
SEEN = {
    33: (194, 101),
    263: (258, 104),
    61: (203, 140),
    291: (246, 140),
    152: (222, 179),
    468: (203, 101),
    473: (247, 103),
}


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> Photo:
    return photos.load(astronaut)


@pytest.fixture(scope="module")
def face(portrait: Photo) -> faces.Face:
    return faces.find(portrait)


def photo(pixels: np.ndarray) -> Photo:
    return Photo(Path("group.png"), np.ascontiguousarray(pixels, np.uint8))


def shrunk(pixels: np.ndarray, scale: float) -> np.ndarray:
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def pasted(size: tuple[int, int], *parts: tuple[np.ndarray, int, int]) -> np.ndarray:
    """Pictures at (left, top) on a grey one of (width, height)."""
    canvas = np.full((size[1], size[0], 3), 140, np.uint8)
    for pixels, left, top in parts:
        canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return canvas


def error(points: np.ndarray, face: faces.Face) -> float:
    """Mean distance to the landmarks of the upright face, in its own interocular distances."""
    return float(np.linalg.norm(points[:, :2] - face.landmarks[:, :2], axis=1).mean() / face.interocular)


def test_landmarks_lie_where_they_are_seen(face: faces.Face) -> None:
    for number, at in SEEN.items():
        np.testing.assert_allclose(face.landmarks[number, :2], at, atol=2.5, err_msg=str(number))
    assert face.landmarks.shape == (478, 3)
    assert face.landmarks[1, 2] < face.landmarks[[234, 454], 2].min()  # the nose is nearer than the ears
    assert face.score > 0.99
    assert (abs(face.yaw), abs(face.roll)) < (8, 8)
    left, top, right, bottom = face.box
    assert left < 200 < 255 < right
    assert top < 80 < 170 < bottom


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_lying_on_its_side_or_upside_down(portrait: Photo, face: faces.Face, turns: int) -> None:
    turned = faces.find(photo(np.rot90(portrait.pixels, turns)))
    x, y = turned.landmarks[:, 0], turned.landmarks[:, 1]
    back = {1: (512 - y, x), 2: (512 - x, 512 - y), 3: (y, 512 - x)}[turns]
    assert error(np.stack(back, axis=1), face) < 0.02
    assert abs((turned.roll - face.roll + 90 * turns + 180) % 360 - 180) < 3


@pytest.mark.parametrize("degrees", [-40, 25])
def test_a_tilted_photo(portrait: Photo, face: faces.Face, degrees: float) -> None:
    matrix = cv2.getRotationMatrix2D((225.0, 120.0), degrees, 1.0)
    turned = faces.find(photo(cv2.warpAffine(portrait.pixels, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)))
    back = (turned.landmarks[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    assert error(back, face) < 0.03
    assert turned.roll == pytest.approx(face.roll - degrees, abs=4)


def test_mirrored(portrait: Photo, face: faces.Face) -> None:
    mirrored = faces.find(photo(portrait.pixels[:, ::-1]))
    assert mirrored.yaw == pytest.approx(-face.yaw, abs=5)
    assert mirrored.landmarks[468, 0] == pytest.approx(512 - face.landmarks[473, 0], abs=1.5)


def test_a_face_of_sixty_pixels(portrait: Photo, face: faces.Face) -> None:
    scale = 60 / (face.box[3] - face.box[1])
    small = faces.find(photo(shrunk(portrait.pixels, scale)))
    assert error(small.landmarks / scale, face) < 0.03


def test_a_small_face_in_a_big_empty_picture(portrait: Photo, face: faces.Face) -> None:
    scale = 60 / (face.box[3] - face.box[1])
    small = shrunk(portrait.pixels, scale)
    found = faces.find(photo(pasted((2000, 1500), (small, 1217, 731))))
    assert error((found.landmarks[:, :2] - [1217, 731]) / scale, face) < 0.03


def test_a_face_that_is_too_small_is_named_so(portrait: Photo, face: faces.Face) -> None:
    small = shrunk(portrait.pixels, 38 / (face.box[3] - face.box[1]))
    with pytest.raises(FaceError, match=r"only 3\d pixels high; use a picture where it has at least 48"):
        faces.find(photo(pasted((400, 300), (small, 31, 53))))


def test_of_two_faces_the_largest_or_the_one_asked_for(portrait: Photo) -> None:
    head = portrait.pixels[:256, 96:352]
    both = photo(pasted((700, 300), (shrunk(head, 0.6), 40, 80), (head, 400, 20)))
    assert faces.find(both).box[0] > 400
    assert [f.index for f in faces.find_all(both)] == [0, 1]
    assert faces.find(both, 0).box[0] > 400
    second = faces.find(both, 1)
    assert (second.index, second.box[2] < 200) == (1, True)
    for missing in (2, -1):
        with pytest.raises(FaceError, match=r"group.png shows 2 faces, so choose a number from 0 \(the largest\) to 1"):
            faces.find(both, missing)


def test_one_face_has_no_second(portrait: Photo) -> None:
    with pytest.raises(FaceError, match="shows one face"):
        faces.find(portrait, 1)


def noise(_: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (300, 400, 3))


NO_FACE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "grey": lambda a: np.full((300, 400, 3), 128),
    "noise": noise,
    "space suit": lambda a: a[260:],
    "strip": lambda a: a[300:380, :],
}


@pytest.mark.parametrize("name", NO_FACE)
def test_no_face(portrait: Photo, name: str) -> None:
    pixels = NO_FACE[name](portrait.pixels)
    assert faces.find_all(photo(pixels)) == []
    with pytest.raises(FaceError, match=r"No face was found in group.png; use a photo"):
        faces.find(photo(pixels))


def test_a_drawn_face_is_refused() -> None:
    drawing = photo(drawn_face(512))
    (found,) = faces.find_all(drawing)
    assert found.score > 0.5  # the networks take it for a face
    with pytest.raises(FaceError, match=r"group.png seems to be drawn"):
        faces.find(drawing)


PRINTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda a: a,
    "grey": lambda a: a.mean(axis=2, keepdims=True).repeat(3, 2),
    "dark": lambda a: a * 0.2,
    "faint": lambda a: a * 0.4 + 120,
    "overexposed": lambda a: np.clip(a * 1.8, 0, 255),
    "burnt out": lambda a: np.clip(a * 2.5, 0, 255),
    "smoothed": lambda a: cv2.bilateralFilter(a, 15, 60, 15),
    "few colours": lambda a: a // 48 * 48,
}


@pytest.mark.parametrize("name", PRINTS)
def test_bad_prints_of_a_person_are_not_taken_for_drawings(portrait: Photo, face: faces.Face, name: str) -> None:
    pixels = PRINTS[name](portrait.pixels).astype(np.uint8)
    assert flat_share(pixels, face.landmarks) < 0.75 * DRAWN


def test_landmarks_without_a_detector(portrait: Photo, face: faces.Face) -> None:
    points, score = faces.landmarks_of(portrait.pixels, tuple(face.box))
    assert score > 0.99
    assert error(points, face) < 0.01
    _, nothing = faces.landmarks_of(portrait.pixels, (300.0, 300.0, 500.0, 500.0))
    assert nothing < 0.5


def test_a_face_that_only_the_detector_sees(portrait: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a full profile: its landmarks would be guesses."""
    look = search.landmarks_in
    monkeypatch.setattr(search, "landmarks_in", lambda *a: (look(*a)[0], 0.1))
    with pytest.raises(FaceError, match=r"The face in astronaut.png is turned away too far or covered; use a picture"):
        faces.find(portrait)


def test_once_warm_no_network_is_left_to_be_loaded(portrait: Photo) -> None:
    face_network.cache_clear()
    faces.warm()
    loaded = face_network.cache_info().misses
    assert faces.find_all(portrait)
    assert face_network.cache_info().misses == loaded == len(MEMBERS)
