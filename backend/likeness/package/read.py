"""The files of a package to an `Avatar`, trusting nothing."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Avatar, AvatarView, Identity, Map, Material, OwnMesh
from likeness.camera import Camera
from likeness.errors import PackageError
from likeness.package.check import MAX_MAP_SIDE, MAX_PHOTO_PIXELS, check, check_sizes
from likeness.package.format import FORMAT, GEOMETRY, MANIFEST, SCHEMA
from likeness.package.store import Store, read_arrays

__all__ = ["load"]

MAX_MANIFEST = 1 << 24


def load(path: Path) -> Avatar:
    """Read the package at ``path`` (folder or zip); raises PackageError unless all of it can be trusted."""
    with Store(Path(path)) as store:
        manifest = _manifest(store)
        try:
            avatar = _avatar(store, manifest)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            what = str(error) if type(error) is ValueError else f"{type(error).__name__} {error}"
            raise PackageError(f"The package {path} is damaged ({what}); make it anew.") from error
    check(avatar)
    return avatar


def _manifest(store: Store) -> dict[str, Any]:
    try:
        manifest = json.loads(store.read(MANIFEST, MAX_MANIFEST), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise PackageError(f"The file {MANIFEST} of the package {store.path} is damaged ({error}).") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise PackageError(f"{store.path} is not an avatar package: its {MANIFEST} is something else.")
    schema = manifest.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise PackageError(
            f"The package {store.path} was written by a newer version (schema {schema}, known here: {SCHEMA}); "
            "update Likeness to open it."
        )
    if type(schema) is not int or schema < 1:
        raise PackageError(f"The package {store.path} has no schema version; make it anew.")
    return manifest


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _avatar(store: Store, m: dict[str, Any]) -> Avatar:
    arrays = read_arrays(store.read(GEOMETRY), str(store.path))
    vertices, uv = (_floats(arrays, k) for k in ("vertices", "uv"))
    polygons, polygons_uv, polygon_region = (_ints(arrays, k) for k in ("polygons", "polygons_uv", "polygon_region"))
    V = len(vertices)
    names, joints, groups = _texts(m["expressions"]), list(m["joints"]), _texts(m["groups"])
    check_sizes(V, len(polygons), len(names), len(joints), len(groups))
    group_weights = _dense(arrays, "group", len(groups), V, ())
    turning = _texts(m["corrective_joints"])
    check_sizes(V, len(polygons), 9 * len(turning), len(joints), len(groups))
    regions = list(m["regions"])
    return Avatar(
        name=_text(m["name"]),
        head=_text(m["head"]),
        vertices=vertices,
        polygons=polygons,
        uv=uv,
        polygons_uv=polygons_uv,
        polygon_region=polygon_region,
        region_names=_texts([r["name"] for r in regions]),
        region_materials={_text(r["name"]): _text(r["material"]) for r in regions},
        expression_names=names,
        expression=_dense(arrays, "expression", len(names), V, (3,)),
        joint_names=_texts([j["name"] for j in joints]),
        joint_parents=tuple(j["parent"] for j in joints),
        joints=np.asarray([j["position"] for j in joints], np.float32).reshape(len(joints), 3),
        skin_weights=np.ascontiguousarray(_dense(arrays, "skin", len(joints), V, ()).T),
        groups=dict(zip(groups, group_weights, strict=True)),
        materials={_text(k): _material(store, v) for k, v in m["materials"].items()},
        views=tuple(_view(store, v, len(joints)) for v in m["views"]),
        provenance=dict(m["provenance"]),
        correctives=_dense(arrays, "corrective", 9 * len(turning), V, (3,)) if turning else None,
        corrective_joints=turning,
        expression_limits={_text(k): (float(low), float(high)) for k, (low, high) in m["expression_limits"].items()},
        own_mesh=_own_mesh(arrays),
        identity=_identity(arrays, m.get("identity")),
    )


def _own_mesh(arrays: dict[str, NDArray[Any]]) -> OwnMesh | None:
    if "own_vertices" not in arrays:
        return None
    colours = arrays.get("own_colours")
    if colours is not None and colours.dtype != np.uint8:
        raise ValueError(f"own_colours is of type {colours.dtype}")
    return OwnMesh(_floats(arrays, "own_vertices"), _ints(arrays, "own_triangles"), colours)


def _identity(arrays: dict[str, NDArray[Any]], weights: dict[str, Any] | None) -> Identity | None:
    if weights is None:
        return None
    values = np.array([float(w) for w in weights.values()], np.float32)
    names = tuple(_text(n) for n in weights)
    return Identity(names, values, _floats(arrays, "identity"), _floats(arrays, "identity_joints"))


def _floats(arrays: dict[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    if arrays[name].dtype.kind != "f":
        raise ValueError(f"{name} is of type {arrays[name].dtype}")
    return np.ascontiguousarray(arrays[name], np.float32)


def _ints(arrays: dict[str, NDArray[Any]], name: str) -> NDArray[np.int32]:
    a = arrays[name]
    if a.dtype.kind not in "iu" or (a.size and not -1 <= a.min() <= a.max() < 2**31):
        raise ValueError(f"{name} is of type {a.dtype} or holds indices out of range")
    return np.ascontiguousarray(a, np.int32)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(v) for v in values)


def _dense(
    arrays: dict[str, NDArray[Any]], name: str, rows: int, vertices: int, tail: tuple[int, ...]
) -> NDArray[np.float32]:
    """The inverse of `_sparse`, every index checked."""
    start, vertex, value = (arrays[f"{name}_{part}"] for part in ("start", "vertex", "value"))
    ok = start.shape == (rows + 1,) and start.dtype.kind in "iu" and vertex.dtype.kind in "iu" and vertex.ndim == 1
    ok = ok and value.dtype.kind == "f" and value.shape == (len(vertex), *tail)
    if not ok:
        raise ValueError(f"{name} has a wrong shape or type")
    if start[0] != 0 or start[-1] != len(vertex) or (start[1:] < start[:-1]).any():
        raise ValueError(f"{name} has rows out of order")
    if len(vertex) and not (vertex.min() >= 0 and vertex.max() < vertices):
        raise ValueError(f"{name} holds indices out of range")
    dense = np.zeros((rows, vertices, *tail), np.float32)
    dense[np.repeat(np.arange(rows), np.diff(start.astype(np.int64))), vertex] = value
    return dense


def _material(store: Store, data: dict[str, Any]) -> Material:
    maps = {}
    for channel, entry in data["maps"].items():
        file = _picture(entry["file"], "maps", (".png",))
        scale, offset = float(entry["scale"]), float(entry["offset"])
        maps[_text(channel)] = Map(_decode(store, file), entry["colour"], scale, offset)
    return Material(maps, dict(data["values"]))


def _view(store: Store, data: dict[str, Any], joints: int) -> AvatarView:
    photo = _decode(store, _picture(data["photo"], "photos", (".jpg", ".png")))
    expression = {_text(k): float(v) for k, v in data["expression"].items()}
    if not all(math.isfinite(v) for v in expression.values()):
        raise ValueError("an expression weight is not finite")
    pose = np.asarray(data["pose"], np.float32).reshape(joints, 3)
    lit = data.get("light")
    light = None if lit is None else np.asarray(lit, np.float32).reshape(9, 3)
    return AvatarView(_text(data["name"]), photo, Camera.from_json(data["camera"]), expression, pose, light)


def _picture(name: Any, folder: str, suffixes: tuple[str, ...]) -> str:
    parts = _text(name).split("/")
    if len(parts) != 2 or parts[0] != folder or not parts[1].lower().endswith(suffixes):
        raise PackageError(f"The package is refused: {name!r} is no picture in its folder {folder}.")
    return str(name)


def _decode(store: Store, file: str) -> NDArray[Any]:
    """Pixels (H, W) or (H, W, 3) RGB; the size in the header is checked before they are unpacked."""
    content = store.read(file)
    map_ = file.startswith("maps/")
    width, height = _png_size(content) if file.lower().endswith(".png") else _jpeg_size(content)
    most = f"{MAX_MAP_SIDE} x {MAX_MAP_SIDE} texels" if map_ else f"{MAX_PHOTO_PIXELS} pixels"
    if (max(width, height) > MAX_MAP_SIDE) if map_ else (width * height > MAX_PHOTO_PIXELS):
        raise PackageError(f"The package {store.path} is refused: {file} is {width} x {height}, over {most}.")
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if width and height else None
    if pixels is None or pixels.shape[:2] != (height, width) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise PackageError(
            f"The picture {file} of the package {store.path} is damaged or of another kind; make it anew."
        )
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])


def _png_size(content: bytes) -> tuple[int, int]:
    # 8 bytes of signature, then IHDR: size, depth, colour type; and whole up to IEND.
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR" or content[-8:-4] != b"IEND":
        return 0, 0
    width, height = struct.unpack(">II", content[16:24])
    return int(width), int(height)


def _jpeg_size(content: bytes) -> tuple[int, int]:
    if content[:2] != b"\xff\xd8" or content[-2:] != b"\xff\xd9":
        return 0, 0
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return int(width), int(height)
        at += 2 + length
    return 0, 0
