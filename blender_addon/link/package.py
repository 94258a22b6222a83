# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an avatar package (a ``NAME.likeness`` folder or its zip) without trusting it.

Arrays stay sparse as they are stored, pictures stay files: Blender makes shape keys, vertex groups and images of them.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .files import PackageError, Store, picture_size, read_arrays

__all__ = [
    "Camera",
    "Identity",
    "Image",
    "Joint",
    "Material",
    "Package",
    "PackageError",
    "Sparse",
    "View",
    "open_package",
]

FORMAT = "likeness avatar"
SCHEMA = 1
MAX_MANIFEST = 1 << 24
MAX_VERTICES = 500_000
MAX_POLYGONS = 1_000_000
MAX_NAMES = 1024
MAX_SIDE = 8192
MAX_PHOTO_PIXELS = 1 << 27
MAX_COORDINATE = 100.0
MAX_WEIGHT = 10.0


@dataclass(frozen=True)
class Sparse:
    """Rows of values on vertices: row r is start[r]..start[r + 1] of vertex (K,) int32 and value (K,) or (K, 3)."""

    start: np.ndarray
    vertex: np.ndarray
    value: np.ndarray

    def row(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertex indices (n,) int32 and values (n,) or (n, 3) float32 of a row."""
        part = slice(int(self.start[index]), int(self.start[index + 1]))
        return self.vertex[part], self.value[part]


@dataclass(frozen=True)
class Joint:
    """A joint: its parent's index (-1 for a root) and rest position (3,) in metres, +Y up."""

    name: str
    parent: int
    position: np.ndarray


@dataclass(frozen=True)
class Image:
    """A map: data value = scale * pixel (0..1) + offset. ``colour`` is "srgb" or "linear"."""

    path: Path
    colour: str
    scale: float
    offset: float


@dataclass(frozen=True)
class Material:
    """Maps by channel and plain values by name."""

    maps: dict[str, Image]
    values: dict[str, Any]


@dataclass(frozen=True)
class Camera:
    """OpenCV pinhole (x right, y down, z forward) in pixels: x_camera = rotation @ x_world + translation.

    For an orthographic camera fx, fy are pixels per metre.
    """

    kind: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    rotation: np.ndarray
    translation: np.ndarray


@dataclass(frozen=True)
class View:
    """How the head stands in one photo.

    expression weights by name; pose (J, 3) axis-angle radians, +Y up; light (9, 3) radiance, spherical harmonics up to
    degree 2 about +Z of the head, red, green, blue, or None.
    """

    name: str
    photo: Path
    camera: Camera
    expression: dict[str, float]
    pose: np.ndarray
    light: np.ndarray | None = None


@dataclass(frozen=True)
class Identity:
    """What makes a head this person's: names of N coefficients, the person's weights (N,), deltas (N, V, 3) metres at
    weight 1, and (N, J, 3) metres that the joints move.
    """

    names: list[str]
    weights: np.ndarray
    deltas: np.ndarray
    joints: np.ndarray

    def first(self, count: int) -> Identity:
        """The first of the coefficients alone."""
        return Identity(self.names[:count], self.weights[:count], self.deltas[:count], self.joints[:count])


@dataclass(frozen=True)
class Package:
    """All of a package. Metres, right-handed, +Y up, the face along +Z.

    vertices (V, 3) float32; polygons (F, 4) int32, -1 last for triangles; uv (T, 2) float32, origin lower left;
    polygons_uv (F, 4) int32; polygon_region (F,) int32 into regions, pairs of region name and material name;
    expression rows (n, 3) metres, skin rows per joint, group rows per group; corrective rows (n, 3) metres per unit of
    an entry of R - I, nine per joint in corrective_joints, row by row; expression_limits where they are not 0 and 1;
    identity where the head model names its coefficients: they are in the vertices already.
    """

    name: str
    head: str
    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    polygons_uv: np.ndarray
    polygon_region: np.ndarray
    regions: list[tuple[str, str]]
    expressions: list[str]
    expression: Sparse
    joints: list[Joint]
    skin: Sparse
    groups: list[str]
    group: Sparse
    materials: dict[str, Material]
    views: list[View]
    provenance: dict[str, Any]
    corrective_joints: list[str]
    corrective: Sparse
    expression_limits: dict[str, tuple[float, float]]
    identity: Identity | None = None


@contextmanager
def open_package(path: Path | str) -> Iterator[Package]:
    """The package at ``path``, checked. The pictures of a zip are files only inside the ``with`` block.

    Raises PackageError, one sentence for people, when any part of it cannot be trusted.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(prefix="likeness-") as room, Store(path, Path(room)) as store:
        try:
            manifest = json.loads(store.read("avatar.json", MAX_MANIFEST), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise PackageError(f"The file avatar.json of the package {path} is damaged ({error}).") from error
        _check_format(path, manifest)
        try:
            package = _package(store, manifest)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            what = str(error) if type(error) is ValueError else f"{type(error).__name__} {error}"
            raise PackageError(f"The package {path} is damaged: {what}.") from error
        yield package


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _check_format(path: Path, manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise PackageError(f"{path} is not an avatar package.")
    schema = manifest.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise PackageError(
            f"The package {path} was written by a newer version (schema {schema}, known here: {SCHEMA}); "
            "update the Likeness add-on to open it."
        )
    if type(schema) is not int or schema < 1:
        raise PackageError(f"The package {path} has no schema version.")


def _package(store: Store, m: dict[str, Any]) -> Package:
    arrays = read_arrays(store.read("geometry.npz"))
    vertices = _floats(arrays["vertices"], 3)
    uv = _floats(arrays["uv"], 2)
    V, T = len(vertices), len(uv)
    _require(0 < V <= MAX_VERTICES and 0 < T <= 4 * MAX_POLYGONS, "it has too few or too many vertices")
    polygons, polygons_uv = _polygons(arrays["polygons"], V), _polygons(arrays["polygons_uv"], T)
    _require(polygons.shape == polygons_uv.shape, "mesh and UVs differ in their polygons")
    _require(bool(((polygons[:, 3] < 0) == (polygons_uv[:, 3] < 0)).all()), "triangles differ between mesh and UVs")
    regions = [(_name(r["name"]), _name(r["material"])) for r in m["regions"]]
    region = arrays["polygon_region"]
    _require(region.dtype.kind in "iu" and region.shape == (len(polygons),), "polygon_region has a wrong shape")
    _require(bool((region >= 0).all() and (region < len(regions)).all()), "polygon_region is out of range")
    expressions, groups = _names(m["expressions"]), _names(m["groups"])
    joints = _joints(m["joints"])
    skin = _sparse(arrays, "skin", len(joints), V, ())
    turning = _names(m["corrective_joints"])
    _require(set(turning) <= {j.name for j in joints}, "it has pose correctives of unknown joints")
    limits = {_name(k): (float(low), float(high)) for k, (low, high) in m["expression_limits"].items()}
    _require(set(limits) <= set(expressions), "it has limits of unknown expressions")
    ok = all(-MAX_WEIGHT <= low <= 0 < high <= MAX_WEIGHT for low, high in limits.values())
    _require(ok, "an expression's limits are out of range")
    total = np.bincount(skin.vertex, skin.value, V)
    _require(bool((abs(total - 1) < 1e-2).all() and (skin.value >= -1e-3).all()), "skin weights do not sum to 1")
    return Package(
        name=_file_name(m["name"]),
        head=_name(m["head"], 255),
        vertices=vertices,
        polygons=polygons,
        uv=uv,
        polygons_uv=polygons_uv,
        polygon_region=region.astype(np.int32),
        regions=regions,
        expressions=expressions,
        expression=_sparse(arrays, "expression", len(expressions), V, (3,)),
        joints=joints,
        skin=skin,
        groups=groups,
        group=_sparse(arrays, "group", len(groups), V, ()),
        materials={_name(k): _material(store, v) for k, v in m["materials"].items()},
        views=[_view(store, v, dict.fromkeys(expressions, (0.0, 1.0)) | limits, len(joints)) for v in m["views"]],
        provenance=dict(m["provenance"]),
        corrective_joints=turning,
        corrective=_sparse(arrays, "corrective", 9 * len(turning), V, (3,)),
        expression_limits=limits,
        identity=_identity(arrays, m.get("identity"), V, len(joints), expressions),
    )


def _identity(
    arrays: dict[str, np.ndarray], weights: dict[str, Any] | None, vertices: int, joints: int, taken: list[str]
) -> Identity | None:
    if weights is None:
        return None
    names = _names(list(weights))
    _require(not set(names) & set(taken), "a coefficient of identity bears an expression's name")
    values = np.array([float(w) for w in weights.values()], np.float32)
    _require(bool((abs(values) <= MAX_WEIGHT).all()), "a coefficient of identity is out of range")
    found = []
    for name, rows in (("identity", vertices), ("identity_joints", joints)):
        _require(arrays[name].shape == (len(names), rows, 3), f"{name} has a wrong shape")
        found.append(_floats(arrays[name].reshape(-1, 3), 3).reshape(-1, rows, 3))
    return Identity(names, values, *found)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _name(value: Any, longest: int = 63) -> str:
    ok = isinstance(value, str) and 0 < len(value.encode()) <= longest and value.isprintable()
    _require(ok, f"{str(value)[:80]!r} is no usable name")
    return str(value)


def _file_name(value: Any) -> str:
    name = _name(value, 400)
    ok = len(name) <= 100 and not set(name) & set('<>:"/\\|?*') and name[0] not in ". " and name[-1] not in ". "
    _require(ok, f"{name[:80]!r} is no usable name")
    return name


def _names(values: Any) -> list[str]:
    _require(isinstance(values, list) and len(values) <= MAX_NAMES, "it has too many names")
    names = [_name(v) for v in values]
    _require(len(set(names)) == len(names), "it holds a name twice")
    return names


def _floats(array: np.ndarray, width: int) -> np.ndarray:
    _require(array.dtype.kind == "f" and array.ndim == 2 and array.shape[1] == width, "an array has a wrong shape")
    _require(bool(np.isfinite(array).all()), "an array holds numbers that are not finite")
    _require(array.size == 0 or float(abs(array).max()) <= MAX_COORDINATE, "an array is out of range")
    return array.astype(np.float32)


def _polygons(array: np.ndarray, count: int) -> np.ndarray:
    _require(array.dtype.kind in "iu" and array.ndim == 2 and array.shape[1] == 4, "polygons have a wrong shape")
    _require(0 < len(array) <= MAX_POLYGONS, "it has too few or too many polygons")
    ok = array[:, :3].min() >= 0 and array[:, 3].min() >= -1 and array.max() < count
    _require(bool(ok), "polygons point outside the vertices")
    return array.astype(np.int32)


def _sparse(arrays: dict[str, np.ndarray], name: str, rows: int, vertices: int, tail: tuple[int, ...]) -> Sparse:
    start, vertex, value = (arrays[f"{name}_{part}"] for part in ("start", "vertex", "value"))
    _require(all(a.dtype.kind in "iu" and a.ndim == 1 for a in (start, vertex)), f"{name} has a wrong type")
    ok = len(start) == rows + 1 and value.dtype.kind == "f" and value.shape == (len(vertex), *tail)
    _require(ok, f"{name} has a wrong shape")
    _require(
        bool(start[0] == 0 and start[-1] == len(vertex) and (start[1:] >= start[:-1]).all()), f"{name} is disordered"
    )
    _require(
        len(vertex) == 0 or bool(vertex.min() >= 0 and vertex.max() < vertices), f"{name} points outside the vertices"
    )
    _require(bool(np.isfinite(value).all() and (abs(value) <= MAX_COORDINATE).all()), f"{name} is not finite")
    return Sparse(start.astype(np.int64), vertex.astype(np.int32), value.astype(np.float32))


def _joints(entries: Any) -> list[Joint]:
    _require(isinstance(entries, list) and 0 < len(entries) <= 512, "it has too few or too many joints")
    names = _names([e["name"] for e in entries])
    joints = []
    for i, (name, entry) in enumerate(zip(names, entries, strict=True)):
        parent = entry["parent"]
        _require(type(parent) is int and -1 <= parent < i, "a joint does not come after its parent")
        joints.append(Joint(name, parent, _floats(np.array([entry["position"]], float), 3)[0]))
    return joints


def _material(store: Store, data: dict[str, Any]) -> Material:
    maps = {}
    for channel, entry in data["maps"].items():
        _require(entry["colour"] in ("srgb", "linear"), "a map has an unknown colour space")
        scale, offset = float(entry["scale"]), float(entry["offset"])
        _require(math.isfinite(scale) and math.isfinite(offset), "a map has no finite scale")
        path, (width, height) = _picture(store, entry["file"], "maps", (".png",))
        if max(width, height) > MAX_SIDE:
            raise PackageError(f"The package {store.path} is refused: {entry['file']} is {width} x {height} texels.")
        maps[_name(channel)] = Image(path, entry["colour"], scale, offset)
    values = dict(data["values"])
    _require(all(_plain(v) for v in values.values()), "a material value is neither text nor finite numbers")
    return Material(maps, values)


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 1000
    if isinstance(value, (int, float)):
        return math.isfinite(value)
    return isinstance(value, list) and len(value) <= 64 and all(_plain(v) for v in value)


def _picture(store: Store, name: Any, folder: str, suffixes: tuple[str, ...]) -> tuple[Path, tuple[int, int]]:
    parts = name.split("/")
    if len(parts) != 2 or parts[0] != folder or not parts[1].lower().endswith(suffixes):
        raise PackageError(f"The package {store.path} is refused: {name!r} is no picture in its folder {folder}.")
    path = store.file(name)
    return path, picture_size(path)


def _view(store: Store, data: dict[str, Any], known: dict[str, tuple[float, float]], joints: int) -> View:
    c = data["camera"]
    _require(c["kind"] in ("perspective", "orthographic"), "a camera is of an unknown kind")
    fx, fy, cx, cy = (float(c[k]) for k in ("fx", "fy", "cx", "cy"))
    rotation = _floats(np.array(c["rotation"], float), 3).astype(float)
    translation = np.array(c["translation"], float).reshape(3)
    _require(bool(np.isfinite([fx, fy, cx, cy, *translation]).all() and min(fx, fy) > 0), "a camera is not finite")
    rigid = rotation.shape == (3, 3) and np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2)
    _require(bool(rigid and np.linalg.det(rotation) > 0), "a camera has no proper rotation")
    photo, size = _picture(store, data["photo"], "photos", (".jpg", ".png"))
    if size[0] * size[1] > MAX_PHOTO_PIXELS:
        raise PackageError(f"The package {store.path} is refused: {data['photo']} is {size[0]} x {size[1]} pixels.")
    _require(size == (c["width"], c["height"]), "a camera is for a picture of another size")
    expression = {str(k): float(v) for k, v in data["expression"].items()}
    _require(set(expression) <= set(known), "a photo has an unknown expression")
    ok = all(known[k][0] - 1e-3 <= v <= known[k][1] + 1e-3 for k, v in expression.items())
    _require(ok, "an expression is out of range")
    pose = _floats(np.array(data["pose"], float).reshape(joints, 3), 3)
    camera = Camera(c["kind"], *size, fx, fy, cx, cy, rotation, translation)
    lit = data.get("light")
    light = None
    if lit is not None:
        light = np.array(lit, float).reshape(9, 3)
        _require(bool(np.isfinite(light).all() and abs(light).max() <= 1e4), "a photo's light is out of range")
    return View(_name(data["name"], 255), photo, camera, expression, pose, light)
