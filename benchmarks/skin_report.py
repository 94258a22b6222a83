"""Figures of many photos as one table: means, the worst group of tones beside the mean, one person in many lights."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skin_metrics import best_scale, delta_e, spread

__all__ = ["GROUPS", "Row", "agreement", "groups", "mean_of", "report"]

Floats = NDArray[np.float32]

GROUPS = {"1-2": (1, 2), "3-4": (3, 4), "5-6": (5, 6), "7-8": (7, 8), "9-10": (9, 10)}
"""Tones that are told of together."""
HEADLINE = "delta_e_seen"


@dataclass(frozen=True, eq=False)
class Row:
    """A photo's figures, see `skin_measure.compare`."""

    tone: int
    light: str
    yaw: float
    figures: dict[str, Any]


def mean_of(rows: Sequence[Row], name: str) -> float:
    """Mean over photos; photos without such texels do not count. NaN where none has any."""
    values = np.array([row.figures[name] for row in rows], np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def groups(rows: Sequence[Row], name: str) -> dict[str, float]:
    """A figure by group of tones; groups without photos are left out."""
    by = {group: [row for row in rows if row.tone in tones] for group, tones in GROUPS.items()}
    return {group: mean_of(found, name) for group, found in by.items() if found}


def agreement(skins: Sequence[Floats], weight: Floats, known: Sequence[NDArray[np.bool_]]) -> tuple[float, float]:
    """Mean CIEDE2000 between one person's skins (L, L, 3) linear made under different lights, over texels that both
    photos of a pair show: as they are, and after the best factor on one of them."""
    plain, scaled = [], []
    for i, j in itertools.combinations(range(len(skins)), 2):
        both = weight * (known[i] & known[j])
        factor = np.float32(best_scale(skins[i], skins[j], both))
        plain.append(spread(delta_e(skins[i], skins[j]), both).mean)
        scaled.append(spread(delta_e(skins[i] * factor, skins[j]), both).mean)
    return float(np.nanmean(plain)), float(np.nanmean(scaled))


def report(rows: Sequence[Row], consistency: dict[str, dict[str, float]]) -> dict[str, Any]:
    """All figures of a set of photos.

    Args:
        consistency: by person what `agreement` says of ours and of the raw unwrap.
    """
    numbers = {name: mean_of(rows, name) for name in rows[0].figures}
    by_tone = groups(rows, HEADLINE)
    worst = max(by_tone, key=lambda group: by_tone[group])
    ours, raw = numbers[HEADLINE], numbers[f"unwrap_{HEADLINE}"]
    scaled, raw_scaled = numbers[f"{HEADLINE}_scaled"], numbers[f"unwrap_{HEADLINE}_scaled"]
    lights = sorted({row.light for row in rows})
    return {
        **numbers,
        "photos": len(rows),
        "worst_tone": worst,
        "worst_tone_ratio": by_tone[worst] / ours,
        "worst_tone_ratio_scaled": max(groups(rows, f"{HEADLINE}_scaled").values()) / scaled,
        "gain_over_unwrap": 1 - ours / raw,
        "gain_over_unwrap_scaled": 1 - scaled / raw_scaled,
        "gain_over_unwrap_all": 1 - numbers["delta_e_all"] / numbers["unwrap_delta_e_all"],
        "by_tone": by_tone,
        "by_tone_scaled": groups(rows, f"{HEADLINE}_scaled"),
        "by_light": {light: mean_of([r for r in rows if r.light == light], HEADLINE) for light in lights},
        "by_light_scaled": {
            light: mean_of([r for r in rows if r.light == light], f"{HEADLINE}_scaled") for light in lights
        },
        "light_consistency": consistency,
        "by_photo": {f"tone {r.tone} {r.light} {r.yaw:+.0f}": r.figures for r in rows},
    }
