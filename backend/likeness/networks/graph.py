"""Runs a network that was stored as data (a list of operations and their weights) as a PyTorch module."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from likeness.networks import attention_ops
from likeness.weights.face_networks import open_network

__all__ = ["GraphModule", "face_network", "one_thread"]

Options = dict[str, Any]
Step = Callable[[list[Tensor], Options], Tensor]


class GraphModule(nn.Module):
    """A network without gradients.

    Rank-4 tensors are NCHW inside and at the door; the stored graph thinks in NHWC, and whatever reshapes, joins or
    slices sees its tensors that way.
    """

    def __init__(self, graph: dict[str, Any], constants: dict[int, Tensor]) -> None:
        """Lay out the weights for torch.

        Args:
            graph: "shapes", "nodes" (op, inputs, outputs, options), "inputs", "outputs" as in `weights.tflite.Graph`.
            constants: weights by tensor number, in the stored layout; float16 becomes float32.
        """
        super().__init__()
        self.inputs: list[int] = graph["inputs"]
        self.outputs: list[int] = graph["outputs"]
        self.nodes: list[dict[str, Any]] = graph["nodes"]
        self.plan: list[tuple[Step, list[int | str], int, Options, list[int]]] = []
        last_use = {t: i for i, node in enumerate(graph["nodes"]) for t in node["inputs"]}
        for i, node in enumerate(graph["nodes"]):
            options = {**node["options"], "shape": graph["shapes"][node["outputs"][0]]}
            sources: list[int | str] = []
            for place, t in enumerate(node["inputs"]):
                if t not in constants:
                    sources += [t] if t >= 0 else []
                elif node["op"] in _PLAIN_ARGUMENTS:
                    options[_PLAIN_ARGUMENTS[node["op"]][place - 1]] = constants[t].tolist()
                else:
                    name = f"w{i}_{place}"
                    weight = _laid_out(node["op"], place, constants[t].float())
                    self.register_buffer(name, _fast(weight), persistent=False)
                    sources.append(name)
            done = [t for t in node["inputs"] if last_use[t] == i and t not in constants and t not in self.outputs]
            self.plan.append((_OPS[node["op"]], sources, node["outputs"][0], options, done))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Image (B, 3, H, W) float32 to the graph's outputs; rank-4 ones as (B, C, H, W)."""
        values: dict[int, Tensor] = {self.inputs[0]: _fast(image)}
        for step, sources, output, options, done in self.plan:
            arguments = [getattr(self, s) if isinstance(s, str) else values[s] for s in sources]
            values[output] = step(arguments, options)
            for t in set(done):
                del values[t]
        return [values[t] for t in self.outputs]


@contextmanager
def one_thread() -> Iterator[None]:
    """Small networks are fastest on one thread, and do not fight with whatever else runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


@cache
def face_network(name: str) -> GraphModule:
    """One of `weights.face_networks.MEMBERS`, loaded once.

    Raises:
        WeightsError: it cannot be fetched or read.
    """
    graph, weights = open_network(name)
    return GraphModule(graph, {i: torch.from_numpy(w) for i, w in weights.items()}).eval()


# Operations some of whose inputs are numbers known beforehand, and what these are called.
_PLAIN_ARGUMENTS = {
    "pad": ("widths",),
    "reshape": ("target",),
    "resize": ("size",),
    "slice": ("begin", "end", "strides"),
}


def _laid_out(op: str, place: int, weight: Tensor) -> Tensor:
    if op == "conv" and place == 1:  # OHWI -> OIHW
        return weight.permute(0, 3, 1, 2).contiguous()
    if op == "depthwise" and place == 1:  # 1HWC -> C1HW
        return weight.permute(3, 0, 1, 2).contiguous()
    if op == "prelu":  # (1, 1, C) -> (C,)
        if weight.numel() != weight.shape[-1]:
            raise ValueError("PReLU with a slope per pixel is not supported")
        return weight.reshape(-1)
    return _channels_first(weight) if weight.ndim == 4 else weight


def _fast(t: Tensor) -> Tensor:
    """These thin networks run 1.5 times as fast on the CPU with the channels innermost in memory."""
    return t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t.contiguous()


def _channels_first(t: Tensor) -> Tensor:
    return t.permute(0, 3, 1, 2)


def _channels_last(t: Tensor) -> Tensor:
    return t.permute(0, 2, 3, 1) if t.ndim == 4 else t


def _stored(t: Tensor) -> Tensor:
    """The other way round: as the graph has it to as we keep it."""
    return _channels_first(t) if t.ndim == 4 else t


def _activated(t: Tensor, options: Options) -> Tensor:
    kind = options.get("activation", 0)
    if kind == 0:
        return t
    if kind == 1:
        return functional.relu(t)
    raise ValueError(f"activation {kind} is not supported")


def _same_padding(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """TensorFlow's SAME: the odd pixel goes after; (left, right, top, bottom)."""
    widths = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
        widths.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = widths
    return [left, right, top, bottom]


