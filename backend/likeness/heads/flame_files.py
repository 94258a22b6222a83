"""FLAME out of the user's own installed files: model, landmarks, texture layout, and the head made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.heads.base import HeadModel
from likeness.heads.flame import Flame
from likeness.heads.flame_head import Layout, compile_flame
from likeness.heads.flame_landmarks import FlameLandmarks
from likeness.heads.flame_texture import TextureSpace
from likeness.progress import Progress, quiet
from likeness.weights import catalog, store

__all__ = ["EDITIONS", "VERSION", "FlameFiles", "editions", "flame_head", "open_flame", "texture_space"]

VERSION = 3
"""Goes up whenever the compiled head changes, so that a stale file is not used."""

EDITIONS = ("flame-2023-open", "flame-2023", "flame-2020", "flame-2019", "flame-2016")
"""Names in the catalogue; the first one installed is taken where any will do."""
LANDMARKS = ("deca-data", "flame-landmarks")
LAYOUTS = ("deca-data", "flame-texture-data", "flame-texture")
TEXTURES = ("flame-albedo-bfm", "flame-texture", "albedomm")


@dataclass(frozen=True, eq=False)
class FlameFiles:
    """An edition, read.

    Attributes:
        edition: name in the catalogue.
        sources: SHA-256 of the official files by name, to be kept beside any coefficient.
    """

    edition: str
    flame: Flame
    landmarks: FlameLandmarks
    layout: Layout
    sources: dict[str, str] = field(default_factory=dict)


def editions() -> list[str]:
    """Installed editions, best first."""
    return [name for name in EDITIONS if store.installed(name)]


def open_flame(edition: str = "flame") -> FlameFiles:
    """Read an edition by its name in the catalogue; "flame" takes the best one installed.

    Raises:
        WeightsError: something is not installed; the sentence says how to get it.
        HeadError: the files are of another kind, or do not go together.
    """
    if edition == "flame":
        edition = next(iter(editions()), EDITIONS[2])
    if edition not in EDITIONS:
        raise HeadError(f'There is no FLAME edition "{edition}"; choose one of: {", ".join(EDITIONS)}.')
    weights = store.open_weights(edition)
    title = catalog.entry(edition).title
    flame = Flame.from_arrays(weights.tensors("model/"), title)
    marks_from = store.open_weights(_first(LANDMARKS))
    landmarks = FlameLandmarks.from_arrays(_tables(marks_from), len(flame.triangles), "the file of FLAME's landmarks")
    layout_from = store.open_weights(_first(LAYOUTS))
    layout = _layout(layout_from, flame)
    sources = weights.sources | marks_from.sources | layout_from.sources
    return FlameFiles(edition, flame, landmarks, layout, sources)


def texture_space(names: Sequence[str] = TEXTURES) -> TextureSpace | None:
    """The first of the named texture spaces that is installed; None without one.

    Raises:
        HeadError: the file is of another kind.
    """
    name = next((name for name in names if store.installed(name)), None)
    return None if name is None else _texture_space(name, store.path(name).stat().st_mtime)


@lru_cache(maxsize=1)
def _texture_space(name: str, _: float) -> TextureSpace:
    """Kept for the next photo: the files have half a gigabyte."""
    weights = store.open_weights(name)
    part = weights.names()[0].split("/")[0]
    return TextureSpace.from_arrays(weights.tensors(f"{part}/"), catalog.entry(name).title)


def flame_head(files: FlameFiles, open_head: HeadModel, progress: Progress = quiet) -> HeadModel:
    """The edition as a head; made once for these files and this open head, then kept.

    Raises:
        HeadError: it cannot be made or stored.
    """
    entry = catalog.entry(files.edition)
    mark = "".join([*sorted(files.sources.values()), open_head.name, open_head.notes, str(VERSION)])
    name = f"{files.edition}-{hashlib.sha256(mark.encode()).hexdigest()[:12]}.safetensors"
    path = store.home() / "heads" / name
    if path.exists():
        with suppress(HeadError):
            return HeadModel.load(path)
    head = compile_flame(
        files.flame,
        files.landmarks,
        files.layout,
        open_head,
        name=files.edition,
        title=entry.title,
        licence=" AND ".join([entry.licence.model, *([open_head.licence] if open_head.licence else [])]),
        notes=f"FLAME {entry.edition}; expressions, landmarks and groups by way of the head {open_head.name}.",
        progress=progress,
    )
    _keep(head, path)
    return HeadModel.load(path)


def _keep(head: HeadModel, path: Path) -> None:
    try:
        head.save(path)
    except OSError as error:
        raise HeadError(
            f"The head cannot be stored in {path.parent} ({error.strerror or error}); "
            "free some space, or set LIKENESS_HOME to a folder you can write."
        ) from error


def _first(names: tuple[str, ...]) -> str:
    """The first one installed; the first of all where none is, so that the error tells how to get it."""
    return next((name for name in names if store.installed(name)), names[0])


def _tables(weights: store.Weights) -> dict[str, NDArray[np.generic]]:
    """Landmark tables under DECA's names, whichever of the two files holds them."""
    given = weights.tensors("landmarks/")
    if given:
        return given
    tables = {}
    for part, name in (("static", "static"), ("dynamic", "dynamic")):
        tables[f"{name}_lmk_faces_idx"] = weights.tensor(f"{part}/lmk_face_idx")
        tables[f"{name}_lmk_bary_coords"] = weights.tensor(f"{part}/lmk_b_coords")
    return tables


def _layout(weights: store.Weights, flame: Flame) -> Layout:
    part = next((n.removesuffix("/vt") for n in weights.names() if n.endswith("/vt")), "template")
    uv = torch.from_numpy(weights.tensor(f"{part}/vt")[:, :2].astype(np.float32))
    corners = torch.from_numpy(weights.tensor(f"{part}/ft").astype(np.int64))
    title = str(weights.manifest["title"])
    if f"{part}/f" in weights.names():
        own = weights.tensor(f"{part}/f")
        if own.shape == flame.triangles.shape and not bool((own == flame.triangles.numpy()).all()):
            raise HeadError(f"{title} orders triangles in another way than the model; use the files of one edition.")
    return Layout.checked(uv, corners, flame, title)
