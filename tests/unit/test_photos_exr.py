"""EXR files of the common kinds become sRGB photos; others and damaged ones end in one clear sentence."""

import os
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from likeness import photos
from likeness.errors import PhotoError
from likeness.photos.header import measure

WIDTH, HEIGHT = 80, 72
HALF, FLOAT = 1, 2


def light() -> np.ndarray:
    """A smooth picture (H, W, 3) of linear light below white."""
    x, y = np.meshgrid(np.linspace(0, 0.9, WIDTH), np.linspace(0, 0.8, HEIGHT))
    return np.stack([x, y, 0.5 - 0.3 * x], -1).astype(np.float32)


def shown(linear: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def packed(data: bytes, compression: int) -> bytes:
    """A block as the format's description says: bytes parted, differences, then RLE or zlib."""
    if not compression:
        return data
    raw = np.frombuffer(data, np.uint8)
    parted = np.concatenate([raw[0::2], raw[1::2]]).astype(int)
    steps = ((parted - np.concatenate([[128], parted[:-1]]) + 128) % 256).astype(np.uint8)
    steps[0] = parted[0]
    if compression > 1:
        return zlib.compress(steps.tobytes())
    out, at = bytearray(), 0
    while at < len(steps):
        run = 1
        while at + run < len(steps) and run < 100 and steps[at + run] == steps[at]:
            run += 1
        out += bytes([run - 1, steps[at]]) if run > 2 else bytes([256 - run]) + steps[at : at + run].tobytes()
        at += run
    return bytes(out)


def exr(
    path: Path,
    picture: np.ndarray,
    compression: int = 3,
    kind: int = HALF,
    names: tuple[str, ...] = ("R", "G", "B"),
    top: int = 0,
    flags: int = 0,
) -> None:
    """Write an EXR file of (H, W, C) channels."""
    height, width = picture.shape[:2]
    order = sorted(range(len(names)), key=lambda k: names[k])
    channels = b"".join(names[k].encode() + b"\0" + struct.pack("<iB3xii", kind, 0, 1, 1) for k in order) + b"\0"
    window = struct.pack("<4i", 0, top, width - 1, top + height - 1)
    attributes = {
        b"channels": (b"chlist", channels),
        b"compression": (b"compression", bytes([compression])),
        b"dataWindow": (b"box2i", window),
        b"displayWindow": (b"box2i", window),
        b"lineOrder": (b"lineOrder", b"\0"),
    }
    header = struct.pack("<II", 20000630, 2 | flags)
    for name, (sort, value) in attributes.items():
        header += name + b"\0" + sort + b"\0" + struct.pack("<i", len(value)) + value
    header += b"\0"
    lines = 16 if compression == 3 else 1
    dtype = {0: "<u4", HALF: "<f2", FLOAT: "<f4"}[kind]
    blocks = []
    for row in range(0, height, lines):
        part = picture[row : row + lines]
        data = b"".join(line[:, k].astype(dtype).tobytes() for line in part for k in order)
        small = packed(data, compression)
        blocks.append(struct.pack("<i", row + top) + struct.pack("<i", min(len(small), len(data)))
                      + (small if len(small) < len(data) else data))  # fmt: skip
    start = len(header) + 8 * len(blocks)
    offsets = np.cumsum([start, *(len(b) for b in blocks[:-1])]).astype("<u8")
    path.write_bytes(header + offsets.tobytes() + b"".join(blocks))


@pytest.mark.parametrize("compression", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", [HALF, FLOAT])
def test_every_plain_kind_is_read(tmp_path: Path, compression: int, kind: int) -> None:
    exr(tmp_path / "a.exr", light(), compression, kind, top=-5)
    assert measure(tmp_path / "a.exr") == (WIDTH, HEIGHT)
    photo = photos.load(tmp_path / "a.exr")
    assert np.abs(photo.pixels - shown(light())).max() <= 1
    assert photo.notes == ("its linear light was turned into sRGB",)


def test_what_another_writer_writes(tmp_path: Path) -> None:
    code = (
        "import sys, cv2, numpy as np; "
        "cv2.imwrite(sys.argv[1], np.load(sys.argv[2])[..., ::-1], [cv2.IMWRITE_EXR_TYPE, cv2.IMWRITE_EXR_TYPE_HALF])"
    )
    np.save(tmp_path / "light.npy", light())
    paths = [str(tmp_path / "a.exr"), str(tmp_path / "light.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, env=os.environ | {"OPENCV_IO_ENABLE_OPENEXR": "1"})
    assert np.abs(photos.load(tmp_path / "a.exr").pixels - shown(light())).max() <= 1


def test_the_plainest_layer_is_taken(tmp_path: Path) -> None:
    other = np.concatenate([0 * light(), light()], -1)
    names = ("View.Diffuse.R", "View.Diffuse.G", "View.Diffuse.B", "View.All.R", "View.All.G", "View.All.B")
    exr(tmp_path / "a.exr", other, names=names)
    assert np.abs(photos.load(tmp_path / "a.exr").pixels - shown(light())).max() <= 1


def test_grey_is_read(tmp_path: Path) -> None:
    exr(tmp_path / "a.exr", light()[..., :1], names=("Y",))
    assert np.abs(photos.load(tmp_path / "a.exr").pixels - shown(light()[..., :1])).max() <= 1


def test_more_light_than_white_is_brought_down(tmp_path: Path) -> None:
    exr(tmp_path / "a.exr", 4 * light())
    photo = photos.load(tmp_path / "a.exr")
    assert photo.notes[1].startswith("it was made darker by 1.8")
    assert 250 <= np.quantile(photo.pixels.max(-1), 0.97) <= 255
    # A few sparks do not darken a face.
    sparks = light()
    sparks[:2, :5] = np.inf
    exr(tmp_path / "b.exr", sparks)
    assert len(photos.load(tmp_path / "b.exr").notes) == 1


def test_transparent_parts_are_laid_on_grey(tmp_path: Path) -> None:
    alpha = np.linspace(0, 1, WIDTH)[None, :, None].repeat(HEIGHT, 0)
    exr(tmp_path / "a.exr", np.concatenate([light() * alpha, alpha], -1), names=("R", "G", "B", "A"))
    photo = photos.load(tmp_path / "a.exr")
    assert np.abs(photo.pixels - shown(light() * alpha + 0.2159 * (1 - alpha))).max() <= 1
    assert "its transparent parts are shown on grey" in photo.notes


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"flags": 0x200}, "in tiles"),
        ({"flags": 0x1000}, "several parts"),
        ({"flags": 0x800}, "deep data"),
        ({"compression": 4}, "another compression"),
        ({"names": ("U", "V", "W")}, "without red, green and blue"),
    ],
)
def test_other_kinds_are_refused_with_a_way_out(tmp_path: Path, options: dict[str, object], expected: str) -> None:
    exr(tmp_path / "a.exr", light(), **options)  # type: ignore[arg-type]
    for read in (photos.load, measure):
        with pytest.raises(PhotoError, match=rf"a\.exr is an EXR file .*{expected}.*; save it"):
            read(tmp_path / "a.exr")


def test_a_block_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    exr(tmp_path / "a.exr", light(), 2)
    data = (tmp_path / "a.exr").read_bytes()
    bomb = zlib.compress(bytes(1 << 20), 9)[:400]
    first = int(np.frombuffer(data[data.index(b"lineOrder") :][10 + 10 + 4 + 1 + 1 :][:8], "<u8")[0])
    (tmp_path / "a.exr").write_bytes(data[: first + 4] + struct.pack("<i", len(bomb)) + bomb + data[first + 500 :])
    with pytest.raises(PhotoError, match="damaged"):
        photos.load(tmp_path / "a.exr")


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_never_ends_in_another_error(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    exr(tmp_path / "a.exr", light(), int(random.integers(0, 4)))
    data = bytearray((tmp_path / "a.exr").read_bytes())
    if seed % 4 == 0:
        data = data[: int(random.integers(4, len(data)))]
    else:
        reach = 400 if seed % 2 else len(data)
        for place in random.integers(4, reach, 6):
            data[place] = int(random.integers(0, 256))
    (tmp_path / "a.exr").write_bytes(data)
    with suppress(PhotoError):  # other errors would come through
        assert photos.load(tmp_path / "a.exr").pixels.dtype == np.uint8
