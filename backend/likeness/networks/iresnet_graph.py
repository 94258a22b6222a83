"""IResNets out of ONNX files (InsightFace's w600k_r50 and glintr100, AuraFace): told by how their operations follow
each other, whatever the numbers are called there.

Exporters multiply the normalisation behind a convolution into it. What is left is its shift, which goes to the
normalisation of arcface_torch's own network, so that one network serves both kinds of file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError

__all__ = ["state_of"]

Array = NDArray[Any]
Node = Mapping[str, Any]
EPS = 1e-5
"""Of the network's normalisations."""


def state_of(graph: Mapping[str, Any], values: Mapping[str, Array], what: str) -> dict[str, Array]:
    """The state by arcface_torch's names.

    Args:
        graph, values: as `likeness.weights.readers.onnx` reads them.
        what: the file, for messages.

    Raises:
        WeightsError: it is another network.
    """
    try:
        return _Walk(graph, values).state
    except (_OtherError, IndexError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{what} is no IResNet as ArcFace is trained with: {error}.") from error


class _OtherError(Exception):
    """The graph goes on in another way."""


class _Walk:
    """From the input to the output, block by block."""

    def __init__(self, graph: Mapping[str, Any], values: Mapping[str, Array]) -> None:
        self.values = dict(values)
        self.state: dict[str, Array] = {}
        self.users: dict[str, list[Node]] = {}
        for node in graph["nodes"]:
            if node["op"] == "Identity" and node["inputs"][0] in self.values:
                self.values[node["outputs"][0]] = self.values[node["inputs"][0]]  # one set of numbers, used twice
                continue
            for name in dict.fromkeys(node["inputs"]):
                self.users.setdefault(name, []).append(node)
        if len(graph["inputs"]) != 1 or len(graph["outputs"]) != 1:
            raise _OtherError("it has several inputs or outputs")
        x = self._convolution(graph["inputs"][0], "conv1", "bn1", 3, 1)
        x = self._bent(x, "prelu")
        stage = number = 0
        while len(self.users.get(x, [])) > 1:
            halves = any(node["op"] == "Conv" for node in self.users[x])
            stage, number = (stage + 1, 0) if halves else (stage, number + 1)
            x = self._block(x, f"layer{stage}.{number}.", halves=halves)
        x = self._normalised(x, "bn2")
        x = self._only(x, "Flatten", "Reshape")["outputs"][0]
        x = self._dense(x)
        if self._normalised(x, "features") != graph["outputs"][0]:
            raise _OtherError("it does not end behind the descriptor's normalisation")

    def _block(self, x: str, name: str, *, halves: bool) -> str:
        y = self._normalised(x, f"{name}bn1")
        y = self._convolution(y, f"{name}conv1", f"{name}bn2", 3, 1)
        y = self._bent(y, f"{name}prelu")
        y = self._convolution(y, f"{name}conv2", f"{name}bn3", 3, 2 if halves else 1)
        aside = self._convolution(x, f"{name}downsample.0", f"{name}downsample.1", 1, 2) if halves else x
        node = self._only(y, "Add")
        if set(node["inputs"]) != {y, aside}:
            raise _OtherError(f"{name[:-1]} adds something else than its shortcut")
        return str(node["outputs"][0])

    def _only(self, x: str, *ops: str) -> Node:
        """The one operation of a kind that takes x."""
        fits = [node for node in self.users.get(x, []) if node["op"] in ops]
        if len(fits) != 1:
            there = ", ".join(node["op"] for node in self.users.get(x, [])) or "nothing"
            raise _OtherError(f"{' or '.join(ops)} is expected where {there} follows")
        return fits[0]

    def _value(self, node: Node, place: int) -> Array:
        inputs = node["inputs"]
        if place >= len(inputs) or inputs[place] not in self.values:
            raise _OtherError(f"a {node['op']} whose numbers are not stored")
        return np.asarray(self.values[inputs[place]])

    def _convolution(self, x: str, name: str, norm: str, size: int, step: int) -> str:
        node = self._only(x, "Conv")
        kept, padding = node["attributes"], size // 2
        plain = kept.get("group", 1) == 1 and set(kept.get("dilations", [1])) == {1}
        around = set(kept.get("pads", [0])) == {padding}
        weight = self._value(node, 1)
        if not plain or not around or set(kept.get("strides", [1])) != {step} or weight.shape[2:] != (size, size):
            raise _OtherError(f"{name} is another convolution")
        self.state[f"{name}.weight"] = weight
        x = node["outputs"][0]
        followed = [node for node in self.users.get(x, []) if node["op"] == "BatchNormalization"]
        if len(node["inputs"]) == 2 and followed:
            return self._normalised(x, norm)
        count = len(weight)
        shift = self._value(node, 2) if len(node["inputs"]) > 2 else np.zeros(count, np.float32)
        self.state |= {
            f"{norm}.weight": np.ones(count, np.float32),
            f"{norm}.bias": shift,
            f"{norm}.running_mean": np.zeros(count, np.float32),
            f"{norm}.running_var": np.full(count, 1 - EPS, np.float32),
        }
        return str(x)

    def _normalised(self, x: str, name: str) -> str:
        node = self._only(x, "BatchNormalization")
        for place, part in enumerate(("weight", "bias", "running_mean", "running_var"), 1):
            self.state[f"{name}.{part}"] = self._value(node, place)
        self.state[f"{name}.running_var"] = (
            self.state[f"{name}.running_var"] + np.float32(node["attributes"].get("epsilon", EPS)) - np.float32(EPS)
        )
        return str(node["outputs"][0])

    def _bent(self, x: str, name: str) -> str:
        node = self._only(x, "PRelu")
        self.state[f"{name}.weight"] = self._value(node, 1).reshape(-1)
        return str(node["outputs"][0])

    def _dense(self, x: str) -> str:
        node = self._only(x, "Gemm")
        kept = node["attributes"]
        if kept.get("alpha", 1.0) != 1 or kept.get("beta", 1.0) != 1 or kept.get("transA", 0):
            raise _OtherError("its last layer is scaled")
        weight = self._value(node, 1)
        self.state |= {"fc.weight": weight if kept.get("transB", 0) else weight.T, "fc.bias": self._value(node, 2)}
        return str(node["outputs"][0])
