# SPDX-License-Identifier: GPL-3.0-or-later
"""Named expressions as ARKit weights.

After the action units of Ekman and Friesen's Facial Action Coding System for each emotion (happiness 6 + 12, sadness
1 + 4 + 15, surprise 1 + 2 + 5 + 26, fear 1 + 2 + 4 + 5 + 20 + 26, anger 4 + 5 + 7 + 23, disgust 9 + 15 + 16, contempt
R12 + R14), at strengths that look natural rather than at their peak; speech after the mouth shapes of animators.
"""

from __future__ import annotations

from dataclasses import dataclass

from .expression_names import AREAS, area

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """An expression.

    Attributes:
        title, kind: what the menus say; kinds are "Emotion", "Eyes" and "Speech".
        weights: by name without its side where both sides do the same.
        areas: the areas of the face that it rules; whatever it does not name there goes back to 0, other areas stay.
    """

    title: str
    kind: str
    weights: dict[str, float]
    areas: tuple[str, ...] = tuple(AREAS)

    def values(self, names: list[str]) -> dict[str, float]:
        """Weight for each of a head's expressions that the preset rules."""
        found = {}
        for name in names:
            if area(name) in self.areas:
                both = name.removesuffix("Left").removesuffix("Right")
                found[name] = self.weights.get(name, self.weights.get(both, 0.0))
        return found


EYES, SPEECH = ("eye",), ("jaw", "mouth", "tongue")


def _emotion(title: str, **weights: float) -> Preset:
    return Preset(title, "Emotion", weights)


def _eyes(title: str, **weights: float) -> Preset:
    return Preset(title, "Eyes", weights, EYES)


def _speech(title: str, **weights: float) -> Preset:
    return Preset(title, "Speech", weights, SPEECH)


