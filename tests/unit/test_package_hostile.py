"""Both readers, the backend's and the add-on's, refuse what is damaged or means harm, in one clear sentence."""

import importlib
import io
import json
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_avatar
import numpy as np
import pytest

from likeness import package
from likeness.errors import PackageError

ROOT = Path(__file__).parents[2]


def backend(path: Path) -> None:
    try:
        package.load(path)
    except PackageError as error:
        raise Refused(str(error)) from error


def add_on(path: Path) -> None:
    sys.path.insert(0, str(ROOT / "blender_addon"))
    try:
        reader = importlib.import_module("link.package")
    finally:
        sys.path.pop(0)
    try:
        with reader.open_package(path):
            pass
    except reader.PackageError as error:
        raise Refused(str(error)) from error


class Refused(Exception):  # noqa: N818
    """Either reader's PackageError."""


READERS = [backend, add_on]
Reader = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = replace(made_avatar.make(), identity=made_avatar.bending().identity)
    return package.save(made, tmp_path_factory.mktemp("whole") / "Egg.likeness")


@pytest.fixture
def egg(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "Egg.likeness"))


def png(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of that size whose pixels are one short stream of zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def set_json(*keys: Any, to: Any) -> Callable[[Path], None]:
    def change(egg: Path) -> None:
        data = json.loads((egg / "avatar.json").read_text())
        place = data
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to
        (egg / "avatar.json").write_text(json.dumps(data))

    return change


def set_array(name: str, make: Callable[[np.ndarray], np.ndarray | None]) -> Callable[[Path], None]:
    def change(egg: Path) -> None:
        arrays = dict(np.load(egg / "geometry.npz"))
        new = make(arrays[name].copy())
        arrays.pop(name) if new is None else arrays.__setitem__(name, new)
        np.savez(egg / "geometry.npz", **arrays)

    return change


def poke(index: Any, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(a: np.ndarray) -> np.ndarray:
        a[index] = value
        return a

    return change


def set_file(name: str, content: bytes | None) -> Callable[[Path], None]:
    def change(egg: Path) -> None:
        (egg / name).unlink() if content is None else (egg / name).write_bytes(content)

    return change


def truncate(name: str) -> Callable[[Path], None]:
    def change(egg: Path) -> None:
        whole = (egg / name).read_bytes()
        (egg / name).write_bytes(whole[: len(whole) // 2])

    return change


def link(name: str) -> Callable[[Path], None]:
    def change(egg: Path) -> None:
        outside = egg.parent / "outside"
        shutil.move(egg / name, outside)
        (egg / name).symlink_to(outside)

    return change


def lying_array(egg: Path) -> None:
    """A header that announces far more numbers than follow."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)})
    with zipfile.ZipFile(egg / "geometry.npz", "w") as archive:
        archive.writestr("vertices.npy", out.getvalue() + bytes(12))


def array_bomb(egg: Path) -> None:
    with zipfile.ZipFile(egg / "geometry.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vertices.npy", bytes(1000))
        archive.infolist()[0].file_size = 3 << 30


MAP = ("materials", "Skin", "maps", "albedo", "file")
CHANGES = {
    "newer": (set_json("schema", to=2), "newer version"),
    "no schema": (set_json("schema", to="1"), "no schema"),
    "other format": (set_json("format", to="something"), "not an avatar package"),
    "a list": (set_file("avatar.json", b"[1, 2]"), "not an avatar package"),
    "no json": (set_file("avatar.json", b"{"), "damaged"),
    "deep json": (set_file("avatar.json", b"[" * 100_000), "damaged"),
    "NaN in json": (set_json("joints", 0, "position", to=[float("nan"), 0, 0]), "damaged"),
    "huge number": (set_file("avatar.json", b'{"format": "likeness avatar", "schema": 1, "name": 1e999}'), "The "),
    "manifest missing": (set_file("avatar.json", None), "lacks"),
    "geometry missing": (set_file("geometry.npz", None), "lacks"),
    "map missing": (set_file("maps/Skin_albedo.png", None), "lacks"),
    "photo missing": (set_file("photos/01_egg_1.jpg", None), "lacks"),
    "geometry cut": (truncate("geometry.npz"), "damaged"),
    "map cut": (truncate("maps/Skin_normal.png"), "damaged"),
    "photo cut": (truncate("photos/01_egg_1.jpg"), "damaged"),
    "map is text": (set_file("maps/Skin_albedo.png", b"hello"), "damaged"),
    "map over 8192": (set_file("maps/Skin_albedo.png", png(8193, 4)), "8193"),
    "map of 2^31": (set_file("maps/Skin_albedo.png", png(2**31 - 1, 2**31 - 1)), "2147483647"),
    "map with alpha": (set_file("maps/Skin_albedo.png", png(4, 4, colour=6)), "another kind"),
    "huge photo": (set_file("photos/01_egg_1.jpg", b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\xff\xd9"), "65535"),
    "traversal": (set_json(*MAP, to="../avatar.json"), "no picture"),
    "traversal 2": (set_json(*MAP, to="maps/../../outside.png"), "no picture"),
    "dots": (set_json(*MAP, to="maps/...png/.."), "no picture"),
    "absolute": (set_json(*MAP, to="/etc/passwd.png"), "no picture"),
    "backslash": (set_json(*MAP, to="maps/..\\..\\x.png"), "leaves"),
    "drive": (set_json(*MAP, to="maps/C:x.png"), "leaves"),
    "link": (link("maps/Skin_albedo.png"), "leaves"),
    "linked geometry": (link("geometry.npz"), "leaves"),
    "file is no text": (set_json(*MAP, to=5), "damaged"),
    "colour space": (set_json("materials", "Skin", "maps", "albedo", "colour", to="cmyk"), "colour"),
    "map scale": (set_json("materials", "Skin", "maps", "albedo", "scale", to="x"), "damaged"),
    "value": (set_json("materials", "Eye", "values", to={"iris": {"a": 1}}), "neither text"),
    "name": (set_json("name", to="a/b"), "no usable name"),
    "joint order": (set_json("joints", 1, "parent", to=3), "after its parent"),
    "joint bool": (set_json("joints", 1, "parent", to=True), "after its parent"),
    "joint twice": (set_json("joints", 1, "name", to="root"), "a name twice"),
    "joint far": (set_json("joints", 1, "position", to=[1e30, 0, 0]), "out of range"),
    "no joints": (set_json("joints", to=[]), "The "),
    "expression twice": (set_json("expressions", 1, to="browDownLeft"), "a name twice"),
    "expressions short": (set_json("expressions", to=["jawOpen"]), "wrong shape"),
    "long name": (set_json("expressions", 0, to="x" * 64), "name"),
    "regions short": (set_json("regions", to=[{"name": "skin", "material": "Skin"}]), "The "),
    "camera kind": (set_json("views", 0, "camera", "kind", to="fisheye"), "kind"),
    "camera size": (set_json("views", 0, "camera", "width", to=91), "another size"),
    "camera rotation": (set_json("views", 0, "camera", "rotation", to=np.zeros((3, 3)).tolist()), "proper rotation"),
    "camera focal": (set_json("views", 0, "camera", "fx", to=-1), "The "),
    "weight unknown": (set_json("views", 0, "expression", to={"x": 0.5}), "unknown"),
    "weight range": (set_json("views", 0, "expression", to={"jawOpen": 50}), "out of range"),
    "pose short": (set_json("views", 0, "pose", to=[[0, 0, 0]]), "damaged"),
    "light short": (set_json("views", 0, "light", to=[[1, 1, 1]]), "damaged"),
    "light endless": (set_json("views", 0, "light", to=[[1e30, 1, 1]] * 9), "out of range"),
    "polygon index": (set_array("polygons", poke((5, 1), 5000)), "The "),
    "polygon negative": (set_array("polygons", poke((5, 1), -1)), "The "),
    "polygon -2": (set_array("polygons", poke((0, 3), -2)), "The "),
    "polygon type": (set_array("polygons", lambda a: a.astype(float)), "The "),
    "polygon shape": (set_array("polygons", lambda a: a[:, :3]), "The "),
    "uv index": (set_array("polygons_uv", poke((5, 1), 5000)), "The "),
    "uv triangle": (set_array("polygons_uv", poke((40, 3), -1)), "triangles differ"),
    "uv NaN": (set_array("uv", poke((0, 0), np.nan)), "finite"),
    "vertex NaN": (set_array("vertices", poke((0, 0), np.inf)), "finite"),
    "vertex far": (set_array("vertices", poke((0, 0), 1e20)), "out of range"),
    "vertices missing": (set_array("vertices", lambda _: None), "damaged"),
    "no vertices": (set_array("vertices", lambda a: a[:0]), "The "),
    "corrective joint": (set_json("corrective_joints", to=["elbow"]), "unknown joints|wrong shape"),
    "corrective rows": (set_json("corrective_joints", to=["neck"]), "corrective has a wrong shape"),
    "limits unknown": (set_json("expression_limits", to={"x": [0, 1]}), "unknown"),
    "limits above": (set_json("expression_limits", to={"jawOpen": [0, 99]}), "out of range"),
    "limits turned": (set_json("expression_limits", to={"jawOpen": [1, 0]}), "out of range"),
    "limits short": (set_json("expression_limits", to={"jawOpen": [1]}), "damaged"),
    "identity name": (set_json("identity", to={"jawOpen": 0, "a": 0, "b": 0}), "expression's name"),
    "identity weight": (set_json("identity", to={"a": 99, "b": 0, "c": 0}), "out of range"),
    "identity short": (set_json("identity", to={"a": 1}), "wrong shape"),
    "identity list": (set_json("identity", to=[1, 2, 3]), "damaged"),
    "identity NaN": (set_array("identity", poke((0, 0, 0), np.nan)), "finite"),
    "identity joints": (set_array("identity_joints", lambda a: a[:, :2]), "wrong shape"),
    "identity missing": (set_array("identity", lambda _: None), "damaged"),
    "region index": (set_array("polygon_region", poke(3, 9)), "polygon_region"),
    "delta index": (set_array("expression_vertex", poke(0, 10**6)), "expression"),
    "delta NaN": (set_array("expression_value", poke((0, 0), np.nan)), "finite"),
    "delta start": (set_array("expression_start", poke(1, 10**9)), "expression"),
    "delta start order": (set_array("expression_start", lambda a: a[::-1].copy()), "expression"),
    "delta short": (set_array("expression_value", lambda a: a[:-1]), "expression"),
    "skin sum": (set_array("skin_value", lambda a: a * 2), "The "),
    "skin index": (set_array("skin_vertex", poke(0, -1)), "skin"),
    "object array": (set_array("vertices", lambda a: np.array([{}], object)), "damaged"),
    "lying array": (lying_array, "size differs"),
    "array bomb": (array_bomb, "damaged|unpacks"),
}


@pytest.mark.parametrize("read", READERS, ids=lambda r: r.__name__)
def test_the_untouched_package_is_read(whole: Path, read: Reader) -> None:
    read(whole)


@pytest.mark.parametrize("read", READERS, ids=lambda r: r.__name__)
@pytest.mark.parametrize("case", CHANGES)
def test_refused(egg: Path, read: Reader, case: str) -> None:
    change, says = CHANGES[case]
    change(egg)
    with pytest.raises(Refused, match=says) as caught:
        read(egg)
    text = str(caught.value)
    assert text.startswith(("The ", str(egg)))
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 600


def zipped(egg: Path, path: Path, top: str = "", extra: tuple[zipfile.ZipInfo, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(egg.rglob("*.*")):
            archive.write(file, top + file.relative_to(egg).as_posix())
        if extra:
            archive.writestr(*extra)
    return path


@pytest.mark.parametrize("read", READERS, ids=lambda r: r.__name__)
@pytest.mark.parametrize("top", ["", "Egg.likeness/"])
def test_zip_of_the_files_or_of_the_folder(egg: Path, tmp_path: Path, read: Reader, top: str) -> None:
    read(zipped(egg, tmp_path / "egg.zip", top))


def _linked() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("maps/x.png")
    info.external_attr = 0o120777 << 16
    return info


ENTRIES = {
    "traversal": zipfile.ZipInfo("../evil.txt"),
    "absolute": zipfile.ZipInfo("/evil.txt"),
    "backslash": zipfile.ZipInfo("..\\evil.txt"),
    "link": _linked(),
}


@pytest.mark.parametrize("read", READERS, ids=lambda r: r.__name__)
@pytest.mark.parametrize("case", ENTRIES)
def test_zip_entry_refused(egg: Path, tmp_path: Path, read: Reader, case: str) -> None:
    path = zipped(egg, tmp_path / "egg.zip", extra=(ENTRIES[case], b"/etc/passwd"))
    with pytest.raises(Refused, match="refused"):
        read(path)
    assert not (tmp_path.parent / "evil.txt").exists()


@pytest.mark.parametrize("read", READERS, ids=lambda r: r.__name__)
@pytest.mark.parametrize(("files", "size"), [(1100, 1), (2, 3 << 30)])
def test_zip_bomb_refused(tmp_path: Path, read: Reader, files: int, size: int) -> None:
    path = tmp_path / "egg.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(files):
            archive.writestr(f"maps/{i}.png", b"")
            archive.infolist()[i].file_size = size
    with pytest.raises(Refused, match="refused"):
        read(path)


@pytest.mark.parametrize("read", READERS, ids=lambda r: r.__name__)
def test_zip_damaged(egg: Path, tmp_path: Path, read: Reader) -> None:
    path = zipped(egg, tmp_path / "egg.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"\x89PNG") + 60
    content[at : at + 8] = bytes(8)  # one map no longer has its checksum
    path.write_bytes(content)
    with pytest.raises(Refused, match="cannot be read"):
        read(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Refused, match="nor a whole zip"):
        read(path)


@pytest.mark.parametrize("read", READERS, ids=lambda r: r.__name__)
def test_nothing_there(tmp_path: Path, read: Reader) -> None:
    with pytest.raises(Refused, match="no avatar package"):
        read(tmp_path / "none.likeness")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(Refused, match="not an avatar package"):
        read(tmp_path / "text.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="lacks"):
        read(tmp_path / "empty")
