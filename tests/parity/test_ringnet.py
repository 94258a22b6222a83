"""RingNet against the code it is based on (HMR over TF-Slim) and its own demo, from a checkpoint in the store."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from fill import fill
from flame_cases import case, drawn, worst
from made_checkpoint import write_checkpoint

from likeness.errors import WeightsError
from likeness.methods.flame_crops import SIDE, ringnet_window
from likeness.methods.ringnet import demo_camera, place_in_photo
from likeness.networks.ringnet import RingNet
from likeness.weights import store


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, np.ndarray]]:
    """The checkpoint as installed; what an optimiser leaves beside the variables must not disturb."""
    given = drawn(case("ringnet/regressor"))
    given["3D_module/fc2/weights/Adam"] = np.zeros((512, 512), np.float32)
    given["global_step"] = np.array(68641, np.int64)
    sources = tmp_path_factory.mktemp("official")
    write_checkpoint(sources / "ring_6_68641", given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        store.install("ringnet", sources)
        yield store.open_weights("ringnet").tensors("model/")


def test_regressor(variables: dict[str, np.ndarray]) -> None:
    given = case("ringnet/regressor")
    network = RingNet.from_variables(variables, "RingNet")
    picture = fill("ringnet/image", (2, 14, 14, 3), "uniform").repeat(16, 1).repeat(16, 2) * 2 - 1
    with torch.inference_mode():
        pixels = torch.from_numpy(picture).permute(0, 3, 1, 2)
        feature = network.encoder(pixels)
        stages = network.rounds(feature)
        assert worst(feature, given["feature"]) < 1e-4 * np.abs(given["feature"]).max()
        assert worst(stages, given["theta_stage"]) < 1e-4 * np.abs(given["theta_stage"]).max()
        assert worst(network(pixels), given["params159"]) < 1e-4 * np.abs(given["params159"]).max()


def test_variables_are_found_whatever_their_scope(variables: dict[str, np.ndarray]) -> None:
    renamed = {
        name.replace("3D_module", "Regressor").replace("resnet_v2_50", "net/enc"): v for name, v in variables.items()
    }
    renamed["theta0"] = renamed.pop("mean_param")
    ours, theirs = (RingNet.from_variables(v, "RingNet").state_dict() for v in (renamed, variables))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("resnet_v2_50/block2/unit_3/bottleneck_v2/conv2/BatchNorm/gamma", None, "block2/unit_3"),
        ("3D_module/fc3/weights", None, "third dense layer"),
        ("resnet_v2_50/block4/unit_1/bottleneck_v2/shortcut/biases", (3,), "shortcut"),
        ("another", (1, 159), "2 variables could be the start vector"),
    ],
)
def test_a_missing_misshaped_or_doubtful_variable_is_named(
    variables: dict[str, np.ndarray], name: str, change: tuple[int, ...] | None, said: str
) -> None:
    changed = dict(variables)
    if change is None:
        del changed[name]
    else:
        changed[name] = np.zeros(change, np.float32)
    with pytest.raises(WeightsError, match=said):
        RingNet.from_variables(changed, "RingNet")


@pytest.mark.parametrize("tag", ["land", "port", "exact", "big"])
def test_preprocessing_and_camera(tag: str) -> None:
    given = {
        key.removeprefix(f"{tag}_"): value for key, value in case("ringnet/preprocess").items() if key.startswith(tag)
    }
    height, width = (int(n) for n in given["hw"])
    small = (fill(f"ringnet/pre_{tag}", (15, 20, 3), "uniform") * 255).astype(np.uint8)
    window = ringnet_window(cv2.resize(small, (width, height)))
    assert worst(window.pixels[::4, ::4], given["crop"]) < 1e-2
    assert window.scale == pytest.approx(float(given["scale"]), rel=1e-6)
    assert window.start.tolist() == given["start"].tolist()
    assert (window.start + SIDE).tolist() == given["end"].tolist()
    pinhole, shift = demo_camera(window, given["cam"])
    np.testing.assert_allclose(pinhole, given["cam_render"], rtol=1e-6)
    np.testing.assert_allclose(given["verts"] + shift, given["verts_shift"], rtol=1e-6)
    # Our camera has no perspective; the demo's is 50 m away, and counts from pixel centres.
    placed = place_in_photo(window, np.zeros(2), given["cam"])
    ours = placed.scale * (given["verts"][:, :2] + placed.shift) + placed.centre - 0.5 / window.scale
    from_middle = np.abs(ours - pinhole[1:]).max()
    assert worst(ours, given["pixels"]) < 0.005 * from_middle
