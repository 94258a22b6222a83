"""Files that the original programs wrote: TensorFlow's saver, chumpy's objects, Torch7's torch.save."""

import json
from pathlib import Path

import numpy as np
import pytest
from fill import fill

from likeness.weights.readers import plain, tf_checkpoint, torch7

DATA = Path(__file__).parent / "data" / "formats"
SHARED = Path(__file__).parents[3] / "shared"


def test_ringnets_names_written_by_tensorflow() -> None:
    shapes = json.loads((DATA / "ringnet.json").read_text())
    found = tf_checkpoint.read(DATA / "ringnet.index")
    assert found.keys() == {*shapes, "global_step"}
    assert found["global_step"].dtype == np.int64
    for name, shape in shapes.items():
        if name != "global_step":
            np.testing.assert_array_equal(found[name], fill("tiny/" + name, shape, "basis"), err_msg=name)


def test_prnets_names_written_by_tensorflow() -> None:
    found = tf_checkpoint.read(DATA / "prnet.index")
    kinds = {"weights": "weight_tf", "gamma": "scale", "beta": "bias", "moving_mean": "mean", "moving_variance": "var"}
    assert len(found) == 13
    for name, value in found.items():
        last = name.rsplit("/", 1)[-1]
        if last in kinds:
            np.testing.assert_array_equal(value, fill(name, value.shape, kinds[last]), err_msg=name)
        else:
            assert float(value.max(initial=0)) == (0.5 if "power" in name else 0.0)
    kept = tf_checkpoint.read(DATA / "prnet.index", ["*/Adam", "*/Adam_1", "beta*_power"])
    assert all(name.rsplit("/", 1)[-1] in kinds for name in kept)


def test_flames_pickle_with_real_chumpy_objects() -> None:
    found = plain.read(DATA / "mini_chumpy.pkl")
    with np.load(DATA / "mini_chumpy.npz") as wanted:
        for name in ("v_template", "posedirs", "weights", "J", "f", "kintree_table"):
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
        np.testing.assert_array_equal(found["J_regressor"], wanted["J_regressor_dense"])
        np.testing.assert_array_equal(
            found["shapedirs"], fill("mini/shapedirs", (12, 3, 400), "basis", int(wanted["seed"]))
        )
    assert (found["bs_type"], found["bs_style"]) == ("lrotmin", "lbs")


def test_plain_values_written_by_torch7() -> None:
    found = torch7.read(DATA / "values.t7")
    assert (found["int"], found["flag"], found["text"], found["number"]) == (7.0, True, "h\xe4d", 3.25)
    assert found["list"] == {1: 1.0, 2: 2.0, 3: 3.0}
    np.testing.assert_array_equal(found["nested"]["a"]["b"], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(found["view"], [[2, 6, 10], [3, 7, 11]])  # transposed and narrowed, as a view
    np.testing.assert_array_equal(found["byte"], np.array([1, 255], np.uint8))
    np.testing.assert_array_equal(found["long"], [5, 6, 7])
    assert (found["storage"].tolist(), found["empty"].size, found["double"].dtype) == ([9, 8], 0, np.float64)
    ascii_one = torch7.read(DATA / "values_ascii.t7")
    assert (ascii_one["number"], ascii_one["list"]) == (3.25, {1: 1.0, 2: 2.0, 3: 3.0})
    np.testing.assert_array_equal(ascii_one["m"], [[1, 2], [3, 4]])


def test_a_graph_module_written_by_nngraph() -> None:
    path = SHARED / "parity" / "vrn" / "hourglass_nngraph.t7"
    if not path.exists():
        pytest.skip("needs shared/parity/vrn beside the checkout")
    network = torch7.read(path)
    assert network.kind == "nn.gModule"
    kinds = {node["data"]["module"].kind for node in network["forwardnodes"].values() if "module" in node["data"]}
    assert "nn.SpatialConvolution" in kinds
