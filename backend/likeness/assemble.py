"""A reconstruction and its maps become an avatar."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness import __version__
from likeness.avatar import MAX_WEIGHT, Avatar, AvatarView, Identity, Material, OwnMesh
from likeness.errors import MethodError
from likeness.heads.base import REGION_MATERIALS, HeadModel
from likeness.heads.expressions import clipped, limits_of
from likeness.heads.lids import blink_scale
from likeness.licences import strictest_first
from likeness.methods.base import Mesh, Method, Reconstruction, View
from likeness.methods.registry import find_method

__all__ = ["assemble", "file_name"]

NAME_BYTES = 80
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10))}
"""What Windows takes for devices, whatever ending follows."""


def file_name(text: str) -> str:
    """Text as a file name that every system takes: letters and digits of any script, dot, dash, underscore."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(c if c in ".-" or unicodedata.category(c)[0] in "LNM" else "_" for c in text)
    # Systems count 255 bytes, and endings and other files' names are made of this one.
    short = re.sub("__+", "_", kept).strip("._").encode()[:NAME_BYTES].decode(errors="ignore").rstrip("._")
    return f"{short}_" if short.partition(".")[0].upper() in DEVICES else short or "head"


def assemble(
    name: str,
    reconstruction: Reconstruction,
    materials: dict[str, Material],
    lights: Sequence[NDArray[np.float64]] = (),
    made_by: type[Method] | None = None,
) -> Avatar:
    """Put geometry, rig, maps, cameras and provenance together.

    Args:
        name: of the avatar.
        reconstruction: on a rigged head.
        materials: by name.
        lights: (9, 3) per view, see `likeness.avatar.AvatarView`; none where they are not known.
        made_by: what made the reconstruction, where that is no registered method.

    Raises:
        MethodError: the reconstruction has no rigged head.
    """
    head = reconstruction.head
    if head is None:
        raise MethodError(f"The method {reconstruction.method!r} gave no head that can be rigged.")
    vertices = np.asarray(reconstruction.vertices, np.float32)
    scale = blink_scale(head, torch.from_numpy(vertices))
    return Avatar(
        name=file_name(name),
        head=head.name,
        vertices=vertices,
        polygons=_ints(head.polygons),
        uv=_floats(head.uv),
        polygons_uv=_ints(head.polygons_uv),
        region_names=head.region_names,
        polygon_region=_ints(head.polygon_region),
        region_materials={region: REGION_MATERIALS[region] for region in head.region_names},
        expression_names=head.expression_names,
        expression=_floats(head.expression * scale[:, None, None]),
        joint_names=head.joint_names,
        joint_parents=head.joint_parents,
        joints=np.asarray(reconstruction.joints, np.float32),
        skin_weights=_floats(head.skin_weights),
        groups={group: _floats(weights) for group, weights in head.groups.items()},
        materials=materials,
        views=tuple(
            _view(view, head, _floats(scale), lights[i] if lights else None)
            for i, view in enumerate(reconstruction.views)
        ),
        provenance=_provenance(reconstruction, head, made_by or find_method(reconstruction.method)),
        correctives=None if head.correctives is None else _floats(head.correctives),
        corrective_joints=head.corrective_joints,
        expression_limits={n: limits_of(n) for n in head.expression_names if limits_of(n) != (0.0, 1.0)},
        own_mesh=_own_mesh(reconstruction.mesh),
        identity=_identity(reconstruction, head),
    )


def _own_mesh(mesh: Mesh | None) -> OwnMesh | None:
    if mesh is None:
        return None
    colours = None if mesh.colours is None else np.rint(np.clip(mesh.colours, 0, 1) * 255).astype(np.uint8)
    return OwnMesh(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.triangles, np.int32), colours)


def _identity(reconstruction: Reconstruction, head: HeadModel) -> Identity | None:
    """The person's coefficients up to the last that is not zero, within what a slider takes."""
    if reconstruction.identity is None or not head.identity_names:
        return None
    weights = reconstruction.identity[: len(head.identity_names)].astype(np.float32)
    count = int(np.max(np.nonzero(weights)[0], initial=-1)) + 1
    if not count:
        return None
    return Identity(
        head.identity_names[:count],
        weights[:count].clip(-MAX_WEIGHT, MAX_WEIGHT),
        _floats(head.identity[:count].half()),
        _floats(head.joints_identity[:count]),
    )


def _floats(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return tensor.to(torch.float32).cpu().numpy()


def _ints(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.int32]]:
    return tensor.to(torch.int32).cpu().numpy()


def _view(view: View, head: HeadModel, scale: NDArray[np.float32], light: NDArray[np.float64] | None) -> AvatarView:
    weights = {
        n: round(clipped(n, float(w / s)), 4)
        for n, w, s in zip(head.expression_names, view.expression, scale, strict=True)
        if abs(w) >= 1e-3
    }
    photo = view.face.photo
    pose = np.asarray(view.pose, np.float32)
    lit = None if light is None else np.asarray(light, np.float32)
    return AvatarView(photo.path.name, photo.pixels, view.camera, weights, pose, lit)


def _provenance(reconstruction: Reconstruction, head: HeadModel, method: type[Method]) -> dict[str, Any]:
    return {
        "made_by": f"Likeness {__version__}",
        "note": "Reconstructed from a photo.",
        "method": {"name": method.name, "title": method.title, "paper": method.paper},
        "head_model": {"name": head.name, "title": head.title, "licence": head.licence, "notes": head.notes},
        "licences": strictest_first([*reconstruction.licences, *method.licences.own(), head.licence]),
        "photos": [{"name": p.path.name, "notes": list(p.notes)} for p in (v.face.photo for v in reconstruction.views)],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("likeness", "torch", "numpy", "anny")},
        "details": reconstruction.details,
    }
