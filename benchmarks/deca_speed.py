"""DECA's networks here against the original PyTorch code, side by side: ``deca_speed.py ORIGINAL``.

ORIGINAL is a clone of github.com/yfeng95/DECA. Both encode the same crop and decode a displacement of 256 x 256, warm,
in the same process, taking turns, with the original's random weights in both: what they hold takes no time.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from likeness.networks.deca import DETAIL, LATENT, PARAMETERS, DetailDecoder, Encoder
from likeness.networks.fuse import fold_batch_norms
from likeness.weights.strict import load_into

ROUNDS = 15
EXPRESSION, JAW = slice(150, 200), slice(203, 206)


def main() -> None:
    """Print the largest difference, milliseconds and their ratio on one thread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("original", type=Path)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    theirs = _theirs(parser.parse_args().original.resolve())
    ours = [Encoder(PARAMETERS), Encoder(DETAIL), DetailDecoder()]
    for mine, other in zip(ours, theirs, strict=True):
        load_into(mine, {name: value.numpy() for name, value in other.state_dict().items()}, "the original")
        fold_batch_norms(mine.requires_grad_(False).eval())
    crop = torch.rand(1, 3, 224, 224)

    def here() -> Tensor:
        with torch.inference_mode():
            return _relief(ours, crop)

    def there() -> Tensor:
        with torch.no_grad():
            return _relief(theirs, crop)

    print(f"largest difference: {1e6 * float((here() - there()).abs().max()):.3f} micrometres")
    mine_ms, other_ms = _in_turns(here, there)
    print(f"here {mine_ms:.1f} ms, original {other_ms:.1f} ms, {other_ms / mine_ms:.2f} times as fast")


def _relief(networks: list[Any], crop: Tensor) -> Tensor:
    coarse, detail, decoder = networks
    codes = coarse(crop)
    relief: Tensor = decoder(torch.cat([codes[:, JAW], codes[:, EXPRESSION], detail(crop)], 1))
    return relief


def _in_turns(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float]:
    """Medians in milliseconds of processor time."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for times, call in zip(taken, (first, second), strict=True):
            start = time.process_time()
            call()
            times.append(1e3 * (time.process_time() - start))
    return statistics.median(taken[0]), statistics.median(taken[1])


def _theirs(original: Path) -> list[Any]:
    """The original's networks with random weights; what its package would import besides is not needed."""
    package: Any = types.ModuleType("decalib_models")
    package.__path__ = [str(original / "decalib" / "models")]
    sys.modules["decalib_models"] = package
    # Pretrained weights, which its own checkpoint overwrites anyway, come from here.
    vision: Any = types.ModuleType("torchvision.models")
    vision.resnet50 = lambda pretrained: types.SimpleNamespace(state_dict=dict)
    sys.modules["torchvision"], sys.modules["torchvision.models"] = types.ModuleType("torchvision"), vision
    sys.modules["torchvision"].models = vision  # type: ignore[attr-defined]
    resnet: Any = importlib.import_module("decalib_models.resnet")
    resnet.copy_parameter_from_resnet = lambda model, _: model
    encoders: Any = importlib.import_module("decalib_models.encoders")
    decoders: Any = importlib.import_module("decalib_models.decoders")
    made = [
        encoders.ResnetEncoder(outsize=PARAMETERS),
        encoders.ResnetEncoder(outsize=DETAIL),
        decoders.Generator(latent_dim=LATENT, out_channels=1, out_scale=0.01, sample_mode="bilinear"),
    ]
    return [network.eval() for network in made]


if __name__ == "__main__":
    main()
