"""Two kinds of light that a head is drawn in: spherical harmonics, and the point light of GANFIT's paper.

Source: Ramamoorthi and Hanrahan, SIGGRAPH 2001, for the first. For the second Gecer et al., CVPR 2019, section 3.2: a
position and a colour of one light and the colour of ambient light, nine numbers, without gloss; the shading is Phong's,
by interpolated normals, as in the renderer of Genova et al., CVPR 2018.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from likeness.render.light import sh_basis

__all__ = ["HARMONICS", "LIGHTS", "WHITE", "Light"]

DIMMEST = 0.02
WHITE = 0.8
"""Linear light that a camera gives a white face, and the deviation of its logarithm."""
WHITE_SPREAD = 0.25
AWAY, AWAY_SPREAD = 2.0, 0.5
"""Metres from the head's origin at which a point light usually is, and the deviation of the logarithm."""
LEAST = 0.3
"""Share of the level that ambient light has at least to begin with."""


class Light(Protocol):
    """How a tensor of numbers lights a head.

    Attributes:
        name: for settings; title: for people.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def of(self, harmonics: Tensor) -> Tensor:
        """The numbers of a light like the one of spherical harmonics (9, 3)."""
        ...

    def shading(self, places: Tensor, normals: Tensor, occlusion: Tensor, light: Tensor) -> Tensor:
        """Light (P, 3) that white skin throws back at places (P, 3) metres in the head's frame.

        Args:
            normals: (P, 3) of unit length; occlusion: (P,) share of the surroundings that is seen.
        """
        ...

    def unlikely(self, light: Tensor) -> Tensor:
        """How far it is from even light in which a white face is exposed as photos are: squared deviations."""
        ...

    def coloured(self, light: Tensor) -> Tensor:
        """How coloured it is: the mean squared distance from grey, its level being 1."""
        ...

    def settle(self, light: Tensor) -> None:
        """Bring it back, in place, to what a light can be."""
        ...


def _exposure(level: Tensor) -> Tensor:
    return ((level.clamp(min=1e-3) / WHITE).log() / WHITE_SPREAD).square()


class Harmonics:
    """(9, 3) radiance in the head's frame, see `likeness.render.light`; the surroundings are seen through occlusion."""

    name: ClassVar[str] = "harmonics"
    title: ClassVar[str] = "spherical harmonics of degree 2, with occlusion"

    def of(self, harmonics: Tensor) -> Tensor:
        """As `Light`."""
        return harmonics

    def shading(self, places: Tensor, normals: Tensor, occlusion: Tensor, light: Tensor) -> Tensor:
        """As `Light`; places do not matter."""
        return ((sh_basis(normals) @ light) * occlusion[:, None]).clamp(min=DIMMEST)

    def unlikely(self, light: Tensor) -> Tensor:
        """As `Light`."""
        return light[1:].mean(1).square().sum() + _exposure(light[0].mean() * 0.282095)

    def coloured(self, light: Tensor) -> Tensor:
        """As `Light`."""
        level = light[0].mean().detach().abs().clamp(min=1e-3)
        return ((light - light.mean(1, keepdim=True)) / level).square().mean()

    def settle(self, light: Tensor) -> None:
        """Nothing to do."""


class PointLight:
    """(3, 3): a lamp's place in metres of the head's frame, its colour, and the colour of the ambient light.

    As in the paper the lamp throws no shadow and does not fade with distance. What the head hides of its surroundings
    dims the ambient light, which the paper's head, without a mouth, has no need of.
    """

    name: ClassVar[str] = "phong"
    title: ClassVar[str] = "one point light and ambient light, Phong"

    def of(self, harmonics: Tensor) -> Tensor:
        """As `Light`: a lamp gives a quarter of its strength to the mean over all directions, a half to the slope."""
        level = harmonics[0].mean() * 0.282095
        slope = harmonics[[3, 1, 2]].mean(1) * 0.488603 * (2 / 3)
        to = functional.normalize(slope + slope.new_tensor([0.0, 0.0, 1e-6]), dim=0)
        strength = torch.minimum(2 * slope.norm(), 4 * (1 - LEAST) * level).clamp(min=0.1 * level)
        grey = torch.stack([strength, level - strength / 4])
        return torch.cat([AWAY * to[None], grey[:, None].expand(2, 3)])

    def shading(self, places: Tensor, normals: Tensor, occlusion: Tensor, light: Tensor) -> Tensor:
        """As `Light`."""
        facing = (normals * functional.normalize(light[0] - places, dim=1)).sum(1).clamp(min=0)
        return (light[2] * occlusion[:, None] + light[1] * facing[:, None]).clamp(min=DIMMEST)

    def unlikely(self, light: Tensor) -> Tensor:
        """As `Light`; and how far the lamp is from where lamps are."""
        away: Tensor = ((light[0].norm().clamp(min=1e-3) / AWAY).log() / AWAY_SPREAD).square()
        return light[1].mean().square() + away + _exposure(light[2].mean() + light[1].mean() / 4)

    def coloured(self, light: Tensor) -> Tensor:
        """As `Light`."""
        colours = light[1:]
        level = (light[2].mean() + light[1].mean() / 4).detach().clamp(min=1e-3)
        return ((colours - colours.mean(1, keepdim=True)) / level).square().mean()

    def settle(self, light: Tensor) -> None:
        """No colour is below black."""
        light[1:].clamp_(min=0)


HARMONICS: Light = Harmonics()
LIGHTS: dict[str, Light] = {"harmonics": HARMONICS, "phong": PointLight()}
"""By the names that settings have for them."""
