"""Official files to named tensors: read by the safe reader of their format, filtered, and checked for shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.catalog import SourceFile
from likeness.weights.readers import (
    caffe,
    dlib_face,
    hdf5,
    matlab,
    numpy_file,
    onnx,
    plain,
    tables,
    tf_checkpoint,
    tf_graph,
    torch7,
    torch7_tree,
    torch_file,
)

__all__ = ["FORMATS", "VERSION", "convert"]

Array = NDArray[Any]

VERSION = 1
"""Of what conversion does; kept in every manifest."""

_TORCH7 = ("weight", "bias", "running_mean", "running_var", "running_std", "eps", "train")

FORMATS: dict[str, Callable[[Path, SourceFile], Any]] = {
    "pickle": lambda path, file: plain.read(path),
    "torch": lambda path, file: torch_file.read(path),
    "npy": lambda path, file: numpy_file.read(path),
    "npz": lambda path, file: numpy_file.read_archive(path),
    "tf-checkpoint": lambda path, file: tf_checkpoint.read(path, file.drop),
    "tf-graph": lambda path, file: tf_graph.constants(path),
    "onnx": lambda path, file: onnx.read(path),
    "caffe": lambda path, file: caffe.read(path),
    "caffe-mean": lambda path, file: caffe.read_mean(path),
    "torch7": lambda path, file: _torch7(path),
    "mat": lambda path, file: matlab.read(path),
    "hdf5": lambda path, file: hdf5.read(path),
    "dlib-face": lambda path, file: dlib_face.read(path),
    "obj": lambda path, file: tables.read_obj(path),
    "text": lambda path, file: tables.read_text(path),
    "picture": lambda path, file: tables.read_picture(path),
    "exp-pca": lambda path, file: tables.read_expression_basis(path),
}


def convert(path: Path, file: SourceFile) -> dict[str, Array]:
    """The tensors of one official file, by "id/name" (or "id" where there is one without a name).

    Raises:
        WeightsError: the file is damaged or refused, or lacks a tensor, or has one of another shape.
    """
    found = plain.flatten(FORMATS[file.format](path, file), path.name)
    tensors = {_strip(name, file): value for name, value in found.items() if _wanted(name, file)}
    _check(path, file, tensors)
    return {f"{file.id}/{name}" if name else file.id: value for name, value in tensors.items()}


def _torch7(path: Path) -> dict[str, Array]:
    """A Torch7 network: "12.weight" and the like, and which module follows which as JSON in the bytes of "tree"."""
    network = torch7.read(path)
    tree = json.dumps(torch7_tree.tree(network)).encode()
    return {**torch7.tensors(network, _TORCH7), "tree": np.frombuffer(tree, np.uint8)}


def _wanted(name: str, file: SourceFile) -> bool:
    kept = not file.keep or name.startswith(file.keep)
    return kept and not any(fnmatchcase(name, pattern) for pattern in file.drop)


def _strip(name: str, file: SourceFile) -> str:
    for beginning in file.strip:
        name = name.removeprefix(beginning)
    return name


def _check(path: Path, file: SourceFile, tensors: dict[str, Array]) -> None:
    if not tensors:
        raise WeightsError(f"{path.name} holds none of the tensors of {file.name}; is it the right file?")
    for name, shape in file.expect.items():
        label = name or "its array"
        if name not in tensors:
            raise WeightsError(f"{path.name} lacks {label}; it is not the {file.name} that this version knows.")
        got = tensors[name].shape
        if len(got) != len(shape) or any(want not in (-1, have) for want, have in zip(shape, got, strict=True)):
            wanted = " x ".join("any" if n < 0 else str(n) for n in shape)
            raise WeightsError(
                f"{path.name}: {label} is {' x '.join(map(str, got))} where {wanted} is expected; "
                "it may be of another edition."
            )


def plain_order(tensors: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Contiguous and in the machine's byte order, as safetensors wants them."""
    for name, value in tensors.items():
        if value.dtype.kind == "c":
            continue
        # Not ascontiguousarray, which gives scalars a dimension.
        yield name, np.asarray(value, value.dtype.newbyteorder("="), order="C")
