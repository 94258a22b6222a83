"""What is written comes back, whole or not at all."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import made_avatar
import numpy as np
import pytest

from likeness import package
from likeness.avatar import Avatar, Map, Material
from likeness.errors import OutputError, PackageError
from likeness.package import write


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return made_avatar.make()


def values(image: Map) -> np.ndarray:
    top = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(image.pixels.dtype, 1)
    return image.scale * (image.pixels.astype(np.float64) / top) + image.offset


@pytest.mark.parametrize("name", ["Egg.likeness", "Egg.likeness.zip"])
def test_round_trip(avatar: Avatar, tmp_path: Path, name: str) -> None:
    path = package.save(avatar, tmp_path / "new folder" / name)
    back = package.load(path)
    for field in ("vertices", "polygons", "uv", "polygons_uv", "polygon_region", "joints"):
        np.testing.assert_array_equal(getattr(back, field), getattr(avatar, field))
        assert getattr(back, field).dtype == getattr(avatar, field).dtype
    for field in (
        "name",
        "head",
        "region_names",
        "region_materials",
        "expression_names",
        "joint_names",
        "joint_parents",
        "provenance",
    ):
        assert getattr(back, field) == getattr(avatar, field)
    np.testing.assert_allclose(back.expression, avatar.expression, atol=1.01e-6)
    np.testing.assert_allclose(back.skin_weights, avatar.skin_weights, atol=1.01e-6)
    for k, weights in avatar.groups.items():
        np.testing.assert_allclose(back.groups[k], weights, atol=1.01e-6)
    assert back.materials.keys() == avatar.materials.keys()
    for k, material in avatar.materials.items():
        assert back.materials[k].values == material.values
        for channel, image in material.maps.items():
            other = back.materials[k].maps[channel]
            assert other.colour == image.colour
            np.testing.assert_allclose(values(other), values(image), atol=1e-5 if channel != "displacement" else 1e-8)
    view, other = avatar.views[0], back.views[0]
    assert other.camera.to_json() == view.camera.to_json()
    assert (other.name, other.expression) == (view.name, view.expression)
    np.testing.assert_array_equal(other.pose, view.pose)
    np.testing.assert_array_equal(other.light, view.light)
    assert abs(other.photo.astype(int) - view.photo.astype(int)).mean() < 4  # noise survives JPEG that well
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_round_trip_of_correctives_and_limits(tmp_path: Path) -> None:
    bending = made_avatar.bending()
    back = package.load(package.save(bending, tmp_path / "Bending.likeness"))
    assert back.corrective_joints == bending.corrective_joints
    assert back.correctives is not None
    assert bending.correctives is not None
    np.testing.assert_allclose(back.correctives, bending.correctives, atol=1.01e-6)
    assert back.expression_limits == bending.expression_limits
    assert back.views[0].expression["FLAME exp 000"] == -1.5
    assert back.identity is not None
    assert bending.identity is not None
    assert back.identity.names == bending.identity.names
    for field in ("weights", "deltas", "joints"):
        np.testing.assert_array_equal(getattr(back.identity, field), getattr(bending.identity, field))


def test_a_package_without_identity_is_read_as_before(avatar: Avatar, tmp_path: Path) -> None:
    path = package.save(avatar, tmp_path / "e.likeness")
    assert "identity" not in json.loads((path / "avatar.json").read_text())
    assert package.load(path).identity is None


def test_the_same_avatar_gives_the_same_bytes(avatar: Avatar, tmp_path: Path) -> None:
    first = package.save(avatar, tmp_path / "a.zip").read_bytes()
    assert package.save(avatar, tmp_path / "b.zip").read_bytes() == first


def test_loaded_and_saved_again_stays_the_same(avatar: Avatar, tmp_path: Path) -> None:
    once = package.save(avatar, tmp_path / "once.likeness")
    twice = package.save(package.load(once), tmp_path / "twice.likeness")
    for file in ("avatar.json", "geometry.npz", "maps/Skin_displacement.png"):
        assert (twice / file).read_bytes() == (once / file).read_bytes()


def test_people_can_read_the_manifest(avatar: Avatar, tmp_path: Path) -> None:
    text = (package.save(avatar, tmp_path / "e.likeness") / "avatar.json").read_text()
    assert '"position": [0.0, 0.07, 0.01]' in text
    assert max(map(len, text.splitlines())) < 200
    assert json.loads(text)["provenance"]["note"] == "[ 1,  2 ] stays"


def test_a_float_map_out_of_range_keeps_its_values(avatar: Avatar, tmp_path: Path) -> None:
    heights = np.linspace(-0.003, 0.002, 64, dtype=np.float32).reshape(8, 8)
    flat = np.full((4, 4), 7.0, np.float32)
    maps = {"displacement": Map(heights, "linear", 2.0, 0.5), "flat": Map(flat, "linear")}
    path = package.save(replace(avatar, materials={"Skin": Material(maps)}), tmp_path / "e.likeness")
    back = package.load(path).materials["Skin"].maps
    np.testing.assert_allclose(values(back["displacement"]), heights * 2.0 + 0.5, atol=1e-7)
    np.testing.assert_allclose(values(back["flat"]), 7.0)


def test_an_older_package_is_replaced(avatar: Avatar, tmp_path: Path) -> None:
    path = package.save(avatar, tmp_path / "e.likeness")
    (path / "old.txt").write_text("old")
    package.save(replace(avatar, views=()), path)
    assert package.load(path).views == ()
    assert not (path / "old.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["e.likeness"]


def test_a_folder_of_something_else_is_left_alone(avatar: Avatar, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").write_text("sun")
    with pytest.raises(OutputError, match="something else"):
        package.save(avatar, tmp_path / "holiday")
    with pytest.raises(OutputError, match="not a folder"):
        package.save(avatar, tmp_path / "holiday" / "beach.jpg")
    assert (tmp_path / "holiday" / "beach.jpg").read_text() == "sun"


@pytest.mark.parametrize("name", ["e.likeness", "e.zip"])
def test_a_full_disk_leaves_the_old_package(
    avatar: Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = package.save(avatar, tmp_path / name)

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(write, "_encode", full)
    with pytest.raises(OutputError, match="No space left"):
        package.save(replace(avatar, name="Other"), path)
    assert package.load(path).name == "Egg"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_an_interrupt_leaves_nothing(avatar: Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "_encode", stop)
    with pytest.raises(KeyboardInterrupt):
        package.save(avatar, tmp_path / "e.likeness")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(avatar: Avatar, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        package.save(avatar, tmp_path / "file" / "e.likeness")


WRONG = {
    "name": ({"name": "../evil"}, "no usable name"),
    "vertices": ({"vertices": np.full((932, 3), np.nan, np.float32)}, "not finite"),
    "dtype": ({"vertices": np.zeros((932, 3))}, "wrong shape or type"),
    "polygons": ({"polygons": np.full((1, 4), 10**6, np.int32)}, "out of range"),
    "expression": ({"expression_names": ("jawOpen",)}, "expression has a wrong shape"),
    "twice": ({"joint_names": ("a",) * 6}, "a name twice"),
    "parents": ({"joint_parents": (-1, 0, 1, 2, 2, 5)}, "after its parent"),
    "weights": ({"skin_weights": np.zeros((932, 6), np.float32)}, "sum to 1"),
    "region": ({"region_materials": {"skin": "Skin"}}, "materials differ"),
    "provenance": ({"provenance": {"when": object()}}, "provenance"),
    "channel": ({"materials": {"Skin": Material({"../x": Map(np.zeros((2, 2), np.uint8), "srgb")})}}, "channel"),
    "value": ({"materials": {"Skin": Material({}, {"x": float("inf")})}}, "finite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_malformed_avatar_is_not_written(avatar: Avatar, tmp_path: Path, case: str) -> None:
    change, says = WRONG[case]
    with pytest.raises(PackageError, match=says):
        package.save(replace(avatar, **change), tmp_path / "e.likeness")
    assert not list(tmp_path.iterdir())
