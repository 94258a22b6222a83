"""Reads ICT-FaceKit: the OBJ files of its public repository, or the same arrays packed in one npz.

Source: https://github.com/ICT-VGL/ICT-FaceKit (USC Institute for Creative Technologies, MIT licence). The tables of
vertex and polygon ranges are those of its README.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.progress import Progress

__all__ = ["COUNT", "EXPRESSIONS", "MODES", "POLYGONS", "VERTICES", "IctFiles", "pack_ict", "read_ict"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VERTICES = {
    "face": slice(0, 9409),
    "back": slice(9409, 11248),
    "mouth": slice(11248, 13294),
    "sockets": slice(13294, 14062),
    "gums and tongue": slice(14062, 17039),
    "teeth.upper": slice(17039, 19247),
    "teeth.lower": slice(19247, 21451),
    "eye.L": slice(21451, 22221),
    "eye.R": slice(23021, 23791),
    "wet": slice(24591, 24999),
    "lashes": slice(25351, 26719),
}
"""Vertex ranges; an eye here is its outer shell, without the ball with the iris inside it."""

POLYGONS = {
    "face": slice(0, 9230),
    "back": slice(9230, 11144),
    "mouth": slice(11144, 13226),
    "sockets": slice(13226, 14034),
    "gums": slice(14034, 16572),
    "tongue": slice(16572, 17006),
    "teeth": slice(17006, 21496),
    "eye.L": slice(21496, 22296),
    "eye.R": slice(23094, 23894),
    "wet": slice(24692, 25018),
    "lashes": slice(25304, 26384),
}

MODES = 100
COUNT, COUNT_POLYGONS, COUNT_UV = 26719, 26384, 28911

EXPRESSIONS = (
    *(f"{name}_{side}" for name in ("browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint")
      for side in "LR"),
    *(f"eye{name}_{side}" for name in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
      for side in "LR"),
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    *(f"mouth{name}_{side}" for name in ("Dimple", "Frown", "LowerDown", "Press", "Smile", "Stretch", "UpperUp")
      for side in "LR"),
    "mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "noseSneer_L", "noseSneer_R",
)  # fmt: skip
"""The expressions that ARKit has too."""


@dataclass(frozen=True, eq=False)
class IctFiles:
    """ICT-FaceKit as it is published: centimetres, +Y up, the face looks along +Z, the file's own origin.

    Attributes:
        vertices: (26719, 3) float64.
        identity: (100, 26719, 3) float32 deltas of one standard deviation.
        expression: deltas (26719, 3) float32 by the names in `EXPRESSIONS`.
        polygons, polygons_uv: (26384, 4) int64, -1 last for triangles.
        uv: (28911, 2) float64, one tile after the other along u.
        points68: (68,) int64, vertices of the Multi-PIE points.
    """

    vertices: Floats
    identity: NDArray[np.float32]
    expression: dict[str, NDArray[np.float32]]
    polygons: Ints
    polygons_uv: Ints
    uv: Floats
    points68: Ints


def read_ict(source: Path, progress: Progress) -> IctFiles:
    """Read the repository's folder (or its FaceXModel folder), a zip of it, or an npz of the same arrays.

    Raises:
        HeadError: something is missing or is not what ICT-FaceKit holds.
    """
    try:
        files = _packed(source) if source.suffix == ".npz" else _repository(source, progress)
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise HeadError(f"{source} is not a whole copy of ICT-FaceKit ({error}); download it again.") from error
    shapes = {
        "vertices": files.vertices.shape == (COUNT, 3),
        "identity": files.identity.shape == (MODES, COUNT, 3),
        "polygons": files.polygons.shape == (COUNT_POLYGONS, 4) and files.polygons.max() == COUNT - 1,
        "texture coordinates": files.uv.shape == (COUNT_UV, 2) and files.polygons_uv.shape == (COUNT_POLYGONS, 4),
        "expressions": all(d.shape == (COUNT, 3) for d in files.expression.values()),
        "landmarks": files.points68.shape == (68,),
    }
    wrong = [name for name, right in shapes.items() if not right]
    if wrong:
        raise HeadError(
            f"{source} is another edition of ICT-FaceKit (its {wrong[0]} differ); take the one with 26,719 vertices."
        )
    return files


def _packed(path: Path) -> IctFiles:
    with path.open("rb") as file, np.load(file) as data:
        names = [str(n) for n in data["names"]]
        expression = data["expression"].astype(np.float32)
        return IctFiles(
            data["neutral"].astype(np.float64),
            data["identity"].astype(np.float32),
            {name: expression[names.index(name)] for name in EXPRESSIONS},
            data["faces"].astype(np.int64),
            data["faces_uv"].astype(np.int64),
            data["uv"].astype(np.float64),
            np.array(json.loads(str(data["vertex_indices_json"]))["idx_to_landmark_verts"], dtype=np.int64),
        )


def pack_ict(files: IctFiles, path: Path) -> None:
    """Write an npz that `read_ict` reads: 27 MB instead of several hundred."""
    with path.open("wb") as file:
        np.savez(
            file,
            neutral=files.vertices.astype(np.float32),
            identity=files.identity.astype(np.float16),
            names=np.array(EXPRESSIONS),
            expression=np.stack([files.expression[name] for name in EXPRESSIONS]).astype(np.float16),
            faces=files.polygons.astype(np.int32),
            faces_uv=files.polygons_uv.astype(np.int32),
            uv=files.uv.astype(np.float32),
            vertex_indices_json=np.array(json.dumps({"idx_to_landmark_verts": files.points68.tolist()})),
            licence=np.array("ICT-FaceKit, MIT licence, USC Institute for Creative Technologies"),
        )


def _repository(source: Path, progress: Progress) -> IctFiles:
    root = source if source.is_dir() else zipfile.Path(source)
    places = [root, root / "FaceXModel"]
    if not source.is_dir():  # GitHub's zip holds one folder, named after the branch
        places += [inner / "FaceXModel" for inner in root.iterdir()]
    folder = next((f for f in places if (f / "generic_neutral_mesh.obj").exists()), None)
    if folder is None:
        raise HeadError(
            f"{source} holds no FaceXModel/generic_neutral_mesh.obj; give the folder or the zip of ICT-FaceKit."
        )
    neutral = (folder / "generic_neutral_mesh.obj").read_text()
    vertices = _numbers(neutral, "v ", 3)
    polygons, polygons_uv = _polygons(neutral)
    names = [f"identity{i:03d}" for i in range(MODES)] + list(EXPRESSIONS)
    deltas = []
    for i, name in enumerate(names):
        progress("head", 0.8 * i / len(names), f"Reading {name}")
        moved = _numbers((folder / f"{name}.obj").read_text(), "v ", 3)
        if moved.shape != vertices.shape:
            raise ValueError(f"{name}.obj has {len(moved)} vertices")
        deltas.append((moved - vertices).astype(np.float32))
    index = json.loads((folder / "vertex_indices.json").read_text())
    return IctFiles(
        vertices,
        np.stack(deltas[:MODES]),
        dict(zip(EXPRESSIONS, deltas[MODES:], strict=True)),
        polygons,
        polygons_uv,
        _numbers(neutral, "vt ", 2),
        np.array(index["idx_to_landmark_verts"], dtype=np.int64),
    )


def _lines(text: str, start: str) -> Iterator[str]:
    return (line[len(start) :] for line in text.splitlines() if line.startswith(start))


def _numbers(text: str, start: str, columns: int) -> Floats:
    """(N, columns) float64 of the lines that start so."""
    return np.array(" ".join(_lines(text, start)).split(), dtype=np.float64).reshape(-1, columns)


def _polygons(text: str) -> tuple[Ints, Ints]:
    """Corners "v/vt" of the faces, counted from 0: (F, 4) vertices and (F, 4) texture coordinates."""
    rows, rows_uv = [], []
    for line in _lines(text, "f "):
        corners = [corner.split("/") for corner in line.split()]
        gap = [-1] * (4 - len(corners))
        rows.append([int(c[0]) - 1 for c in corners] + gap)
        rows_uv.append([int(c[1]) - 1 for c in corners] + gap)
    return np.array(rows, dtype=np.int64), np.array(rows_uv, dtype=np.int64)
