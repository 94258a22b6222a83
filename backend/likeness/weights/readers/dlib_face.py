"""dlib's face descriptor network (dlib_face_recognition_resnet_model_v1.dat), and no other file of dlib's.

Format: dlib/serialize.h and dlib/dnn/layers.h: whole numbers of varying length, floats as mantissa and exponent,
tensors as raw float32. Layers come from the input outwards, each under its name, without the network's shape.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.weights.readers.mapped import Bytes, damaged, map_file

__all__ = ["read"]

Array = NDArray[Any]

LAYERS = 108
_INPUT = b"input_rgb_image_sized"


def read(path: Path) -> dict[str, Array]:
    """The network's numbers, by "layer.kind.what" with layers counted from the input.

    Returns:
        con: weight (out, in, rows, columns), bias (out,), step (stride y, stride x, pad y, pad x); affine: gamma and
        beta (channels,); max_pool and avg_pool: step (rows, columns, stride y, stride x, pad y, pad x); fc: weight
        (inputs, outputs); relu, add_prev: an empty array. "mean" (3,) RGB.

    Raises:
        WeightsError: the file is damaged, or another network.
    """
    data = map_file(path)
    reader = _Reader(data)
    try:
        return reader.network()
    except (ValueError, IndexError, OverflowError, UnicodeError) as error:
        raise damaged(data.name, f"{error} at {reader.at}") from error


class _Reader:
    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        value = self.data.take(self.at, 1)[0]
        self.at += 1
        return value

    def integer(self) -> int:
        control = self.byte()
        count = control & 15
        if control & 0x70 or not 1 <= count <= 8:
            raise ValueError(f"a whole number that begins with 0x{control:02x}")
        value = int.from_bytes(self.data.take(self.at, count), "little")
        self.at += count
        return -value if control & 0x80 else value

    def real(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        if abs(exponent) > 2000:
            raise ValueError("a number that is not finite")
        return float(mantissa) * 2.0**exponent

    def text(self) -> bytes:
        count = self.integer()
        if not 0 <= count <= 100:
            raise ValueError(f"a text of {count} bytes")
        text = bytes(self.data.take(self.at, count))
        self.at += count
        return text

    def tensor(self) -> Array:
        if self.integer() != 2:
            raise ValueError("a tensor of another version")
        shape = [self.integer() for _ in range(4)]
        count = 1
        for length in shape:
            if length < 0:
                raise ValueError(f"a tensor of shape {shape}")
            count *= length
        values = np.frombuffer(self.data.take(self.at, 4 * count), "<f4")
        self.at += 4 * count
        return values.reshape(shape)

    def alias(self) -> list[int]:
        if self.integer() != 1:
            raise ValueError("a shape of another version")
        return [self.integer() for _ in range(4)]

    def network(self) -> dict[str, Array]:
        if (self.integer(), self.text()) != (1, b"loss_metric_2"):
            raise ValueError("another network than the face descriptor")
        self.real()
        self.real()
        for _ in range(130):  # versions of the wrappers, from the outside in
            self.integer()
        if self.text() != _INPUT:
            raise ValueError("another input than a face chip")
        found: dict[str, Array] = {"mean": np.array([self.real() for _ in range(3)])}
        if [self.integer() for _ in range(2)] != [150, 150]:
            raise ValueError("another size of face chips")
        for layer in range(LAYERS):
            kind, values = self.layer()
            found |= {f"{layer:03d}.{kind}.{what}" if what else f"{layer:03d}.{kind}": v for what, v in values.items()}
            for _ in range(3):
                if self.byte() not in b"01":
                    raise ValueError("a switch that is neither on nor off")
            if any(self.tensor().size for _ in range(3)):
                raise ValueError("a layer that keeps what passed through it")
            if layer == 0:
                self.integer()
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes are left over")
        return found

    def layer(self) -> tuple[str, dict[str, Array]]:
        name = self.text()
        if name == b"con_4":
            params = self.tensor().reshape(-1)
            *_, stride_y, stride_x, pad_y, pad_x = (self.integer() for _ in range(7))
            shape, bias = self.alias(), self.alias()
            self.skip_reals(4)
            count = shape[0] * shape[1] * shape[2] * shape[3]
            if count + bias[1] != len(params) or min(shape) < 1:
                raise ValueError(f"{len(params)} numbers for filters of shape {shape}")
            step = np.array([stride_y, stride_x, pad_y, pad_x])
            return "con", {"weight": params[:count].reshape(shape), "bias": params[count:], "step": step}
        if name == b"affine_":
            params = self.tensor().reshape(-1)
            self.alias()
            self.alias()
            if self.integer() or len(params) % 2:
                raise ValueError("an affine layer that is not for convolutions")
            half = len(params) // 2
            return "affine", {"gamma": params[:half], "beta": params[half:]}
        if name in (b"max_pool_2", b"avg_pool_2"):
            return name[:-2].decode(), {"step": np.array([self.integer() for _ in range(6)])}
        if name == b"fc_2":
            outputs, inputs = self.integer(), self.integer()
            params = self.tensor().reshape(-1)
            self.alias()
            self.alias()
            if self.integer() != 1 or outputs * inputs != len(params):
                raise ValueError("a last layer with a bias")
            self.skip_reals(4)
            return "fc", {"weight": params.reshape(inputs, outputs)}
        if name in (b"relu_", b"add_prev_"):
            return name.decode().rstrip("_"), {"": np.zeros(0, np.float32)}
        raise ValueError(f"a layer called {name!r}")

    def skip_reals(self, count: int) -> None:
        for _ in range(count):
            self.real()
