"""What a head's skin may look like: a small linear model of vertex colours, for any head with 68 landmarks.

Light that goes through a layer is dampened by exp(-absorbance), and absorbances of pigments add up (Beer and Lambert).
So colour is linear in absorbance: a mean and a handful of modes, each one pigment in one place, with coefficients that
are independent N(0, 1), and it is never negative. No photo or scan of a person went in. The statistics:

- **Tone**: mean and two principal components of the absorbances of the ten published colours of the Monk Skin Tone
  scale (Monk, "The Monk Skin Tone Scale", 2023, CC BY 4.0), each shade as likely as the other.
- **Blood and melanin** in lips, cheeks, nose and lids: oxygenated haemoglobin and melanin at the primaries of sRGB
  (about 610, 545 and 465 nm; Prahl's tables; Jacques, "Optical properties of biological tissues: a review", Physics in
  Medicine and Biology 2013).
- **Amounts and spreads** of features: set by eye, `FEATURES`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.heads.anny_parts import IRIS_UV_RADIUS
from likeness.heads.base import HeadModel
from likeness.photos.srgb import srgb_decoded

__all__ = ["NAMES", "Pigments"]

Floats = NDArray[np.float64]

MONK = "f6ede4 f3e7db f7ead0 eadaba d7bd96 a07e56 825c43 604134 3a312a 292420"
BLOOD = (0.04, 1.0, 0.75)
MELANIN = (0.66, 1.0, 1.6)
HAIR = (0.85, 1.0, 1.12)
CLEAREST = 0.1
"""Absorbance that all skin has at least."""

FEATURES: tuple[tuple[str, tuple[float, float, float], float, float], ...] = (
    ("skin", BLOOD, 0.22, 0.10),
    ("cheeks", BLOOD, 0.10, 0.12),
    ("nose", BLOOD, 0.06, 0.10),
    ("lips", BLOOD, 0.55, 0.30),
    ("lips", MELANIN, 0.15, 0.25),
    ("lids", MELANIN, 0.12, 0.20),
    ("under eyes", MELANIN, 0.08, 0.12),
    ("rims", HAIR, 0.90, 0.40),
    ("brows", HAIR, 1.30, 0.60),
    ("brow edges", HAIR, 0.00, 0.30),
    ("beard", HAIR, 0.12, 0.30),
    ("scalp", HAIR, 1.10, 0.90),
    ("irises", MELANIN, 1.60, 0.45),
)
"""Where, which pigment, its mean and its standard deviation (absorbance of green)."""
NAMES = ("tone", "warmth", *(f"{place} {['blood', 'melanin', 'hair'][(BLOOD, MELANIN, HAIR).index(p)]}"
                             for place, p, _, _ in FEATURES))  # fmt: skip
"""Of the coefficients."""

# Linear reflectance of what is not skin.
FIXED = {"teeth": (0.62, 0.55, 0.45), "gums": (0.40, 0.12, 0.10), "tongue": (0.40, 0.13, 0.12),
         "mouth": (0.16, 0.04, 0.035), "eye.L": (0.36, 0.34, 0.33), "eye.R": (0.36, 0.34, 0.33)}  # fmt: skip
PUPIL = 0.36  # of the iris' radius


@dataclass(frozen=True, eq=False)
class Pigments:
    """Vertex colours of a head.

    Attributes:
        mean: (V, 3) float32 absorbance for red, green, blue; modes: (K, V, 3) float32, one standard deviation each,
            by `NAMES`.
    """

    mean: Tensor
    modes: Tensor

    @classmethod
    def of(cls, head: HeadModel) -> Pigments:
        """The colours of a head with landmarks "ibug68"; groups are used where the head names them."""
        masks = _masks(head)
        shades = _shades()
        middle = shades.mean(0)
        _, sizes, axes = np.linalg.svd(shades - middle, full_matrices=False)
        tones = axes[:2] * sizes[:2, None] / np.sqrt(len(shades)) * np.sign(axes[:2, :1])
        skin = masks["skin"]
        mean = skin[:, None] * middle
        modes = [skin[:, None] * tone for tone in tones]
        for place, pigment, amount, spread in FEATURES:
            layer = masks[place][:, None] * np.array(pigment)
            mean = mean + amount * layer
            modes.append(spread * layer)
        for name, colour in FIXED.items():
            where = np.unique(head.triangles[head.region(name)].numpy())
            mean[where] += -np.log(colour)
        mean += 3.0 * masks["pupils"][:, None]
        return cls(torch.from_numpy(mean).float(), torch.from_numpy(np.array(modes)).float())

    def colours(self, coefficients: Tensor) -> Tensor:
        """Linear reflectance (B, V, 3) in 0..1 from coefficients (B, K); differentiable."""
        absorbance = self.mean + torch.einsum("bk,kvc->bvc", coefficients, self.modes)
        return torch.exp(-absorbance.clamp(min=CLEAREST))

    def to(self, device: torch.device) -> Pigments:
        """The same on another device."""
        return Pigments(self.mean.to(device), self.modes.to(device))


def _shades() -> Floats:
    """(10, 3) absorbances of the scale's colours."""
    srgb = np.array([[int(shade[i : i + 2], 16) / 255 for i in (0, 2, 4)] for shade in MONK.split()])
    absorbances: Floats = -np.log(srgb_decoded(srgb))
    return absorbances


