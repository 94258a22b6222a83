"""3DDFA_V2 against what the original computes: arithmetic everywhere, the published networks where they are.

The original's shape model was a stand-in (see data/README.md), so landmarks and vertices here test arithmetic; boxes,
regions and the 62 parameters are those of the real networks on real photos.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fill import fill

from likeness.heads.bfm import Bfm
from likeness.methods.tddfa_crops import crop, roi_from_box, roi_from_points
from likeness.methods.tddfa_detect import detect, priors, raw
from likeness.methods.tddfa_model import Parameters, Regressor, Tddfa, euler_degrees
from likeness.methods.tddfa_track import smoothed, track
from likeness.networks.faceboxes import FaceBoxes
from likeness.networks.fuse import fold_batch_norms
from likeness.weights.readers import plain, torch_file
from likeness.weights.strict import load_into

SHARED = Path(__file__).parents[3] / "shared"
PHOTOS = ("self_contained", "prnet_0", "prnet_1", "v2_JianzhuGuo", "v2_emma", "v2_trump_hillary")
REAL = ("prnet_0", "prnet_1", "v2_JianzhuGuo", "v2_trump_hillary")
V = 38365


@pytest.fixture(scope="module")
def numbers() -> Any:
    return np.load(Path(__file__).parent / "data" / "tddfa_v2.npz")


def bfm_stand_in() -> dict[str, np.ndarray]:
    """The front half of an ellipsoid, under the official names and in the official units."""
    i = np.arange(V, dtype=np.float64)
    z = (i + 0.5) / V
    r, a = np.sqrt(1 - z * z), i * np.pi * (3 - np.sqrt(5))
    mean = np.stack([75e3 * r * np.cos(a), 95e3 * r * np.sin(a), 60e3 * z + 30e3], 1)
    keypoints = (np.arange(68) * 557 + 13) % V
    return {
        "u": mean.reshape(-1, 1).astype(np.float32),
        "w_shp": fill("tddfa_v2/w_shp", (3 * V, 40), "basis") * np.float32(3e-3),
        "w_exp": fill("tddfa_v2/w_exp", (3 * V, 10), "basis") * np.float32(1e3),
        "keypoints": (3 * keypoints[:, None] + np.arange(3)).reshape(-1),
    }


@pytest.fixture(scope="module")
def model(numbers: Any) -> Tddfa:
    """The shape model with whatever regressor: for arithmetic alone."""
    return Tddfa(None, Bfm.from_noneck(bfm_stand_in()))  # type: ignore[arg-type]


@pytest.mark.parametrize("photo", PHOTOS)
def test_regions_from_boxes_and_landmarks(numbers: Any, photo: str) -> None:
    for box, roi in zip(numbers[f"{photo}.boxes"], numbers[f"{photo}.roi"], strict=True):
        np.testing.assert_allclose(roi_from_box(box), roi, atol=0.01)
    for points, roi in zip(numbers[f"{photo}.lm68"], numbers[f"{photo}.roi_lmk"], strict=True):
        np.testing.assert_allclose(roi_from_points(points), roi, atol=0.01)


@pytest.mark.parametrize("photo", PHOTOS)
def test_landmarks_vertices_and_pose(numbers: Any, model: Tddfa, photo: str) -> None:
    faces = [numbers[f"{photo}.{k}"] for k in ("param62", "roi", "lm68", "dense_sub", "pose_deg")]
    for flat, roi, lm68, dense, pose in zip(*faces, strict=True):
        np.testing.assert_allclose(model.sparse(flat, tuple(roi)), lm68, atol=0.01)
        np.testing.assert_allclose(model.dense(flat, tuple(roi))[:, ::97], dense, atol=0.01)
        np.testing.assert_allclose(euler_degrees(Parameters.of(flat)), pose, atol=0.01)
    for flat, roi, lm68 in zip(*(numbers[f"{photo}.{k}_lmk"] for k in ("param62", "roi", "lm68")), strict=True):
        np.testing.assert_allclose(model.sparse(flat, tuple(roi)), lm68, atol=0.01)


@pytest.mark.parametrize("photo", PHOTOS)
def test_whitening(numbers: Any, photo: str) -> None:
    undone = numbers[f"{photo}.raw62"] * numbers["std"] + numbers["mean"]
    np.testing.assert_array_equal(undone, numbers[f"{photo}.param62"])


@pytest.mark.parametrize("photo", PHOTOS)
def test_number_of_priors(numbers: Any, photo: str) -> None:
    height, width = numbers[f"{photo}.net_hw"]
    assert len(priors(int(height), int(width))) == numbers[f"{photo}.n_prior"]


def test_smoothing(numbers: Any) -> None:
    # The first frame was done twice: from the detector's box, then from its own landmarks.
    mean = np.stack(list(smoothed(numbers["video.lm68_raw"][1:])))
    np.testing.assert_allclose(mean, numbers["video.lm68_ave"], atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_smoothing_gives_as_many_frames_as_it_gets(numbers: Any, count: int) -> None:
    assert len(list(smoothed(numbers["video.lm68_raw"][:count], 2, 2))) == count


def test_rotation_is_proper(numbers: Any) -> None:
    for flat in numbers["v2_emma.param62"]:
        scale, rotation = Parameters.of(flat).rotation()
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) > 0
        np.testing.assert_allclose(scale * rotation[:2], Parameters.of(flat).affine[:2, :3], atol=0.05 * scale)


# From here on with the published networks.


@pytest.fixture(scope="module")
def weights() -> Path:
    folder = SHARED / "weights" / "3ddfa_v2"
    if not folder.exists():
        pytest.skip("needs 3DDFA_V2's published files in shared/weights/3ddfa_v2 beside the checkout")
    return folder


@pytest.fixture(scope="module")
def cases(weights: Path) -> Path:
    folder = SHARED / "parity" / "tddfa_v2"
    if not folder.exists():
        pytest.skip("needs the photos in shared/parity/tddfa_v2 beside the checkout")
    return folder


@pytest.fixture(scope="module")
def detector(weights: Path) -> FaceBoxes:
    network = FaceBoxes()
    load_into(network, plain.flatten(torch_file.read(weights / "FaceBoxesProd.pth"), "detector"), "FaceBoxesProd.pth")
    fold_batch_norms(network.eval())
    return network


@pytest.fixture(scope="module")
def regressor(weights: Path, numbers: Any) -> Regressor:
    state = torch_file.read(weights / "mb05_120x120.pth")["state_dict"]
    whitening = plain.read(weights / "param_mean_std_62d_120x120.pkl")
    np.testing.assert_array_equal(whitening["std"], numbers["std"])
    tensors = {name.removeprefix("module."): value for name, value in state.items()}
    return Regressor.from_tensors(tensors, whitening["mean"], whitening["std"], "mb05_120x120.pth")


@pytest.fixture(scope="module")
def real(weights: Path, regressor: Regressor) -> Tddfa:
    """With the real basis at the 68 landmarks."""
    basis = np.load(weights / "real68_basis.npz")
    arrays = {"u": basis["u_base"], "w_shp": basis["w_shp_base"], "w_exp": basis["w_exp_base"]}
    return Tddfa(regressor, Bfm.from_noneck(arrays | {"keypoints": np.arange(204)}))


def test_detector_on_a_photo(cases: Path, detector: FaceBoxes) -> None:
    case = np.load(cases / "self_contained.npz")
    loc, score, size, scale = raw(detector, case["image_bgr"])
    assert (size, scale, len(loc)) == (tuple(case["net_hw"]), 1.0, case["n_prior"])
    np.testing.assert_allclose(loc[::211], case["loc_sub"], atol=1e-4)
    np.testing.assert_allclose(score[::211], case["conf_sub"][:, 1], atol=1e-4)
    np.testing.assert_allclose(detect(detector, case["image_bgr"]), case["boxes"], atol=0.01)
    np.testing.assert_allclose(detect(detector, case["image_bgr"], 0.05), case["dets_nms"], atol=0.01)


def test_a_photo_to_parameters(cases: Path, detector: FaceBoxes, regressor: Regressor, numbers: Any) -> None:
    case = np.load(cases / "self_contained.npz")
    roi = roi_from_box(detect(detector, case["image_bgr"])[0])
    seen = crop(case["image_bgr"], roi)
    assert abs(seen.astype(int) - case["crops_bgr"][0]).max() <= 1
    flat = regressor.parameters(case["image_bgr"], roi)
    np.testing.assert_allclose(flat / numbers["std"], case["param62"][0] / numbers["std"], atol=0.03)


@pytest.mark.parametrize("photo", REAL)
def test_crops_to_real_landmarks(cases: Path, real: Tddfa, numbers: Any, photo: str) -> None:
    case = np.load(cases / f"real68_{photo}.npz")
    parameters, landmarks = real.regressor.raw(case["crops_bgr"])
    assert landmarks is not None
    count = len(parameters)
    np.testing.assert_allclose(parameters, (case["param62"][:count] - numbers["mean"]) / numbers["std"], atol=1e-4)
    np.testing.assert_allclose(landmarks, case["aux_fc_lm_2x68"][:count], atol=1e-5)
    for flat, roi, lm68, pose in zip(*(case[k] for k in ("param62", "roi", "lm68", "yaw_pitch_roll_deg")), strict=True):
        np.testing.assert_allclose(real.sparse(flat, tuple(roi)), lm68, atol=0.01)
        np.testing.assert_allclose(euler_degrees(Parameters.of(flat)), pose, atol=0.01)


def test_landmarks_without_a_shape_model(cases: Path, real: Tddfa) -> None:
    """The checkpoint's own head and the basis see the same face."""
    case = np.load(cases / "self_contained.npz")
    roi = tuple(case["roi"][0])
    own = real.regressor.landmarks(case["image_bgr"], roi)
    assert own is not None
    by_model = real.sparse(case["param62"][0], roi)[:2]
    side = roi[2] - roi[0]
    assert np.linalg.norm(own - by_model, axis=0).mean() < 0.02 * side


