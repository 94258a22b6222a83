"""The face networks: two detectors and the attention face mesh, taken once out of MediaPipe's wheel.

Only the model files are used; MediaPipe itself is neither installed nor run. The models are Apache-2.0 (Google):
BlazeFace short range and full range (Bazarevsky et al., 2019) and Attention Mesh (Grishchenko et al., 2020).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from likeness.errors import WeightsError
from likeness.weights import store, tflite
from likeness.weights.lock import locked
from likeness.weights.wheel import Member, Wheel, obtain, read_member

__all__ = ["MEMBERS", "WHEEL", "install", "open_network", "path"]

WHEEL = Wheel(
    package="mediapipe",
    version="0.10.21",
    python="3.11",
    platform="manylinux_2_28_x86_64",
    file="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
)

MEMBERS = {
    "short_range": Member(
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "full_range": Member(
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    ),
    "attention_mesh": Member(
        "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
    ),
}

_FORMAT = 1  # of our file; part of its name, so that versions of the program do not disturb each other


def path() -> Path:
    """Where the converted networks lie."""
    return store.home() / f"face-networks-{_FORMAT}.safetensors"


def install() -> Path:
    """Make sure the converted networks are there: fetch, check, convert, tidy up. Safe to call from many processes.

    Returns:
        The file, about 4 MB.

    Raises:
        WeightsError: no network, not the pinned file, or the folder cannot be written.
    """
    target = path()
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_suffix(".lock")):
            if not target.is_file():
                _convert(target)
    except OSError as error:
        raise WeightsError(
            f"The face networks cannot be stored in {target.parent} ({error.strerror or error}); "
            "free some space, or set LIKENESS_HOME to a folder you can write."
        ) from error
    return target


def _convert(target: Path) -> None:
    for left in target.parent.glob(".face-networks-*"):  # by a process that was killed; we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".face-networks-", ignore_cleanup_errors=True) as folder:
        wheel = obtain(WHEEL, Path(folder))
        tensors: dict[str, NDArray[Any]] = {}
        graphs = {}
        for name, member in MEMBERS.items():
            graph = tflite.read(read_member(wheel, member), name)
            tensors |= {f"{name}.{i}": np.ascontiguousarray(values) for i, values in graph.constants.items()}
            graphs[name] = {
                "shapes": graph.shapes,
                "nodes": [asdict(node) for node in graph.nodes],
                "inputs": graph.inputs,
                "outputs": graph.outputs,
            }
        beside = Path(folder) / target.name
        with beside.open("wb") as file:
            file.write(save(tensors, {"graphs": json.dumps(graphs), "source": WHEEL.sha256}))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)


def open_network(name: str) -> tuple[dict[str, Any], dict[int, NDArray[Any]]]:
    """A network by its name in `MEMBERS`, installing all of them where needed.

    Returns:
        The graph ("shapes", "nodes", "inputs", "outputs") and its weights by tensor number.

    Raises:
        WeightsError: see `install`; or the file is damaged.
    """
    file = install()
    try:
        with safe_open(file, "numpy") as opened:
            graph = json.loads(opened.metadata()["graphs"])[name]
            prefix = name + "."
            keys = [k for k in opened.keys() if k.startswith(prefix)]  # noqa: SIM118 - not a dict
            weights = {int(k.removeprefix(prefix)): opened.get_tensor(k) for k in keys}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{file} is damaged ({error}); delete it and try again.") from error
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error.strerror or error}).") from error
    return graph, weights