def _convolve(arguments: list[Tensor], options: Options, groups: int) -> Tensor:
    x, weight, *bias = arguments
    stride = (options["stride_h"], options["stride_w"])
    dilation = (options["dilation_h"], options["dilation_w"])
    padding = (0, 0)
    if not options["valid"]:
        left, right, top, bottom = _same_padding(x.shape[2:], weight.shape[2:], stride, dilation)
        if left == right and top == bottom:
            padding = (top, left)
        else:
            x = functional.pad(x, (left, right, top, bottom))
    y = functional.conv2d(x, weight, bias[0] if bias else None, stride, padding, dilation, groups)
    return _activated(y, options)


def _conv(arguments: list[Tensor], options: Options) -> Tensor:
    return _convolve(arguments, options, 1)


def _depthwise(arguments: list[Tensor], options: Options) -> Tensor:
    return _convolve(arguments, options, arguments[0].shape[1])


def _max_pool(arguments: list[Tensor], options: Options) -> Tensor:
    (x,) = arguments
    kernel, stride = (options["filter_h"], options["filter_w"]), (options["stride_h"], options["stride_w"])
    if not options["valid"] and any(widths := _same_padding(x.shape[2:], kernel, stride, (1, 1))):
        x = functional.pad(x, widths, value=-math.inf)
    return _activated(functional.max_pool2d(x, kernel, stride), options)


def _add(arguments: list[Tensor], options: Options) -> Tensor:
    return _activated(arguments[0] + arguments[1], options)


def _mul(arguments: list[Tensor], options: Options) -> Tensor:
    return _activated(arguments[0] * arguments[1], options)


def _relu(arguments: list[Tensor], options: Options) -> Tensor:
    return functional.relu(arguments[0])


def _prelu(arguments: list[Tensor], options: Options) -> Tensor:
    return functional.prelu(arguments[0], arguments[1])


def _pad(arguments: list[Tensor], options: Options) -> Tensor:
    batch, rows, columns, channels = options["widths"]
    return functional.pad(arguments[0], [*columns, *rows, *channels, *batch])


def _reshape(arguments: list[Tensor], options: Options) -> Tensor:
    x = _channels_last(arguments[0])
    return _stored(x.reshape(x.shape[0], *options["shape"][1:]))


def _concat(arguments: list[Tensor], options: Options) -> Tensor:
    return _activated(_stored(torch.cat([_channels_last(a) for a in arguments], options["axis"])), options)


def _slice(arguments: list[Tensor], options: Options) -> Tensor:
    if any(options[k] for k in ("begin_mask", "end_mask", "ellipsis", "new_axis", "shrink")):
        raise ValueError("a slice with masks is not supported")
    x = _channels_last(arguments[0])
    ranges = list(zip(options["begin"], options["end"], options["strides"], strict=True))
    return _stored(x[(slice(None), *(slice(*r) for r in ranges[1:]))])


def _resize(arguments: list[Tensor], options: Options) -> Tensor:
    if not options["half_pixel"] and not options["align_corners"]:
        raise ValueError("a resize that aligns upper left corners is not supported")
    align = bool(options["align_corners"])
    return functional.interpolate(arguments[0], size=options["size"], mode="bilinear", align_corners=align)


def _depth_to_space(arguments: list[Tensor], options: Options) -> Tensor:
    # TensorFlow keeps the channel innermost, torch's pixel_shuffle outermost.
    b = options["block"]
    n, c, h, w = arguments[0].shape
    x = arguments[0].reshape(n, b, b, c // (b * b), h, w)
    return x.permute(0, 3, 4, 1, 5, 2).reshape(n, c // (b * b), h * b, w * b)


_OPS: dict[str, Step] = {
    "add": _add,
    "concat": _concat,
    "conv": _conv,
    "depth_to_space": _depth_to_space,
    "depthwise": _depthwise,
    "max_pool": _max_pool,
    "mul": _mul,
    "pad": _pad,
    "prelu": _prelu,
    "relu": _relu,
    "reshape": _reshape,
    "resize": _resize,
    "slice": _slice,
    "landmarks_to_matrix": attention_ops.landmarks_to_matrix,
    "transform_bilinear": attention_ops.transform_bilinear,
    "transform_landmarks": attention_ops.transform_landmarks,
}
