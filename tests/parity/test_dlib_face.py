"""The identity network and its chips against dlib 20.0.1: chips to the last bit, descriptors to a millionth."""

from pathlib import Path

import numpy as np
import pytest
import torch
from dlib_cases import cases

from likeness import faces, photos
from likeness.faces import chip, identity
from likeness.networks.dlib_face import dlib_face
from likeness.networks.graph import one_thread
from likeness.weights import store

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "parity" / "dlib_face"
PHOTOS = ("000002", "000031", "000114", "015316", "vd034")
CLOSE = 2e-6

needs_photos = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the photos that may not be in the repository are not in {SHARED.parents[1].name}"
)


@pytest.fixture(scope="module")
def original() -> dict[str, np.ndarray]:
    with np.load(HERE / "data" / "dlib_face.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def of_chips(chips: np.ndarray) -> np.ndarray:
    with one_thread():
        return dlib_face()(torch.from_numpy(chips).permute(0, 3, 1, 2).float()).numpy()


def test_the_published_network_is_read_whole() -> None:
    dlib_face()  # fetches it where it is not there
    assert sum(v.size for v in store.open_weights("dlib-face").tensors().values() if v.dtype == np.float32) == 5_614_592
    assert store.verify("dlib-face") == []


def test_descriptors_of_made_chips(original: dict[str, np.ndarray]) -> None:
    found = of_chips(original["made/chips"])
    np.testing.assert_allclose(found, original["made/descriptors"], rtol=0, atol=CLOSE)


@pytest.mark.parametrize("case", [name for name, *_ in cases()])
def test_chips_and_descriptors_of_the_astronaut(original: dict[str, np.ndarray], case: str) -> None:
    pixels, five = next((pixels, five) for name, pixels, five in cases() if name == case)
    np.testing.assert_array_equal(chip.cut(pixels, five + 0.5), original[f"{case}/chip"])
    found = identity.describe_at(pixels, five + 0.5)
    np.testing.assert_allclose(found, original[f"{case}/descriptor"], rtol=0, atol=CLOSE)


def test_cases_are_halved_as_often_as_they_say() -> None:
    halvings = {name: chip.place(five.astype(float), *pixels.shape[1::-1]).halvings for name, pixels, five in cases()}
    assert list(halvings.values()) == [0, 1, 2, 0]


@needs_photos
@pytest.mark.parametrize("name", PHOTOS)
def test_chips_and_descriptors_of_photos(name: str) -> None:
    with np.load(SHARED / f"{name}.npz", allow_pickle=False) as golden:
        pixels, five = golden["image"], golden["lm5"] + 0.5
        np.testing.assert_array_equal(chip.cut(pixels, five), golden["chip5"])
        np.testing.assert_allclose(identity.describe_at(pixels, five), golden["desc5"], rtol=0, atol=CLOSE)
        both = of_chips(np.stack([golden["chip5"], golden["chip68"]]))
        theirs = np.stack([golden["desc_from_chip5"], golden["desc_from_chip68"]])
        np.testing.assert_allclose(both, theirs, rtol=0, atol=CLOSE)


@needs_photos
def test_descriptors_of_photos_chips() -> None:
    with np.load(SHARED / "photos.npz", allow_pickle=False) as golden:
        found = of_chips(golden["chips"])
        np.testing.assert_allclose(found, golden["descriptors"], rtol=0, atol=CLOSE)
        apart = np.linalg.norm(found[:, None] - found[None], axis=-1)
        np.testing.assert_allclose(apart, golden["distance"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", ["as it is", "halved", "beyond the picture"])
def test_the_smooth_chip_is_the_same_but_for_rounding(original: dict[str, np.ndarray], case: str) -> None:
    pixels, five = next((pixels, five) for name, pixels, five in cases() if name == case)
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float()
    off = chip.cut_smoothly(image, five + 0.5).permute(1, 2, 0).numpy() - original[f"{case}/chip"]
    assert off.min() > -0.01  # dlib cuts off what lies behind the point, once for the chip and once for each halving
    assert off.max() < 2.01
    one = identity.describe_pictures(image[None] / 255, [five + 0.5])[0]
    assert np.linalg.norm(one.numpy() - original[f"{case}/descriptor"]) < 0.03


def test_gradients_reach_the_picture() -> None:
    """A step against the gradient brings the descriptor nearer to another one."""
    _, pixels, five = next(cases())
    image = (torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255).requires_grad_()
    aim = identity.describe_pictures(image.detach().flip(3), [(five * [-1, 1] + [512, 0])[[2, 3, 0, 1, 4]] + 0.5])

    def loss(picture: torch.Tensor) -> torch.Tensor:
        return (identity.describe_pictures(picture, [five + 0.5]) - aim).square().sum()

    loss_before = loss(image)
    (gradient,) = torch.autograd.grad(loss_before, image)
    before = float(loss_before.detach())
    seen = gradient.abs().sum(1)[0] > 0
    assert seen[60:180, 180:270].float().mean() > 0.9  # the face
    assert not seen[300:].any()  # far below the chip
    step = 0.01 * before / float(gradient.square().sum())
    after = float(loss(image.detach() - step * gradient))
    assert before - after == pytest.approx(0.01 * before, rel=0.1)


def test_a_face_is_nearer_to_its_mirror_than_to_noise() -> None:
    photo = photos.load(HERE.parent / "data" / "astronaut.png")
    mirror = photos.Photo(Path("mirror.png"), np.ascontiguousarray(photo.pixels[:, ::-1]))
    one, other = (identity.describe(faces.find(p)) for p in (photo, mirror))
    noise = np.random.default_rng(1).integers(0, 255, (150, 150, 3), dtype=np.uint8)
    assert 0 < np.linalg.norm(one - other) < 0.35
    assert np.linalg.norm(one - of_chips(noise[None])[0]) > 0.5
