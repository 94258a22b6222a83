"""VRN's network in the official layout, 1,339 modules with invented numbers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from made_torch7 import Writer

PARITY = Path(__file__).parent / "parity"
sys.path.append(str(PARITY))

from fill import fill  # noqa: E402 - lies beside the parity tests

Module = tuple[str, dict[str, Any]]


def case() -> dict[str, np.ndarray]:
    """What Torch7 computes with the official layout."""
    with np.load(PARITY / "data" / "vrn" / "vrn_full.npz") as file:
        return dict(file)


def sequence(*modules: Module) -> Module:
    return "nn.Sequential", {"modules": list(modules)}


def both(*modules: Module) -> Module:
    return "nn.ConcatTable", {"modules": list(modules)}


def convolution(inputs: int, outputs: int, size: int | tuple[int, int] = 1, stride: int = 1) -> Module:
    height, width = (size, size) if isinstance(size, int) else size
    numbers = {"nInputPlane": inputs, "nOutputPlane": outputs, "kH": height, "kW": width, "dH": stride, "dW": stride}
    padding = {"padH": (height - 1) // 2, "padW": (width - 1) // 2}
    tensors = {"weight": np.zeros((outputs, inputs, height, width), np.float32), "bias": np.zeros(outputs, np.float32)}
    return "nn.SpatialConvolution", numbers | padding | tensors


def norm(channels: int) -> Module:
    tensors = {k: np.zeros(channels, np.float32) for k in ("weight", "bias", "running_mean", "running_var")}
    return "nn.SpatialBatchNormalization", {"eps": 1e-5, "train": True} | tensors


RELU, IDENTITY, SUM, SIGMOID = (
    ("nn.ReLU", {}),
    ("nn.Identity", {}),
    ("nn.CAddTable", {}),
    ("nn.Sigmoid", {}),
)
POOL: Module = ("nn.SpatialMaxPooling", {"kH": 2, "kW": 2, "dH": 2, "dW": 2, "padH": 0, "padW": 0, "ceil_mode": False})
TWICE: Module = ("nn.SpatialUpSamplingNearest", {"scale_factor": 2})
FOUR_TIMES: Module = ("nn.SpatialUpSamplingBilinear", {"scale_factor": 4})


def residual(a: int, b: int) -> Module:
    parts: list[Module] = []
    for inputs, outputs, size in ((a, b // 2, 1), (b // 2, b // 2, 3), (b // 2, b, 1)):
        parts += [norm(inputs), RELU, convolution(inputs, outputs, size)]
    return sequence(both(sequence(*parts), IDENTITY if a == b else sequence(convolution(a, b))), SUM)


def level(number: int, w: int = 256) -> list[Module]:
    beside = [residual(w, w) for _ in range(3)]
    if number > 1:
        beside.append(sequence(*level(number - 1, w)))
    below = [residual(w, w) for _ in range(6 if number > 1 else 9)]
    return [both(sequence(*beside), sequence(POOL, *below, TWICE)), SUM, residual(w, w)]


def narrow(w: int) -> Module:
    return sequence(convolution(w, w), norm(w), RELU)


def official(w: int = 256, depth: int = 200) -> Module:
    """The released layout."""
    head: list[Module] = [convolution(3, w // 4, 7, 2), norm(w // 4), RELU, residual(w // 4, w // 2), POOL]
    head += [residual(w // 2, w // 2), residual(w // 2, w)]
    twice = [m for _ in range(2) for m in (both(IDENTITY, sequence(*level(4, w), narrow(w), narrow(w))), SUM)]
    last = sequence(narrow(w), convolution(w, depth), FOUR_TIMES, SIGMOID)
    return sequence(*head, *twice, both(last))


def walked(module: Module) -> Iterator[Module]:
    """Without the network itself, depth first."""
    for child in module[1].get("modules", []):
        yield child
        yield from walked(child)


def write_official(folder: Path) -> None:
    network = official()
    modules = list(walked(network))
    for name, shape, kind, scale in json.loads(str(case()["params"])):
        index, field = name.removeprefix("vrn/").split(".")
        fields = modules[int(index)][1]
        assert fields[field].shape == tuple(shape), name
        fields[field] = fill(name, tuple(shape), kind) * np.float32(scale)
    (folder / "vrn-unguided.t7").write_bytes(Writer().value(network))


def write_relief(folder: Path, depth: np.ndarray, rank: int = 48) -> None:
    """A network of the same kinds of modules that draws a solid of a given depth (192, 192) in pixels.

    Zero padding tells a convolution as long as the picture where it is: one along each axis draws a map of low rank.
    """
    u, s, vt = np.linalg.svd(depth)
    side = len(depth)
    down, along = convolution(1, rank, (2 * side - 1, 1)), convolution(rank, 1, (1, 2 * side - 1))
    for module, values in ((down, u[:, :rank] * s[:rank]), (along, vt[:rank].T)):
        steps = np.diff(values, axis=0, prepend=0.0).T[
            :, ::-1
        ]  # (rank, side): a window that grows by one at each place
        weight = module[1]["weight"].reshape(rank, 2 * side - 1)
        weight[:, :side] = steps
    blank, slices = convolution(3, 1), convolution(1, 200)
    blank[1]["bias"][:] = 1
    slices[1]["weight"][:] = 4
    slices[1]["bias"][:] = -4 * np.arange(200) / 2
    network = sequence(blank, down, along, both(sequence(slices, SIGMOID)))
    (folder / "vrn-unguided.t7").write_bytes(Writer().value(network))
