"""The focal length from EXIF, by hand-made tags of cameras and phones."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness import photos

F35, FOCAL, X_RESOLUTION, UNIT, WIDE, HIGH = 41989, 37386, 41486, 41488, 40962, 40963
DIAGONAL = math.hypot(36, 24)


def shot(folder: Path, size: tuple[int, int], tags: dict[int, object], orientation: int = 1) -> photos.Photo:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update(tags)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(folder / "a.jpg", exif=exif)
    return photos.load(folder / "a.jpg")


def test_full_frame(tmp_path: Path) -> None:
    assert shot(tmp_path, (600, 400), {F35: 50}).focal_px == pytest.approx(50 / 36 * 600, rel=1e-3)


def test_four_thirds_goes_by_the_diagonal(tmp_path: Path) -> None:
    expected = 26 / DIAGONAL * math.hypot(400, 300)
    assert shot(tmp_path, (400, 300), {F35: 26, FOCAL: 4.2}).focal_px == pytest.approx(expected, rel=1e-3)
    assert shot(tmp_path, (300, 400), {F35: 26}).focal_px == pytest.approx(expected, rel=1e-3)
    assert shot(tmp_path, (400, 300), {F35: 26}, orientation=6).focal_px == pytest.approx(expected, rel=1e-3)


def test_wide_and_square_pictures_are_cut_from_the_sensor(tmp_path: Path) -> None:
    phone = 26 / DIAGONAL * math.hypot(400, 300)
    assert shot(tmp_path, (400, 225), {F35: 26}).focal_px == pytest.approx(phone, rel=0.025)
    assert shot(tmp_path, (300, 300), {F35: 26}).focal_px == pytest.approx(phone, rel=0.045)


def test_scaled_down_since(tmp_path: Path) -> None:
    tags = {F35: 35, WIDE: 6000, HIGH: 4000}
    assert shot(tmp_path, (600, 400), tags).focal_px == pytest.approx(35 / 36 * 600, rel=1e-3)


def test_focal_plane_resolution(tmp_path: Path) -> None:
    # An APS-C sensor 22.3 mm wide, 5184 pixels, resolution per inch.
    tags = {FOCAL: 50, X_RESOLUTION: 5184 / (22.3 / 25.4), UNIT: 2, WIDE: 5184, HIGH: 3456}
    assert shot(tmp_path, (600, 400), tags).focal_px == pytest.approx(50 / 22.3 * 600, rel=1e-3)
    tags |= {X_RESOLUTION: 5184 / 2.23, UNIT: 3}
    assert shot(tmp_path, (600, 400), tags).focal_px == pytest.approx(50 / 22.3 * 600, rel=1e-3)


CROPPED = "it seems to be cropped, so the focal length is estimated from the face"


@pytest.mark.parametrize(
    ("size", "tags", "notes"),
    [
        ((600, 400), {}, ()),
        ((600, 400), {F35: 0, FOCAL: 0}, ()),
        ((600, 400), {F35: 5}, ()),
        ((600, 400), {F35: 60000}, ()),
        ((600, 400), {FOCAL: 50}, ()),
        ((600, 400), {FOCAL: 50, X_RESOLUTION: 72, UNIT: 2}, ()),
        ((600, 520), {F35: 50}, (CROPPED,)),
        ((400, 300), {F35: 50, WIDE: 6000, HIGH: 4000}, (CROPPED,)),
    ],
)
def test_what_cannot_be_trusted_is_not_used(
    tmp_path: Path, size: tuple[int, int], tags: dict[int, object], notes: tuple[str, ...]
) -> None:
    photo = shot(tmp_path, size, tags)
    assert photo.focal_px is None
    assert photo.notes == notes


def test_damaged_exif_costs_nothing_else(tmp_path: Path) -> None:
    Image.fromarray(np.full((80, 96, 3), 90, np.uint8)).save(
        tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xfe" * 60
    )
    photo = photos.load(tmp_path / "a.jpg")
    assert photo.focal_px is None
    assert photo.pixels.shape == (80, 96, 3)
