"""Images in UV space: what the photos show of a head, completed, freed of light, with gloss and relief."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Material
from likeness.errors import MethodError
from likeness.heads.base import REGION_MATERIALS
from likeness.maps.eyes import eye_material
from likeness.maps.lash_line import lash_darkness
from likeness.maps.lash_roots import lash_roots
from likeness.maps.lashes import lashes_material
from likeness.maps.lid_margin import with_lash_lines
from likeness.maps.mouth import mouth_materials
from likeness.maps.own import with_own
from likeness.maps.shade import with_shades
from likeness.maps.skin_material import skin_material
from likeness.maps.teeth import enamel_of, teeth_material
from likeness.methods.base import Reconstruction, Settings
from likeness.progress import Progress

__all__ = ["Maps", "make"]


@dataclass(frozen=True, eq=False)
class Maps:
    """What `make` makes.

    Attributes:
        materials: by the names in `likeness.heads.base.REGION_MATERIALS`, those that the head's regions use.
        lights: per view the light of the photo as radiance coefficients (9, 3) float64, in the head's frame and in
            `likeness.render.light.sh_basis`'s order; under it the albedo looks as in the photo.
    """

    materials: dict[str, Material]
    lights: tuple[NDArray[np.float64], ...]


def make(reconstruction: Reconstruction, settings: Settings, progress: Progress) -> Maps:
    """Make all materials of a reconstruction's head.

    Args:
        reconstruction: on a rigged head, with one view per photo.
        settings: texture_size is the side of the skin's maps, 256..4096; the seed is that of invented pores, hair,
            fibres and veins.
        progress: hears of stage "maps".

    Returns:
        Materials and lights. Colour is uint8 sRGB, everything else uint8 or uint16 linear; see
        `likeness.avatar.Material` for the channels.

    Raises:
        MethodError: there is no head to make maps for, or the size is out of range.
    """
    head = reconstruction.head
    if head is None:
        raise MethodError(f"The method {reconstruction.method!r} gave no head that maps could be made for.")
    if not 256 <= settings.texture_size <= 4096:
        raise MethodError(f"The texture size is {settings.texture_size}; choose one from 256 to 4096.")
    progress("maps", 0.0, "Laying out the photos")
    part = min(1024, settings.texture_size)
    with ThreadPoolExecutor(1) as pool:  # NumPy and OpenCV leave Python's lock alone
        eye = pool.submit(eye_material, reconstruction.views, part, settings.seed)
        mouth = pool.submit(mouth_materials, part // 2, settings.seed)
        skin, hair, lights, layers = skin_material(reconstruction, settings, progress)
        teeth = teeth_material(enamel_of(reconstruction.views, lights), part // 2, settings.seed)
        dark = lash_darkness(reconstruction.views)
        lashes = lashes_material(hair.colour, part // 2, settings.seed, dark, lash_roots(head, reconstruction.vertices))
        skin = with_lash_lines(skin, head, reconstruction.vertices, dark)
        skin = with_own(skin, reconstruction.maps)
        if reconstruction.refine:
            skin = reconstruction.refine(reconstruction, skin, lights, settings, progress)
        skin = with_shades(skin, layers, head)
        made = {"Skin": skin, "Eye": eye.result(), "Lashes": lashes, "Teeth": teeth, **mouth.result()}
    progress("maps", 1.0, "Maps are made")
    wanted = {REGION_MATERIALS[region] for region in head.region_names}
    return Maps({name: material for name, material in made.items() if name in wanted}, lights)
