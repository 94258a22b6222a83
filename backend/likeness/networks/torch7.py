"""Networks of Torch7, run as their own files describe them.

Semantics: torch/nn (BSD), module by module. Batch normalisation there knows two ways: with what was learned of all
pictures, or with the statistics of the picture at hand; see `Torch7.batch`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from likeness.errors import WeightsError

__all__ = ["Torch7"]

Value = Any
"""A tensor, or a list of values: Torch7's tables."""
Step = Callable[[Value], Value]


class Torch7:
    """A network built from a module tree and its tensors.

    Attributes:
        batch: normalise each picture by its own statistics rather than by those that were learned. It is what Torch7
            of 2017 does with a network that was saved without a call of evaluate(), whatever the number of pictures.
        inputs: channels of the first convolution.
    """

    def __init__(self, tree: dict[str, Any], tensors: Mapping[str, NDArray[Any]], source: str) -> None:
        """Build.

        Args:
            tree: see `likeness.weights.readers.torch7_tree.tree`.
            tensors: by "index.field", see `likeness.weights.readers.torch7.tensors`.
            source: the file, for messages.

        Raises:
            WeightsError: a module is of a kind that is not known, or lacks a tensor, or has one that does not fit.
        """
        self._source = source
        self._tensors = tensors
        self.inputs = 0
        trains: list[bool] = []
        self._run = self._built(tree, trains)
        self.batch = any(trains)

    @classmethod
    def from_store(cls, tensors: Mapping[str, NDArray[Any]], source: str) -> Torch7:
        """Build from an entry's tensors, "tree" among them as JSON in bytes; raises as the class does."""
        if "tree" not in tensors:
            raise WeightsError(f"{source} was installed by an older version; install it again.")
        return cls(json.loads(tensors["tree"].tobytes()), tensors, source)

    def __call__(self, pictures: Tensor) -> Tensor | list[Tensor]:
        """What the network says of pictures (B, C, H, W); a list where it gives several things."""
        try:
            with torch.inference_mode():
                result: Tensor | list[Tensor] = self._run(pictures)
        except (RuntimeError, IndexError, TypeError) as error:
            raise WeightsError(f"{self._source} does not fit its own modules ({error!s:.120}).") from error
        while isinstance(result, list) and len(result) == 1:
            result = result[0]
        return result

    def _built(self, tree: dict[str, Any], trains: list[bool]) -> Step:
        kind, numbers = str(tree["kind"]).replace("cudnn.", "nn."), tree["numbers"]
        inner = [self._built(child, trains) for child in tree["children"]]
        if kind == "nn.Sequential":
            return _sequence(inner)
        if kind == "nn.ConcatTable":
            return lambda x: [one(x) for one in inner]
        if kind == "nn.ParallelTable":
            return lambda x: [one(part) for one, part in zip(inner, x, strict=True)]
        if kind == "nn.gModule":
            return _graph(inner, tree["nodes"])
        if kind in ("nn.SpatialConvolution", "nn.SpatialConvolutionMM"):
            return self._convolution(tree)
        if kind in ("nn.SpatialBatchNormalization", "nn.BatchNormalization"):
            trains.append(bool(numbers.get("train", False)))
            return self._normalisation(tree)
        if kind == "nn.SpatialMaxPooling":
            return _pooling(numbers)
        if kind == "nn.SpatialUpSamplingNearest":
            factor = int(numbers["scale_factor"])
            return lambda x: x.repeat_interleave(factor, -2).repeat_interleave(factor, -1)
        if kind == "nn.SpatialUpSamplingBilinear":
            factor = int(numbers["scale_factor"])
            return lambda x: functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True)
        if kind == "nn.JoinTable":  # counted without the batch where the file says so
            place = int(numbers["dimension"]) - 1 + (numbers.get("nInputDims", 0) == 3)
            return lambda x: torch.cat(x, place)
        if kind in _PLAIN:
            return _PLAIN[kind]
        raise WeightsError(f"{self._source} holds a module of the kind {kind!r:.60}, which is not supported.")

    def _tensor(self, tree: dict[str, Any], field: str, shape: tuple[int, ...]) -> Tensor:
        name = f"{tree['index']}.{field}"
        if name not in self._tensors:
            raise WeightsError(f"{self._source} lacks {field} of module {tree['index']} ({tree['kind']}).")
        value = np.array(self._tensors[name], np.float32, order="C")
        if value.size != np.prod(shape) or not np.isfinite(value).all():
            raise WeightsError(
                f"{self._source}: {field} of module {tree['index']} ({tree['kind']}) has {value.size} numbers where "
                f"{' x '.join(map(str, shape))} finite ones are needed."
            )
        return torch.from_numpy(value.reshape(shape))

    def _convolution(self, tree: dict[str, Any]) -> Step:
        n = tree["numbers"]
        outputs, inputs, height, width = (int(n[k]) for k in ("nOutputPlane", "nInputPlane", "kH", "kW"))
        self.inputs = self.inputs or inputs
        weight = self._tensor(tree, "weight", (outputs, inputs, height, width))
        biased = f"{tree['index']}.bias" in self._tensors
        bias = self._tensor(tree, "bias", (outputs,)) if biased else None
        stride = int(n.get("dH", 1)), int(n.get("dW", 1))
        padding = int(n.get("padH", 0)), int(n.get("padW", 0))
        return lambda x: functional.conv2d(x, weight, bias, stride, padding)

    def _normalisation(self, tree: dict[str, Any]) -> Step:
        index, eps = tree["index"], float(tree["numbers"].get("eps", 1e-5))
        name = f"{index}.running_mean"
        count = self._tensors[name].size if name in self._tensors else 0
        mean = self._tensor(tree, "running_mean", (count,))
        if f"{index}.running_std" in self._tensors:  # as very old files have it: 1 / sqrt(variance + eps)
            variance = self._tensor(tree, "running_std", (count,)) ** -2 - eps
        else:
            variance = self._tensor(tree, "running_var", (count,))
        affine = f"{index}.weight" in self._tensors
        weight = self._tensor(tree, "weight", (count,)) if affine else None
        bias = self._tensor(tree, "bias", (count,)) if affine else None

        def normalised(x: Tensor) -> Tensor:
            if self.batch:
                return functional.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
            return functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)

        return normalised


def _sequence(steps: list[Step]) -> Step:
    def run(x: Value) -> Value:
        for step in steps:
            x = step(x)
        return x

    return run


def _graph(modules: list[Step], nodes: list[dict[str, Any]]) -> Step:
    def run(x: Value) -> Value:
        values: list[Value] = []
        for node in nodes:
            given = [values[i] for i in node["inputs"]]
            value = x if not given else given[0] if len(given) == 1 else given
            if node["select"] is not None:
                value = value[node["select"]]
            elif node["module"] is not None:
                value = modules[node["module"]](value)
            values.append(value)
        return values[-1]

    return run


def _pooling(numbers: dict[str, Any]) -> Step:
    size, stride, padding = ((int(numbers[f"{name}H"]), int(numbers[f"{name}W"])) for name in ("k", "d", "pad"))
    up = bool(numbers.get("ceil_mode", False))
    return lambda x: functional.max_pool2d(x, size, stride, padding, ceil_mode=up)


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


_PLAIN: dict[str, Step] = {
    "nn.Identity": lambda x: x,
    "nn.Dropout": lambda x: x,
    "nn.SpatialDropout": lambda x: x,
    "nn.ReLU": functional.relu,
    "nn.Sigmoid": torch.sigmoid,
    "nn.CAddTable": _sum,
}
