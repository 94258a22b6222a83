"""PRNet against the original under TensorFlow 1.15, from a checkpoint and tables in the store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import prnet_stand_in as stand_in
import pytest
import torch
from fill import fill

from likeness.errors import WeightsError
from likeness.heads.surface import normals
from likeness.methods.prnet_map import SIDE, Square, Topology, euler_radians, pose
from likeness.networks.prnet import ResFcn
from likeness.weights import store
from likeness.weights.store import Weights


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weights]:
    official = tmp_path_factory.mktemp("official")
    stand_in.write(official)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        store.install("prnet", official)
        yield store.open_weights("prnet")


@pytest.fixture(scope="module")
def network(installed: Weights) -> ResFcn:
    return ResFcn.from_variables(installed.tensors("model/"), "PRNet")


@pytest.fixture(scope="module")
def topology(installed: Weights) -> Topology:
    return Topology.of(*(installed.tensor(name) for name in ("face_ind", "uv_kpt_ind", "canonical")))


def seen(network: ResFcn, picture: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()


def test_network(network: ResFcn) -> None:
    """Border rows tell TensorFlow's padding from PyTorch's; what the tolerance is to: 282 pixels."""
    given = stand_in.case("network")
    positions = seen(network, fill("prnet/image", (16, 16, 3), "uniform").repeat(16, 0).repeat(16, 1))
    np.testing.assert_allclose(positions[::5, ::5], given["pos_sub"], atol=0.01)
    edge = [positions[0, ::2], positions[-1, ::2], positions[::2, 0], positions[::2, -1]]
    np.testing.assert_allclose(edge, given["pos_edge"], atol=0.01)


def test_a_photo_to_vertices_and_landmarks(network: ResFcn, topology: Topology) -> None:
    """A box that leaves the photo."""
    given = stand_in.case("process")
    square = Square.around(*(float(v) for v in given["box_lrtb"]))
    np.testing.assert_allclose(square.matrix, given["tform"], rtol=1e-6, atol=1e-9)
    picture = square.crop(given["rgb"])
    np.testing.assert_allclose(picture[::4, ::4], given["crop_sub"], atol=1e-4)
    positions = square.in_photo(seen(network, picture))
    np.testing.assert_allclose(positions[::8, ::8], given["pos_sub"], atol=0.05)
    np.testing.assert_allclose(topology.landmarks(positions), given["kpt"], atol=0.05)
    np.testing.assert_allclose(topology.vertices(positions)[::101], given["vertices_sub"], atol=0.05)


def test_pose(topology: Topology) -> None:
    given = stand_in.case("process")
    scaled = given["pose_P"][:, :3]
    scale = np.cbrt(np.linalg.det(scaled))
    np.testing.assert_allclose(euler_radians(scaled / scale), given["pose_rad"], rtol=1e-6)
    shift = np.array([30.0, -20.0, 7.0])
    found = pose(topology.canonical @ scaled.T + shift, topology.canonical)
    assert found[0] == pytest.approx(scale)
    np.testing.assert_allclose(found[1], scaled / scale, atol=1e-9)
    np.testing.assert_allclose(found[2], shift, atol=1e-7)  # the true one; the original's formula gives another


def test_the_grids_triangles_face_outwards_and_cover_the_face(topology: Topology) -> None:
    assert topology.triangles.min() == 0
    assert len(np.unique(topology.triangles)) > 0.95 * len(topology.index)
    upright = topology.canonical * (1, -1, 1)
    assert (normals(upright, topology.triangles)[:, 2] > 0).mean() > 0.95
    # Each vertex of the inside belongs to six triangles.
    times = np.bincount(topology.triangles.ravel(), minlength=len(topology.index))
    assert np.median(times) == 6
    assert len(np.unique(np.sort(topology.triangles, 1), axis=0)) == len(topology.triangles)
    texel = topology.uv * SIDE
    assert np.array_equal(np.floor(texel[:, 0]) + SIDE * np.floor(SIDE - texel[:, 1]), topology.index)


def test_given_triangles_are_turned_outwards(topology: Topology) -> None:
    """The official table winds the other way, y pointing down there."""
    official = topology.triangles[:, ::-1]
    keypoints = np.stack([topology.keypoints % SIDE, topology.keypoints // SIDE])
    again = Topology.of(topology.index, keypoints, topology.canonical, official)
    assert np.array_equal(again.triangles, topology.triangles)
    assert np.array_equal(again.keypoints, topology.keypoints)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("resfcn256/resBlock_4/shortcut/weights", None, r"resBlock_4\.shortcut\.weight"),
        ("resfcn256/Conv2d_transpose_3/weights", (4, 4, 256, 128), r"Conv2d_transpose_3\.weight has shape"),
        ("resfcn256/resBlock_10/Conv/weights", (1, 1, 512, 256), r"resBlock_10\.Conv\.weight"),
    ],
)
def test_what_does_not_fit_is_named(installed: Weights, name: str, change: tuple[int, ...] | None, said: str) -> None:
    variables = installed.tensors("model/")
    if change is None:
        del variables[name]
    else:
        variables[name] = np.zeros(change, np.float32)
    with pytest.raises(WeightsError, match=said):
        ResFcn.from_variables(variables, "PRNet")
