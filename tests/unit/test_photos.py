"""Every kind of picture file becomes the same upright sRGB picture, and bad ones end in one clear sentence."""

import io
import os
import struct
import sys
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from likeness import photos
from likeness.errors import PhotoError
from likeness.photos import decode, header

WIDTH, HEIGHT = 96, 80


def scene() -> np.ndarray:
    """A smooth colourful picture whose four corners differ."""
    x, y = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    return np.rint(np.stack([255 * x, 255 * y, 255 * (1 - x) * (1 - y)], -1)).astype(np.uint8)


def near(photo: photos.Photo, expected: np.ndarray, tolerance: float) -> None:
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.jpg", {"quality": 98, "subsampling": 0}, 4),
        ("a.png", {}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("a.tif", {"compression": "tiff_lzw"}, 0),
        ("a.bmp", {}, 0),
        ("a.jp2", {"irreversible": False}, 0),
        ("a.ppm", {}, 0),
        ("no_ending", {"format": "PNG"}, 0),
        ("wrong_ending.jpg", {"format": "PNG"}, 0),
    ],
)
def test_formats(tmp_path: Path, name: str, options: dict[str, object], tolerance: float) -> None:
    Image.fromarray(scene()).save(tmp_path / name, **options)
    photo = photos.load(tmp_path / name)
    near(photo, scene(), tolerance)
    assert (photo.width, photo.height, photo.focal_px, photo.notes) == (WIDTH, HEIGHT, None, ())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, orientation: int) -> None:
    turned: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 3),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(scene()).save(tmp_path / "a.png", exif=exif)
    near(photos.load(tmp_path / "a.png"), turned[orientation](scene()), 0)


def grey_of(a: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(a).convert("L"))


def test_grey_palette_and_one_bit(tmp_path: Path) -> None:
    grey = grey_of(scene())
    Image.fromarray(grey).save(tmp_path / "grey.png")
    near(photos.load(tmp_path / "grey.png"), grey[..., None].repeat(3, 2), 0)
    flat = (scene() // 64) * 64
    Image.fromarray(flat).quantize(256, dither=Image.Dither.NONE).save(tmp_path / "palette.png")
    near(photos.load(tmp_path / "palette.png"), flat, 0)
    Image.fromarray(grey).convert("1").save(tmp_path / "bits.png")
    assert set(np.unique(photos.load(tmp_path / "bits.png").pixels)) == {0, 255}


def test_sixteen_bits(tmp_path: Path) -> None:
    grey = grey_of(scene())
    for name in ("a.png", "a.tif"):
        Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / name)
        photo = photos.load(tmp_path / name)
        near(photo, grey[..., None].repeat(3, 2), 0)
        assert photo.notes == ("converted from more than 8 bits a channel",)
    Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "float.tif")
    near(photos.load(tmp_path / "float.tif"), grey[..., None].repeat(3, 2), 0)


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def test_sixteen_bits_of_colour(tmp_path: Path) -> None:
    rows = (scene().astype(">u2") * 257).astype(">u2").reshape(HEIGHT, -1)
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    png = png_header(WIDTH, HEIGHT, 16) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    near(photos.load(tmp_path / "a.png"), scene(), 1)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_without_a_profile(tmp_path: Path, name: str) -> None:
    inks = Image.fromarray(255 - scene()).convert("CMYK")
    options = {"quality": 98, "subsampling": 0} if name.endswith("jpg") else {}
    inks.save(tmp_path / name, **options)
    near(photos.load(tmp_path / name), 255 - scene(), 6)


