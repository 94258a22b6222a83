"""A face descriptor that took no part in making the heads: dlib's network (Boost licence; weights public domain).

Bench only, from the packages dlib-bin and face-recognition-models (extra "bench"). Same person: below about 0.6.
Descriptors identify people; they are kept in memory alone.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIVE", "describe", "missing"]

MODEL = "dlib_face_recognition_resnet_model_v1.dat"
FIVE = (263, 362, 33, 133, 2)
"""MediaPipe's points in the order of dlib's five: corners of the eye on the picture's right, outer then inner, of the
one on the left, and where the nose meets the lip."""


def missing() -> str | None:
    """What has to be installed before `describe` can be used; None when nothing is missing."""
    absent = [p for m, p in (("dlib", "dlib-bin"), ("face_recognition_models", "face-recognition-models"))
              if importlib.util.find_spec(m) is None]  # fmt: skip
    return f"{' and '.join(absent)} (pip install '.[bench]')" if absent else None


@cache
def _network() -> Any:
    import dlib

    # The package imports pkg_resources, which newer setuptools lack: only its folder is asked for.
    spec = importlib.util.find_spec("face_recognition_models")
    assert spec
    assert spec.submodule_search_locations
    return dlib.face_recognition_model_v1(str(Path(next(iter(spec.submodule_search_locations))) / "models" / MODEL))


def describe(pixels: NDArray[np.uint8], five: NDArray[Any]) -> NDArray[np.float64]:
    """The descriptor (128,) of a face; a distance is Euclidean.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        five: (5, 2) pixel coordinates in the order of `FIVE`.
    """
    import dlib

    x, y = np.rint(np.asarray(five, np.float64)).astype(int).T
    box = dlib.rectangle(int(x.min()), int(y.min()), int(x.max()), int(y.max()))
    points = dlib.full_object_detection(box, [dlib.point(int(a), int(b)) for a, b in zip(x, y, strict=True)])
    return np.array(_network().compute_face_descriptor(np.ascontiguousarray(pixels), points, 0, 0.25))
