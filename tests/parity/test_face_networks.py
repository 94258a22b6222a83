"""Our face networks against MediaPipe's own runtime: raw outputs on the same pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from face_cases import CASES, inputs

from likeness.faces.mesh import assembled
from likeness.networks.graph import face_network, one_thread

HERE = Path(__file__).parent

LANDMARKS = ("mesh", "lips", "left_eye", "right_eye", "left_iris", "right_iris")


@pytest.fixture(scope="module")
def original() -> dict[str, np.ndarray]:
    with np.load(HERE / "data" / "faces.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def ours(network: str, pixels: np.ndarray, low: float) -> list[np.ndarray]:
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() * ((1 - low) / 255) + low
    with one_thread():
        return [t.flatten().numpy() for t in face_network(network)(image)]


@pytest.mark.parametrize("network", ["short_range", "full_range"])
def test_detectors(original: dict[str, np.ndarray], network: str) -> None:
    for case, pixels in inputs(network):
        boxes, scores = ours(network, pixels, -1)
        theirs = {k: original[f"{network}/{case}/{k}"] for k in ("anchors", "boxes", "scores")}
        np.testing.assert_allclose(scores, theirs["scores"], atol=1e-3, err_msg=case)
        kept = boxes.reshape(len(scores), -1)[theirs["anchors"]]
        np.testing.assert_allclose(kept, theirs["boxes"], atol=1e-3, err_msg=case)  # pixels


@pytest.mark.parametrize("case", CASES["attention_mesh"])
def test_landmarks_to_a_ten_thousandth_of_the_interocular_distance(original: dict[str, np.ndarray], case: str) -> None:
    network = face_network("attention_mesh")
    pixels = dict(inputs("attention_mesh"))[case]
    *parts, score = ours("attention_mesh", pixels, 0)
    points = assembled(network, [p.astype(np.float64) for p in parts])
    theirs = assembled(network, [original[f"attention_mesh/{case}/{k}"].astype(np.float64) for k in LANDMARKS])
    interocular = np.linalg.norm(theirs[33, :2] - theirs[263, :2])
    assert np.linalg.norm(points - theirs, axis=1).max() < 1e-4 * interocular
    np.testing.assert_allclose(score, original[f"attention_mesh/{case}/score"], atol=1e-3)
