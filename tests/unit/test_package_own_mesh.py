"""The method's own mesh travels beside the head."""

from dataclasses import replace
from pathlib import Path

import made_avatar
import numpy as np
import pytest

from likeness import package
from likeness.avatar import OwnMesh
from likeness.errors import PackageError

VERTICES = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
TRIANGLES = np.array([[0, 1, 2]], np.int32)
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


@pytest.mark.parametrize("colours", [COLOURS, None], ids=["coloured", "plain"])
def test_it_comes_back_as_it_was(tmp_path: Path, colours: np.ndarray | None) -> None:
    avatar = replace(made_avatar.make(), own_mesh=OwnMesh(VERTICES, TRIANGLES, colours))
    again = package.load(package.save(avatar, tmp_path / "a.likeness")).own_mesh
    assert again is not None
    assert np.array_equal(again.vertices, VERTICES)
    assert np.array_equal(again.triangles, TRIANGLES)
    assert again.colours is None if colours is None else np.array_equal(again.colours, colours)


def test_without_one_there_is_none(tmp_path: Path) -> None:
    assert package.load(package.save(made_avatar.make(), tmp_path / "a.likeness")).own_mesh is None


@pytest.mark.parametrize(
    "mesh",
    [
        OwnMesh(VERTICES, np.array([[0, 1, 3]], np.int32)),
        OwnMesh(VERTICES, np.array([[0, 1, -1]], np.int32)),
        OwnMesh(VERTICES, TRIANGLES, COLOURS[:2]),
        OwnMesh(VERTICES * np.float32("nan"), TRIANGLES),
    ],
    ids=["beyond", "negative", "colours", "nan"],
)
def test_a_wrong_one_is_refused(mesh: OwnMesh) -> None:
    with pytest.raises(PackageError, match="own"):
        package.check.check(replace(made_avatar.make(), own_mesh=mesh))
