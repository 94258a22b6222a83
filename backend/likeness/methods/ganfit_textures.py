"""Texture models that a face can be fitted with: networks and linear models of the user's, or none.

Their maps lie in UVs of their own. Their mesh is laid onto the head once, and every texel of the head's skin looks up
the nearest place on it: through the shared surface, never by scaling pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from likeness.fitting.appearance import Paint, Spots
from likeness.fitting.appearance_fit import Texture
from likeness.heads.base import HeadModel
from likeness.heads.flame_files import TEXTURES, editions, open_flame, texture_space
from likeness.heads.pigments import Pigments
from likeness.maps.latent import FreeSkin
from likeness.methods.ganfit_crop import Surroundings
from likeness.methods.ganfit_layout import Layout, layout_of
from likeness.networks import pggan, stylegan2
from likeness.progress import Progress
from likeness.render.light import srgb_to_linear
from likeness.weights import catalog, store
from likeness.weights.strict import load_into

__all__ = ["FFHQ_UV", "FFHQ_UV_MESH", "FFHQ_UV_TEMPLATE", "PGGAN", "Chosen", "Generated", "choose"]

FFHQ_UV, FFHQ_UV_MESH, FFHQ_UV_TEMPLATE, PGGAN = "ffhq-uv", "ffhq-uv-mesh", "ffhq-uv-template", "pggan-uv"
STOP = 256
"""Side of the maps that generators make here: what 224 pixels of a face can tell, at a fraction of the time."""
START = 123
"""Seed that FFHQ-UV's fitting starts from."""
PRIOR = 0.01


class Chosen(Texture, Protocol):
    """A texture that says what it is, and under which terms what the user brought for it stands.

    Attributes:
        learned: from faces, so that it knows what skin looks like that no photo shows.
    """

    name: str
    learned: bool
    source: str
    licences: tuple[str, ...]


class Generated:
    """A picture made of a latent, laid onto a head's skin; eyes, teeth and what it does not cover are pigments'.

    Attributes:
        latent: (…, K) float32, what is fitted.
    """

    learned = True

    def __init__(
        self,
        name: str,
        source: str,
        licences: tuple[str, ...],
        head: HeadModel,
        layout: Layout,
        latent: Tensor,
        make: Callable[[Tensor], Tensor],
        *,
        rate: float,
        sphere: bool,
    ) -> None:
        """Take a generator.

        Args:
            layout: where the head's texels lie in the picture.
            make: from the latent to linear reflectance (3, H, W).
            rate: Adam's.
            sphere: the latent's rows keep their length, that of most random ones, instead of tending to 0.
        """
        self.name, self.source, self.licences = name, source, licences
        self.latent = latent.clone().requires_grad_()
        self._make, self._rate, self._sphere = make, rate, sphere
        self._layout = layout
        self._pigments = Pigments.of(head).mean

    def parameters(self) -> dict[str, Tensor]:
        """As `likeness.fitting.appearance_fit.Texture`."""
        return {"latent": self.latent}

    def rates(self) -> dict[str, float]:
        """Adam's."""
        return {"latent": self._rate}

    def unlikely(self) -> Tensor:
        """Squared length of the latent, where it is not fixed."""
        return self.latent.sum() * 0 if self._sphere else PRIOR * self.latent.square().sum()

    def settle(self) -> None:
        """Back onto the sphere."""
        if self._sphere:
            with torch.no_grad():
                length = self.latent.norm(dim=-1, keepdim=True).clamp(min=1e-6)
                self.latent.mul_(self.latent.shape[-1] ** 0.5 / length)

    def paint(self) -> Paint:
        """The colours now."""
        grid, covered = self._layout.grid[None], self._layout.covered
        laid = functional.grid_sample(self._make(self.latent)[None], grid, align_corners=False, padding_mode="border")
        usual = (laid[0] * covered).sum((1, 2)) / covered.sum()
        whole = torch.cat([laid[0] * covered, covered[None]])
        pigments = self._pigments

        def colours(spots: Spots) -> Tensor:
            place = torch.stack([2 * spots.uv[:, 0] - 1, 1 - 2 * spots.uv[:, 1]], 1)
            seen = functional.grid_sample(whole[None], place[None, None], align_corners=False)[0, :, 0].T
            skin = seen[:, :3] + (1 - seen[:, 3:]) * usual
            other = torch.exp(-spots.of(pigments))
            return torch.where(spots.skin[:, None], skin, other).clamp(0, 1)

        return colours