def _masks(head: HeadModel) -> dict[str, Floats]:
    """(V,) from 0 to 1 by name; 0 on what is not skin, irises and pupils apart."""
    points = head.template.double().numpy()
    marks = head.landmarks["ibug68"].on(head.template, head.triangles).double().numpy()
    unit = float(np.linalg.norm(marks[36] - marks[45]))
    triangles = head.triangles.numpy()
    skin = np.zeros(len(points))
    skin[np.unique(triangles[head.region("skin").numpy()])] = 1
    groups = {name: weight.double().numpy() for name, weight in head.groups.items()}

    def around(lines: list[Floats], radius: float) -> Floats:
        """1 on the lines, 0 from two radii away, in distances between the outer eye corners."""
        away = np.min([_distance(points, line) for line in lines], axis=0) / unit
        return np.asarray(np.clip(2 - away / radius, 0, 1) * skin)

    def between(first: int, second: int, share: float = 0.5) -> Floats:
        return np.asarray(marks[first] + share * (marks[second] - marks[first]))

    upper, lower = marks[[48, 49, 50, 51, 52, 53, 54]], marks[[54, 55, 56, 57, 58, 59, 48]]
    inner = marks[[60, 61, 62, 63, 64, 65, 66, 67, 60]]
    brows = groups.get("brows", around([marks[17:22], marks[22:27]], 0.045))
    eyes = [marks[[36, 37, 38, 39, 40, 41, 36]], marks[[42, 43, 44, 45, 46, 47, 42]]]
    down = np.array([0.0, -0.13, 0.0]) * unit
    chin = [marks[3:14], marks[4:13] + (marks[8] - marks[57]) * -0.35, (upper + marks[33]) / 2, lower + 0.6 * down]
    lips = groups.get("lips", around([upper, lower, inner], 0.05))
    beard = np.clip(around(chin, 0.13), 0, 1) * (1 - lips)
    cheeks = [between(2, 31, 0.6)[None], between(14, 35, 0.6)[None]]
    bags = [marks[[36, 41, 40, 39]] + down, marks[[42, 47, 46, 45]] + down]
    above = points[:, 1] - marks[27, 1] > 0.75 * unit
    masks = {
        "skin": skin,
        "cheeks": around(cheeks, 0.18),
        "nose": groups.get("nose", around([marks[27:31], marks[31:36]], 0.12)),
        "lips": lips,
        "lids": groups.get("eyelids", around(eyes, 0.07)),
        "under eyes": around(bags, 0.06),
        "rims": around(eyes, 0.012),
        "brows": brows,
        "brow edges": 4 * brows * (1 - brows),
        "beard": beard,
        "scalp": groups.get("scalp", skin * above),
    }
    place = np.full((len(points), 2), 9.0)
    for name in ("eye.L", "eye.R"):
        which = head.region(name)
        place[triangles[which.numpy()].ravel()] = head.uv[head.triangles_uv[which]].double().numpy().reshape(-1, 2)
    radius = np.linalg.norm(place - 0.5, axis=1) / IRIS_UV_RADIUS
    masks["irises"] = (radius < 0.97).astype(np.float64)
    masks["pupils"] = (radius < PUPIL).astype(np.float64)
    return masks


def _distance(points: Floats, line: Floats) -> Floats:
    """(V,) metres from points (V, 3) to a line of segments through (N, 3)."""
    if len(line) == 1:
        return np.asarray(np.linalg.norm(points - line[0], axis=1))
    start, step = line[:-1], np.diff(line, axis=0)
    share = ((points[:, None] - start) * step).sum(-1) / np.maximum((step**2).sum(-1), 1e-12)
    foot = start + np.clip(share, 0, 1)[..., None] * step
    return np.asarray(np.linalg.norm(points[:, None] - foot, axis=-1).min(1))
