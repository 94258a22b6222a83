"""What an avatar must satisfy before it is written or used."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.avatar import MAX_WEIGHT, Avatar, AvatarView, Identity, Map, Material, OwnMesh
from likeness.errors import PackageError

__all__ = ["MAX_MAP_SIDE", "MAX_PHOTO_PIXELS", "check", "check_sizes"]

MAX_VERTICES = 500_000
MAX_POLYGONS = 1_000_000
MAX_KEYS = 1024
MAX_JOINTS = 512
MAX_NAMES = 256
MAX_DENSE = 1 << 26
"""Most entries of vertices x keys or vertices x joints; 768 MB of deltas."""
MAX_MAP_SIDE = 8192
MAX_PHOTO_PIXELS = 1 << 27
MAX_CORRECTIVE_JOINTS = 16
MAX_COORDINATE = 100.0
"""Metres from the origin; a head is about 0.3."""

_FILE_NAME = re.compile(r"[^\x00-\x1f\x7f<>:\"/\\|?*.\s][^\x00-\x1f\x7f<>:\"/\\|?*]{0,99}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise PackageError(f"The avatar is refused: {what}.")


def check_sizes(vertices: int, polygons: int, keys: int, joints: int, groups: int) -> None:
    """Raise PackageError when a head of that size would not be reasonable."""
    _require(0 < vertices <= MAX_VERTICES, f"it has {vertices} vertices, allowed are 1 to {MAX_VERTICES}")
    _require(0 < polygons <= MAX_POLYGONS, f"it has {polygons} polygons, allowed are 1 to {MAX_POLYGONS}")
    _require(keys <= MAX_KEYS and keys * vertices <= MAX_DENSE, f"it has {keys} expressions, too many")
    _require(0 < joints <= MAX_JOINTS and joints * vertices <= MAX_DENSE, f"it has {joints} joints, allowed: 1 to 512")
    _require(groups <= MAX_NAMES and groups * vertices <= MAX_DENSE, f"it has {groups} vertex groups, too many")


def check(avatar: Avatar) -> None:
    """Raise PackageError, one sentence, when anything in the avatar could not be trusted by who uses it."""
    a = avatar
    _require(bool(_FILE_NAME.fullmatch(a.name)) and a.name[-1] not in ". ", f"{a.name[:100]!r} is no usable name")
    _require(isinstance(a.head, str) and 0 < len(a.head) <= 255, "its head model has no name")
    check_sizes(len(a.vertices), len(a.polygons), len(a.expression_names), len(a.joint_names), len(a.groups))
    _floats(a.vertices, (None, 3), "vertices", MAX_COORDINATE)
    V, F = len(a.vertices), len(a.polygons)
    _polygons(a.polygons, V, "polygons")
    _floats(a.uv, (None, 2), "uv", MAX_COORDINATE)
    _require(0 < len(a.uv) <= 4 * MAX_POLYGONS, "it has no usable UVs")
    _require(a.polygons_uv.shape == (F, 4), "polygons_uv and polygons differ in shape")
    _polygons(a.polygons_uv, len(a.uv), "polygons_uv")
    _require(bool(((a.polygons[:, 3] < 0) == (a.polygons_uv[:, 3] < 0)).all()), "triangles differ between mesh and UVs")
    _names(a.region_names, "regions", MAX_NAMES)
    _require(a.polygon_region.shape == (F,) and a.polygon_region.dtype == np.int32, "polygon_region has a wrong shape")
    inside = (a.polygon_region >= 0) & (a.polygon_region < len(a.region_names))
    _require(bool(inside.all()), "polygon_region points outside the regions")
    _require(set(a.region_materials) == set(a.region_names), "regions and their materials differ")
    _require(all(_word(m) for m in a.region_materials.values()), "a region has no usable material name")
    _names(a.expression_names, "expressions", MAX_KEYS)
    _floats(a.expression, (len(a.expression_names), V, 3), "expression", MAX_COORDINATE)
    for name, (low, high) in a.expression_limits.items():
        known = name in a.expression_names and -MAX_WEIGHT <= low <= 0 < high <= MAX_WEIGHT
        _require(known, f"the limits of the expression {name[:63]!r} are unknown or out of range")
    _joints(a)
    _correctives(a)
    if a.own_mesh is not None:
        _own_mesh(a.own_mesh)
    if a.identity is not None:
        _identity(a.identity, a)
    _names(tuple(a.groups), "groups", MAX_NAMES)
    for name, weights in a.groups.items():
        _floats(weights, (V,), f"group {name}", 1.001, -0.001)
    _require(len(a.materials) <= 64, "it has too many materials")
    for name, material in a.materials.items():
        _material(name, material)
    _require(len(a.views) <= 64, "it has too many photos")
    for view in a.views:
        _view(view, a)
    try:
        json.dumps(a.provenance, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise PackageError(f"The avatar is refused: its provenance cannot be written ({error}).") from error


def _floats(array: Any, shape: tuple[int | None, ...], name: str, high: float, low: float | None = None) -> None:
    ok = isinstance(array, np.ndarray) and array.dtype == np.float32 and array.ndim == len(shape)
    ok = ok and all(want is None or want == have for want, have in zip(shape, array.shape, strict=True))
    _require(ok, f"{name} has a wrong shape or type")
    _require(bool(np.isfinite(array).all()), f"{name} holds numbers that are not finite")
    low = -high if low is None else low
    _require(array.size == 0 or bool(array.min() >= low and array.max() <= high), f"{name} is out of range")


def _polygons(array: NDArray[Any], count: int, name: str) -> None:
    ok = isinstance(array, np.ndarray) and array.dtype == np.int32 and array.ndim == 2 and array.shape[1] == 4
    _require(ok, f"{name} has a wrong shape or type")
    low, high = array[:, :3].min(), array.max()
    _require(bool(low >= 0 and array[:, 3].min() >= -1 and high < count), f"{name} holds indices out of range")


def _word(text: Any) -> bool:
    return isinstance(text, str) and bool(_WORD.fullmatch(text))


def _names(names: tuple[str, ...], what: str, most: int) -> None:
    ok = all(isinstance(n, str) and 0 < len(n.encode()) <= 63 and n.isprintable() for n in names)
    _require(ok and len(names) <= most, f"{what} hold a name that is empty or too long")
    _require(len(set(names)) == len(names), f"{what} hold a name twice")


def _joints(a: Avatar) -> None:
    J = len(a.joint_names)
    _names(a.joint_names, "joints", MAX_JOINTS)
    _require(len(a.joint_parents) == J, "joints and their parents differ in number")
    ok = all(type(p) is int and -1 <= p < j for j, p in enumerate(a.joint_parents))
    _require(ok, "a joint does not come after its parent")
    _floats(a.joints, (J, 3), "joints", MAX_COORDINATE)
    _floats(a.skin_weights, (len(a.vertices), J), "skin_weights", 1.001, -0.001)
    _require(bool((abs(a.skin_weights.sum(1) - 1) < 1e-3).all()), "skin_weights do not sum to 1")


def _correctives(a: Avatar) -> None:
    names = a.corrective_joints
    _require(set(names) <= set(a.joint_names) and len(set(names)) == len(names), "pose correctives of unknown joints")
    _require((a.correctives is None) == (not names), "pose correctives and their joints differ")
    if a.correctives is not None:
        _require(len(names) <= MAX_CORRECTIVE_JOINTS, "it has too many pose correctives")
        _floats(a.correctives, (9 * len(names), len(a.vertices), 3), "correctives", MAX_COORDINATE)


def _own_mesh(mesh: OwnMesh) -> None:
    check_sizes(len(mesh.vertices), len(mesh.triangles), 0, 1, 0)
    _floats(mesh.vertices, (None, 3), "the method's own mesh", MAX_COORDINATE)
    t = mesh.triangles
    _require(t.dtype == np.int32 and t.ndim == 2 and t.shape[1] == 3, "its own triangles have a wrong shape or type")
    _require(bool(t.min() >= 0 and t.max() < len(mesh.vertices)), "its own triangles hold indices out of range")
    if mesh.colours is not None:
        ok = mesh.colours.dtype == np.uint8 and mesh.colours.shape == mesh.vertices.shape
        _require(ok, "its own colours have a wrong shape or type")


def _identity(identity: Identity, a: Avatar) -> None:
    N, V = len(identity.names), len(a.vertices)
    check_sizes(V, len(a.polygons), N, len(a.joint_names), 0)
    _names(identity.names, "coefficients of identity", MAX_KEYS)
    _require(not set(identity.names) & set(a.expression_names), "a coefficient of identity bears an expression's name")
    _floats(identity.weights, (N,), "identity weights", MAX_WEIGHT)
    _floats(identity.deltas, (N, V, 3), "identity", MAX_COORDINATE)
    _floats(identity.joints, (N, len(a.joint_names), 3), "identity joints", MAX_COORDINATE)


def _material(name: str, material: Material) -> None:
    _require(_word(name), f"{name[:63]!r} is no usable material name")
    _require(len(material.maps) <= 32 and len(material.values) <= 64, f"material {name} holds too much")
    for channel, image in material.maps.items():
        _require(_word(channel), f"material {name} has a channel without a usable name")
        _map(f"{name} {channel}", image)
        coded = channel != "normal" or (image.scale == 1 and image.offset == 0)
        _require(coded, f"the normals of {name} are not coded as (n + 1) / 2")
    for key, value in material.values.items():
        _require(
            _word(key) and _plain(value), f"the value {key!r} of material {name} is neither text nor finite numbers"
        )


def _plain(value: Any) -> bool:
    if isinstance(value, bool | str):
        return not isinstance(value, str) or len(value) <= 1000
    if isinstance(value, int | float):
        return math.isfinite(value)
    return isinstance(value, list | tuple) and len(value) <= 64 and all(_plain(v) for v in value)


def _map(name: str, image: Map) -> None:
    p = image.pixels
    ok = isinstance(p, np.ndarray) and p.dtype in (np.uint8, np.uint16, np.float32)
    ok = ok and (p.ndim == 2 or (p.ndim == 3 and p.shape[2] == 3))
    _require(ok, f"the map {name} has a wrong shape or type")
    _require(min(p.shape[:2]) > 0 and max(p.shape[:2]) <= MAX_MAP_SIDE, f"the map {name} is over {MAX_MAP_SIDE} texels")
    _require(p.dtype != np.float32 or bool(np.isfinite(p).all()), f"the map {name} holds numbers that are not finite")
    _require(image.colour in ("srgb", "linear"), f"the map {name} has an unknown colour space")
    _require(math.isfinite(image.scale) and math.isfinite(image.offset), f"the map {name} has no finite scale")


def _view(view: AvatarView, a: Avatar) -> None:
    ok = isinstance(view.name, str) and 0 < len(view.name) <= 255 and view.name.isprintable()
    _require(ok and not set(view.name) & set("/\\"), "a photo has no usable name")
    p, c = view.photo, view.camera
    _require(
        p.dtype == np.uint8 and p.ndim == 3 and p.shape[2] == 3, f"the photo {view.name} has a wrong shape or type"
    )
    _require(0 < p.shape[0] * p.shape[1] <= MAX_PHOTO_PIXELS, f"the photo {view.name} is too big")
    _require((c.height, c.width) == p.shape[:2], f"the camera of {view.name} is for a picture of another size")
    _require(min(c.fx, c.fy) > 0, f"the camera of {view.name} has no positive focal length")
    rigid = np.allclose(c.rotation @ c.rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(c.rotation) > 0
    _require(bool(rigid), f"the camera of {view.name} has no proper rotation")
    known = dict.fromkeys(a.expression_names, (0.0, 1.0)) | a.expression_limits
    ok = all(n in known and known[n][0] - 1e-3 <= w <= known[n][1] + 1e-3 for n, w in view.expression.items())
    _require(ok, f"the expression in {view.name} is unknown or out of range")
    _floats(view.pose, (len(a.joint_names), 3), f"the pose in {view.name}", 7.0)
    if view.light is not None:
        _floats(view.light, (9, 3), f"the light of {view.name}", 1e4)