def choose(head: HeadModel, seed: int, progress: Progress) -> Chosen:
    """The best texture model that is installed: FFHQ-UV (of the face alone, or of all), a progressive GAN of the
    user's, a linear model of FLAME's texture, else the one that needs no file.

    Raises:
        WeightsError, HeadError: what is installed does not go together, or the mesh of its UVs is missing.
    """
    if store.installed(FFHQ_UV):
        return _ffhq_uv(head, progress)
    if store.installed(PGGAN):
        return _pggan(head, seed, progress)
    if editions() and any(store.installed(name) for name in TEXTURES):
        return _linear(head, progress)
    return FreeSkin(head)


def _said(*names: str, unused: str = "") -> tuple[str, tuple[str, ...]]:
    """What the provenance says of files of the user's, and their licences; the first is the texture model's.

    Args:
        unused: id of a file that is installed but not used.
    """
    first = catalog.entry(names[0])
    sources = [source for name in names for source in store.open_weights(name).manifest["sources"]]
    files = ", ".join(source["name"] for source in sources if source["id"] != unused)
    licences = tuple(dict.fromkeys(catalog.entry(name).strictest for name in names))
    return f"user: {files} ({first.title}; {first.strictest})", licences


def _ffhq_uv(head: HeadModel, progress: Progress) -> Chosen:
    """By the generator of the face alone where its template is there too, or where it is the only one."""
    store.open_weights(FFHQ_UV_MESH)  # what is missing is told before half a minute of work
    title, weights = catalog.entry(FFHQ_UV).title, store.open_weights(FFHQ_UV)
    alone = bool(weights.names("face_generator/")) and (
        store.installed(FFHQ_UV_TEMPLATE) or not weights.names("generator/")
    )
    around = _surroundings() if alone else None
    layout = layout_of(head, FFHQ_UV_MESH, "mesh", progress)
    generator = stylegan2.Generator()
    load_into(generator, weights.tensors("face_generator/" if alone else "generator/"), title)
    generator.eval().requires_grad_(False)
    progress("fit", 0.0, "Measuring the styles of the texture generator")
    mean, spread = generator.statistics()
    start = np.random.RandomState(START).randn(generator.styles, len(mean))
    progress(
        "note", 0.0, "FFHQ-UV takes seconds a step without a GPU; remove it to fit the free texture in half a minute."
    )

    def make(latent: Tensor) -> Tensor:
        made = ((generator.synthesis((latent * spread + mean)[None], STOP)[0] + 1) / 2).clamp(0, 1)
        return srgb_to_linear(made if around is None else around.around(made))

    used = [FFHQ_UV, FFHQ_UV_MESH, *([FFHQ_UV_TEMPLATE] if alone else [])]
    return Generated(
        "ffhq-uv-face" if alone else "ffhq-uv",
        *_said(*used, unused="generator" if alone else "face_generator"),
        head,
        layout,
        torch.from_numpy(start).float(),
        make,
        rate=0.05,
        sphere=True,
    )


def _surroundings() -> Surroundings:
    pictures = store.open_weights(FFHQ_UV_TEMPLATE)
    template, mask, hair = (pictures.tensor(name) for name in ("template", "blend_mask", "hair_mask"))
    return Surroundings.of(template, mask, hair, STOP)


def _pggan(head: HeadModel, seed: int, progress: Progress) -> Chosen:
    weights = store.open_weights(PGGAN)
    network = pggan.from_variables(weights.tensors("generator/"), catalog.entry(PGGAN).title)
    network.eval().requires_grad_(False)
    layout = layout_of(head, PGGAN, "mesh", progress)
    start = torch.from_numpy(np.random.default_rng(seed).standard_normal(network.latent)).float()

    def make(latent: Tensor) -> Tensor:
        return _linear_light(network(latent[None], STOP))

    return Generated("pggan", *_said(PGGAN), head, layout, start, make, rate=0.05, sphere=True)


def _linear(head: HeadModel, progress: Progress) -> Chosen:
    name = next(name for name in TEXTURES if store.installed(name))
    space = texture_space()
    assert space is not None
    files = open_flame()
    layout = layout_of(head, files, "", progress)

    def make(code: Tensor) -> Tensor:
        picture = space.albedo(code[None])[0].permute(2, 0, 1).clamp(1e-3, 1)
        return picture if space.kind == "AlbedoMM" else srgb_to_linear(picture)

    return Generated(
        "linear",
        *_said(name, files.edition),
        head,
        layout,
        torch.zeros(len(space.basis)),
        make,
        rate=0.05,
        sphere=False,
    )


def _linear_light(made: Tensor) -> Tensor:
    """A network's picture (1, 3, H, W) of sRGB in -1..1 as linear reflectance (3, H, W)."""
    return srgb_to_linear(((made[0] + 1) / 2).clamp(0, 1))
