"""AvatarMe: the open head with the maps of AvatarMe's stages, each by the user's network where there is one.

The authors published neither networks nor weights. What is installed of the user's own training (docs/avatarme.md) does
its stage; `likeness.maps` does the others, so nothing licensed is needed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

from likeness.faces.face import Face
from likeness.methods.avatarme_networks import installed_networks
from likeness.methods.avatarme_stages import LARGEST, providers, refined
from likeness.methods.base import OF_THE_HEAD, Licences, Reconstruction, Settings
from likeness.methods.open import Open
from likeness.methods.registry import register
from likeness.progress import Progress

__all__ = ["AvatarMe"]


@register
class AvatarMe:
    """The shape is the open method's; the result tells which provider made which map."""

    name: ClassVar[str] = "avatarme"
    title: ClassVar[str] = "AvatarMe's maps on the open head"
    paper: ClassVar[str] = (
        "Lattas, Moschoglou, Gecer, Ploumpis, Triantafyllou, Ghosh and Zafeiriou: AvatarMe: Realistically Renderable "
        '3D Facial Reconstruction "in-the-wild", CVPR 2020'
    )
    year: ClassVar[int] = 2020
    licences: ClassVar[Licences] = Licences(code="Apache-2.0", weights="Apache-2.0", model=OF_THE_HEAD)
    needs: ClassVar[tuple[str, ...]] = Open.needs
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "many photos"
    finest: ClassVar[int] = LARGEST

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Faces of one person, one per photo, to a head whose maps are made by AvatarMe's stages.

        Raises:
            HeadError: no head model can be had.
            MethodError: the fine size is out of range.
            WeightsError: a network that is installed for a stage does not fit it.
        """
        networks = installed_networks()
        told = {"providers": providers(networks, settings)}
        fitted = Open().reconstruct(faces, settings, progress)
        return replace(
            fitted,
            method=self.name,
            refine=partial(refined, networks=networks),
            licences=networks.licences,
            details={**fitted.details, **told},
        )