PRESETS: dict[str, Preset] = {
    "NEUTRAL": _emotion("Neutral"),
    "SMILE": _emotion("Smile", mouthSmile=0.7, cheekSquint=0.45, eyeSquint=0.25, mouthDimple=0.15, browInnerUp=0.05),
    "LAUGH": _emotion(
        "Laugh",
        jawOpen=0.35,
        mouthSmile=0.95,
        cheekSquint=0.8,
        eyeSquint=0.55,
        mouthUpperUp=0.4,
        mouthLowerDown=0.25,
        browOuterUp=0.15,
        noseSneer=0.1,
    ),
    "SURPRISE": _emotion(
        "Surprise", browInnerUp=0.85, browOuterUp=0.85, eyeWide=0.75, jawOpen=0.4, mouthFunnel=0.15, mouthStretch=0.05
    ),
    "SAD": _emotion(
        "Sad",
        browInnerUp=0.85,
        browDown=0.25,
        mouthFrown=0.7,
        mouthShrugLower=0.35,
        mouthLowerDown=0.1,
        eyeSquint=0.2,
        eyeBlink=0.15,
        eyeLookDown=0.2,
    ),
    "ANGRY": _emotion(
        "Angry",
        browDown=0.95,
        noseSneer=0.45,
        eyeSquint=0.35,
        eyeWide=0.2,
        mouthPress=0.55,
        mouthFrown=0.3,
        mouthShrugLower=0.2,
        jawForward=0.15,
    ),
    "FEAR": _emotion(
        "Fear",
        browInnerUp=0.95,
        browOuterUp=0.45,
        browDown=0.3,
        eyeWide=0.9,
        mouthStretch=0.65,
        jawOpen=0.2,
        mouthLowerDown=0.25,
    ),
    "DISGUST": _emotion(
        "Disgust",
        noseSneer=0.9,
        browDown=0.55,
        cheekSquint=0.45,
        eyeSquint=0.45,
        mouthUpperUp=0.5,
        mouthFrown=0.4,
        mouthShrugUpper=0.25,
    ),
    "CONTEMPT": _emotion(
        "Contempt",
        mouthSmileLeft=0.35,
        mouthDimpleLeft=0.6,
        mouthLeft=0.15,
        cheekSquintLeft=0.25,
        eyeSquint=0.2,
        browDownRight=0.2,
        browOuterUpLeft=0.25,
    ),
    "DOUBT": _emotion(
        "Doubt",
        browOuterUpLeft=0.85,
        browInnerUp=0.1,
        browDownRight=0.55,
        eyeSquint=0.25,
        mouthPress=0.3,
        mouthRight=0.25,
        mouthShrugLower=0.25,
    ),
    "PAIN": _emotion(
        "Pain",
        browDown=0.85,
        browInnerUp=0.3,
        eyeBlink=0.55,
        eyeSquint=0.7,
        cheekSquint=0.7,
        noseSneer=0.5,
        mouthStretch=0.5,
        mouthUpperUp=0.35,
        mouthLowerDown=0.35,
        jawOpen=0.08,
    ),
    "SHOUT": _emotion(
        "Shout",
        jawOpen=0.85,
        browDown=0.7,
        noseSneer=0.5,
        eyeSquint=0.35,
        mouthUpperUp=0.5,
        mouthLowerDown=0.5,
        mouthStretch=0.25,
        cheekSquint=0.3,
    ),
    "KISS": _emotion("Kiss", mouthPucker=0.9, mouthFunnel=0.2, browInnerUp=0.1, eyeSquint=0.1),
    "PUFF": _emotion("Puff", cheekPuff=0.9, mouthPress=0.3, mouthPucker=0.15, eyeWide=0.15),
    "TONGUE": _emotion("Tongue out", tongueOut=0.9, jawOpen=0.7, noseSneer=0.25, cheekSquint=0.25),
    "BLINK": _eyes("Blink", eyeBlink=1.0),
    "WINK_LEFT": _eyes("Wink left", eyeBlinkLeft=1.0, eyeSquintLeft=0.4, eyeSquintRight=0.1),
    "WINK_RIGHT": _eyes("Wink right", eyeBlinkRight=1.0, eyeSquintRight=0.4, eyeSquintLeft=0.1),
    "SQUINT": _eyes("Squint", eyeSquint=0.9, eyeBlink=0.2),
    "WIDE": _eyes("Wide eyes", eyeWide=0.9),
    "SLEEPY": _eyes("Sleepy", eyeBlink=0.5, eyeLookDown=0.15),
    "SPEECH_A": _speech("A", jawOpen=0.5, mouthLowerDown=0.15, mouthUpperUp=0.1),
    "SPEECH_E": _speech("E", jawOpen=0.2, mouthSmile=0.3, mouthStretch=0.3, mouthLowerDown=0.25, mouthUpperUp=0.15),
    "SPEECH_I": _speech("I", jawOpen=0.1, mouthSmile=0.4, mouthStretch=0.25, mouthLowerDown=0.3, mouthUpperUp=0.15),
    "SPEECH_O": _speech("O", jawOpen=0.35, mouthFunnel=0.65, mouthPucker=0.3),
    "SPEECH_U": _speech("U", jawOpen=0.12, mouthPucker=0.75, mouthFunnel=0.35),
    "SPEECH_M": _speech("M B P", mouthPress=0.45, mouthRollLower=0.3, mouthRollUpper=0.3),
    "SPEECH_F": _speech("F V", jawOpen=0.05, mouthRollLower=0.55, mouthUpperUp=0.3, mouthShrugLower=0.15),
    "SPEECH_L": _speech("L", jawOpen=0.25, tongueOut=0.12, mouthLowerDown=0.2, mouthUpperUp=0.15),
    "SPEECH_S": _speech("S Z", jawOpen=0.04, mouthStretch=0.3, mouthLowerDown=0.35, mouthUpperUp=0.25, mouthFunnel=0.1),
    "SPEECH_CH": _speech("Ch Sh", jawOpen=0.08, mouthFunnel=0.6, mouthLowerDown=0.25, mouthUpperUp=0.2),
}
