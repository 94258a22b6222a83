"""DECA's networks, named as in ``deca_model.tar``: two encoders and the decoder of detail.

Source: Feng, Feng, Black and Bolkart, "Learning an Animatable Detailed 3D Face Model from In-The-Wild Images",
ACM ToG (SIGGRAPH) 2021.
"""

from __future__ import annotations

from torch import Tensor, nn

from likeness.networks.resnet import ResNet50

__all__ = ["DETAIL", "LATENT", "MAP", "PARAMETERS", "DetailDecoder", "Encoder"]

PARAMETERS = 236
"""Of the coarse encoder: shape 100, texture 50, expression 50, pose 6, camera 3, light 27."""
DETAIL = 128
LATENT = 181
"""Of the decoder: jaw 3, expression 50, detail 128."""
MAP = 256
"""Side of the displacement map in texels."""


class Encoder(nn.Module):
    """Crops (B, 3, 224, 224) RGB in 0..1 to codes (B, outputs)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.encoder = ResNet50()
        self.layers = nn.Sequential(nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, outputs))

    def forward(self, crops: Tensor) -> Tensor:
        """Crops to codes."""
        codes: Tensor = self.layers(self.encoder(crops))
        return codes


class DetailDecoder(nn.Module):
    """Latents (B, 181) to displacements (B, 1, 256, 256) metres, at most 10 mm either way."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Sequential(nn.Linear(LATENT, 128 * 8 * 8))
        layers: list[nn.Module] = [nn.BatchNorm2d(128)]
        for wide, narrow in ((128, 128), (128, 64), (64, 64), (64, 32), (32, 16)):
            layers += [
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                nn.Conv2d(wide, narrow, 3, padding=1),
                nn.BatchNorm2d(narrow, eps=0.8),  # so in the original, by position
                nn.LeakyReLU(0.2),
            ]
        layers += [nn.Conv2d(16, 1, 3, padding=1), nn.Tanh()]
        self.conv_blocks = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents to displacements."""
        metres: Tensor = 0.01 * self.conv_blocks(self.l1(latents).reshape(-1, 128, 8, 8))
        return metres
