"""3DDFA_V2 here against the original PyTorch code, side by side: ``tddfa_speed.py ORIGINAL WEIGHTS``.

ORIGINAL is a clone of github.com/cleardusk/3DDFA_V2, WEIGHTS the folder of its published files. Both do the same on the
same picture in the same process, taking turns: detect, regress, reconstruct all vertices. The original's suppression
runs in its own pure Python, which takes no measurable time after the 0.05 threshold; its Basel model is replaced by
an ellipsoid of the same size for both.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import pickle
import runpy
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from likeness.heads.bfm import Bfm
from likeness.methods.tddfa_crops import roi_from_box
from likeness.methods.tddfa_detect import detect
from likeness.methods.tddfa_model import Regressor, Tddfa
from likeness.methods.tddfa_track import track
from likeness.networks.faceboxes import FaceBoxes
from likeness.networks.fuse import fold_batch_norms
from likeness.weights.readers import plain, torch_file
from likeness.weights.strict import load_into

ROOT = Path(__file__).resolve().parents[1]
V = 38365
ROUNDS = 40
SIZE = 551, 413


def main() -> None:
    """Print milliseconds and ratios for one and two threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("original", type=Path)
    parser.add_argument("weights", type=Path)
    a = parser.parse_args()
    astronaut = cv2.imread(str(ROOT / "tests" / "data" / "astronaut.png"))
    picture = cv2.resize(astronaut[:384], SIZE)
    arrays = _model()
    ours, find, model = _ours(a.weights, arrays)
    theirs = _theirs(a.original.resolve(), a.weights.resolve(), arrays)
    mine, other = ours(picture), theirs(picture)
    print(f"largest difference of a vertex: {abs(mine - other).max():.4f} pixels")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        first, second = _in_turns(lambda: ours(picture), lambda: theirs(picture))
        print(f"{threads} thread: here {first:.1f} ms, original {second:.1f} ms, {second / first:.2f} times as fast")
        video = [picture] * 200
        start = time.perf_counter()
        done = sum(1 for _ in track(video, model, find))
        print(f"           tracking 68 landmarks: {done / (time.perf_counter() - start):.0f} frames/s")


def _in_turns(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float]:
    """Median milliseconds of both."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(ROUNDS + 3):
        for kept, run in zip(times, (first, second), strict=True):
            start = time.perf_counter()
            run()
            if round_ >= 3:
                kept.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def _model() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    direction = random.normal(size=(V, 3))
    mean = direction / np.linalg.norm(direction, axis=1, keepdims=True) * [75e3, 95e3, 60e3]
    keypoints = np.sort(random.choice(V, 68, replace=False))
    return {
        "u": mean.reshape(-1, 1).astype(np.float32),
        "w_shp": random.normal(0, 3e-3, (3 * V, 40)).astype(np.float32),
        "w_exp": random.normal(0, 1e3, (3 * V, 10)).astype(np.float32),
        "keypoints": (3 * keypoints[:, None] + np.arange(3)).reshape(-1),
    }


def _ours(weights: Path, arrays: dict[str, np.ndarray]) -> tuple[Callable[[Any], Any], Callable[[Any], Any], Tddfa]:
    detector = FaceBoxes()
    load_into(detector, plain.flatten(torch_file.read(weights / "FaceBoxesProd.pth"), "detector"), "FaceBoxesProd.pth")
    fold_batch_norms(detector.eval())
    detector.to(memory_format=torch.channels_last)
    state = torch_file.read(weights / "mb05_120x120.pth")["state_dict"]
    whitening = plain.read(weights / "param_mean_std_62d_120x120.pkl")
    tensors = {name.removeprefix("module."): value for name, value in state.items()}
    regressor = Regressor.from_tensors(tensors, whitening["mean"], whitening["std"], "mb05")
    model = Tddfa(regressor, Bfm.from_noneck(arrays))

    def run(picture: np.ndarray) -> np.ndarray:
        roi = roi_from_box(detect(detector, picture)[0])
        return model.dense(regressor.parameters(picture, roi), roi)

    return run, lambda picture: detect(detector, picture), model


def _theirs(original: Path, weights: Path, arrays: dict[str, np.ndarray]) -> Callable[[Any], Any]:
    sys.path.insert(0, str(original))
    if not hasattr(np, "long"):  # NumPy before 2
        np.long = np.int64  # type: ignore[attr-defined]
    # What it imports but does not need here.
    compose = types.ModuleType("torchvision.transforms")
    compose.Compose = lambda steps: lambda x: steps[1](steps[0](x))  # type: ignore[attr-defined]
    for name in ("torchvision", "matplotlib", "matplotlib.pyplot", "FaceBoxes.utils.nms.cpu_nms"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision.transforms"] = compose
    suppress = runpy.run_path(str(original / "FaceBoxes" / "utils" / "nms" / "py_cpu_nms.py"))["py_cpu_nms"]
    for name in ("cpu_nms", "cpu_soft_nms"):
        setattr(sys.modules["FaceBoxes.utils.nms.cpu_nms"], name, suppress)
    boxes = importlib.import_module("FaceBoxes.FaceBoxes")
    boxes.pretrained_path = str(weights / "FaceBoxesProd.pth")
    with tempfile.TemporaryDirectory() as room, contextlib.redirect_stdout(io.StringIO()):
        basis = Path(room) / "bfm_noneck_v3.pkl"
        basis.write_bytes(pickle.dumps(arrays))
        find = boxes.FaceBoxes()
        tddfa = importlib.import_module("TDDFA").TDDFA(
            bfm_fp=str(basis),
            param_mean_std_fp=str(weights / "param_mean_std_62d_120x120.pkl"),
            arch="mobilenet",
            widen_factor=0.5,
            checkpoint_fp=str(weights / "mb05_120x120.pth"),
        )

    def run(picture: np.ndarray) -> np.ndarray:
        parameters, roi = tddfa(picture, find(picture)[:1])
        return np.asarray(tddfa.recon_vers(parameters, roi, dense_flag=True)[0])

    return run


if __name__ == "__main__":
    main()
