"""The names of the facial expressions."""

from __future__ import annotations

__all__ = ["ARKIT", "clipped", "limits_of", "mirrored"]

ARKIT = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""The 52 blend shapes of Apple's ARKit (ARFaceAnchor.BlendShapeLocation) in the alphabetical order in which they are
published; left and right are the person's own."""


def mirrored(name: str) -> str:
    """The expression of the other side of the face, e.g. "eyeBlinkLeft" -> "eyeBlinkRight"."""
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name[: -len(one)] + other
    return name


FREE = (-5.0, 5.0)
"""Limits of a statistical expression's weight, in standard deviations."""


def limits_of(name: str) -> tuple[float, float]:
    """Lowest and highest weight of an expression: 0 and 1 for ARKit's, `FREE` for "FLAME exp 000" and its like."""
    return (0.0, 1.0) if name in ARKIT else FREE


def clipped(name: str, weight: float) -> float:
    """The weight within the expression's limits."""
    low, high = limits_of(name)
    return min(max(weight, low), high)