def test_transparency_is_laid_on_grey(tmp_path: Path) -> None:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    Image.fromarray(np.dstack([scene(), alpha])).save(tmp_path / "opaque.png")
    opaque = photos.load(tmp_path / "opaque.png")
    near(opaque, scene(), 0)
    assert opaque.notes == ()
    alpha[:, : WIDTH // 2] = 0
    alpha[0, -1] = 128
    Image.fromarray(np.dstack([scene(), alpha])).save(tmp_path / "clear.png")
    clear = photos.load(tmp_path / "clear.png")
    assert (clear.pixels[:, : WIDTH // 2] == 128).all()
    assert (clear.pixels[1:, WIDTH // 2 :] == scene()[1:, WIDTH // 2 :]).all()
    assert abs(int(clear.pixels[0, -1, 0]) - (255 * 128 + 128 * 127) / 255) <= 1
    assert clear.notes == ("its transparent parts are shown on grey",)


def test_a_transparent_palette(tmp_path: Path) -> None:
    image = Image.fromarray((scene() // 128) * 128).quantize(64, dither=Image.Dither.NONE)
    index = image.getpixel((0, 0))
    image.save(tmp_path / "a.png", transparency=index)
    assert tuple(photos.load(tmp_path / "a.png").pixels[0, 0]) == (128, 128, 128)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, name: str) -> None:
    first = Image.fromarray(np.full((HEIGHT, WIDTH, 3), (200, 40, 40), np.uint8))
    others = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), v, np.uint8)) for v in (10, 250)]
    first.save(tmp_path / name, save_all=True, append_images=others, **({"lossless": True} if "webp" in name else {}))
    photo = photos.load(tmp_path / name)
    near(photo, np.asarray(first), 1)
    assert photo.notes == ("only the first of its 3 frames is used",)


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries are exchanged: what is red in it is blue in sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    place = {bytes(data[132 + 12 * i : 136 + 12 * i]): 136 + 12 * i for i in range(count)}
    red, blue = place[b"rXYZ"], place[b"bXYZ"]
    data[red : red + 8], data[blue : blue + 8] = data[blue : blue + 8], data[red : red + 8]
    at, size = struct.unpack(">II", data[place[b"desc"] : place[b"desc"] + 8])
    data[at : at + size] = data[at : at + size].replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be"))
    return bytes(data)


def test_the_colour_profile_is_applied(tmp_path: Path) -> None:
    picture = Image.fromarray(scene())
    picture.save(tmp_path / "swapped.png", icc_profile=swapped_profile())
    near(photos.load(tmp_path / "swapped.png"), scene()[..., ::-1], 2)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "srgb.png", icc_profile=srgb)
    near(photos.load(tmp_path / "srgb.png"), scene(), 0)
    grey = Image.fromarray(grey_of(scene()))
    grey.save(tmp_path / "grey.png", icc_profile=srgb)
    near(photos.load(tmp_path / "grey.png"), grey_of(scene())[..., None].repeat(3, 2), 0)


def test_a_profile_holds_for_transparent_and_palette_pictures(tmp_path: Path) -> None:
    flat = (scene() // 64) * 64
    solid = np.dstack([flat, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    Image.fromarray(solid).save(tmp_path / "alpha.png", icc_profile=swapped_profile())
    near(photos.load(tmp_path / "alpha.png"), flat[..., ::-1], 2)
    image = Image.fromarray(flat).quantize(256, dither=Image.Dither.NONE)
    image.save(tmp_path / "palette.png", icc_profile=swapped_profile())
    near(photos.load(tmp_path / "palette.png"), flat[..., ::-1], 2)


def test_a_damaged_profile_is_told_and_ignored(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.png", icc_profile=b"no profile at all" * 20)
    photo = photos.load(tmp_path / "a.png")
    near(photo, scene(), 0)
    assert photo.notes == ("its colour profile is damaged and was ignored",)


def test_a_big_photo_is_scaled_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "KEPT_PIXELS", WIDTH * HEIGHT)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[41989] = 50
    big = Image.fromarray(scene()).resize((2 * WIDTH, 128))
    big.save(tmp_path / "a.jpg", exif=exif)
    photo = photos.load(tmp_path / "a.jpg")
    assert photo.width * photo.height <= WIDTH * HEIGHT
    assert photo.width / photo.height == pytest.approx(1.5, rel=0.03)
    assert photo.notes == (f"scaled down from 192 x 128 to {photo.width} x {photo.height} pixels",)
    assert photo.focal_px == pytest.approx(50 / 36 * photo.width, rel=1e-3)


def nothing_but_size(width: int, height: int) -> bytes:
    return png_header(width, height) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def write(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def encoded(form: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(out, form)
    return out.getvalue()


def half(form: str) -> bytes:
    whole = encoded(form)
    return whole[: len(whole) // 2]


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
BAD = {
    "text.jpg": (write(b"Dear diary, today I ..."), "is not a picture"),
    "page.png": (write(b"<html><body>404</body></html>"), "is not a picture"),
    "empty.jpg": (write(b""), "is empty"),
    "cut.jpg": (write(half("JPEG")), "damaged or cut short"),
    "cut.png": (write(half("PNG")), "damaged or cut short"),
    "cut.webp": (write(half("WEBP")), "damaged or cut short"),
    "cut.tif": (write(half("TIFF")), "damaged or cut short"),
    "header_only.png": (write(encoded("PNG")[:40]), "damaged or cut short"),
    "one_pixel.png": (lambda p: Image.new("RGB", (1, 1)).save(p), "has only 1 x 1 pixels"),
    "sliver.png": (lambda p: Image.new("RGB", (500, 2)).save(p), "has only 500 x 2 pixels"),
    "hundred.png": (write(nothing_but_size(10_000, 10_000)), "has 100 megapixels"),
    "bomb.png": (write(nothing_but_size(65_000, 65_000)), "too many megapixels"),
    "phone.heic": (write(HEIC), r"pip install pillow-heif"),
    "raw.dng": (write(encoded("TIFF")), "raw file"),
    "folder": (Path.mkdir, "is a folder"),
    "missing.jpg": (lambda p: None, "There is no photo"),
    "drawing.eps": (write(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"), "is not a picture"),
}
if hasattr(os, "mkfifo"):
    BAD["pipe"] = (os.mkfifo, "is not a file")


@pytest.mark.parametrize("name", BAD)
def test_bad_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    make, says = BAD[name]
    make(tmp_path / name)
    with pytest.raises(PhotoError, match=says) as caught, warnings.catch_warnings(record=True) as told:
        photos.load(tmp_path / name)
    assert not told
    sentence = str(caught.value)
    assert name in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert capfd.readouterr() == ("", "")


def test_a_hundred_megapixels_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(decode, "_decoded", decoded)
    (tmp_path / "a.png").write_bytes(nothing_but_size(20_000, 5_000))
    with pytest.raises(PhotoError, match="scale it down"):
        photos.load(tmp_path / "a.png")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.tif").open("wb") as file:
        file.truncate(header.MAX_BYTES + 1)
    with pytest.raises(PhotoError, match="512 MB"):
        photos.load(tmp_path / "a.tif")


def test_no_right_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    if os.access(tmp_path / "a.png", os.R_OK):  # root may read everything

        def refuse(path: Path, *_: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PhotoError, match="not allowed to read"):
        photos.load(tmp_path / "a.png")


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_never_ends_in_another_error(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = ["JPEG", "PNG", "WEBP", "TIFF", "GIF"][seed % 5]
    data = np.frombuffer(encoded(form), np.uint8).copy()
    for _ in range(20):
        data[rng.integers(4, len(data))] = rng.integers(256)
    (tmp_path / "a").write_bytes(data.tobytes())
    with suppress(PhotoError):
        assert photos.load(tmp_path / "a").pixels.shape[2] == 3