def frames(case: Any) -> list[np.ndarray]:
    ends = np.cumsum(case["jpeg_len"])
    return [cv2.imdecode(part, cv2.IMREAD_COLOR) for part in np.split(case["jpeg"], ends[:-1])]


def test_video(cases: Path, detector: FaceBoxes, real: Tddfa) -> None:
    case = np.load(cases / "real68_video.npz")
    found = [f.points for f in track(frames(case), real, lambda p: detect(detector, p)) if f]
    np.testing.assert_allclose(found, case["lm68_raw"], atol=0.1)
    mean = list(smoothed(found, int(case["n_pre"]), int(case["n_next"])))
    np.testing.assert_allclose(mean, case["lm68_smooth"], atol=0.1)


def test_a_shrinking_face_is_looked_for_again(cases: Path, detector: FaceBoxes, real: Tddfa) -> None:
    case = np.load(cases / "real68_redetect.npz")
    found = [f for f in track(list(case["frames_bgr"]), real, lambda p: detect(detector, p)) if f]
    np.testing.assert_allclose([f.points for f in found], case["lm68_raw"], atol=0.1)
    assert [f.detected for f in found] == [True, False, False, False, True, True, True]


def test_tracking_begins_when_a_face_comes(cases: Path, detector: FaceBoxes, real: Tddfa) -> None:
    first = np.load(cases / "real68_redetect.npz")["frames_bgr"][0]
    nobody = np.full_like(first, 90)
    found = list(track([nobody, first, first], real, lambda p: detect(detector, p)))
    assert found[0] is None
    assert [f.detected for f in found[1:] if f] == [True, False]
