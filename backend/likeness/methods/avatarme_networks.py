"""AvatarMe's networks where the user has some: one slot for each stage, in the public repositories' layouts.

The authors published none, so these are of the user's own training: RCAN's checkpoint for the first slot, pix2pixHD's
(global, or with local enhancers) for the others. docs/avatarme.md says what goes in and what must come out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from likeness.errors import WeightsError
from likeness.networks.pix2pixhd import GlobalGenerator, LocalEnhancer, translator_of
from likeness.networks.rcan import RCAN, rcan_of
from likeness.weights import store

__all__ = ["SLOTS", "Networks", "Slot", "installed_networks"]

Translator = GlobalGenerator | LocalEnhancer

TILE = 512
"""Side of the tiles that go through a translator: 1536 as published would take several GB."""


@dataclass(frozen=True)
class Slot:
    """A stage's place for a network.

    Attributes:
        entry: of the weights catalogue.
        inputs: what a network with so many input channels is given, in order: "colour" (3), "grey" (1), "depth" (1),
            "object" and "tangent" normals (3).
        outputs: numbers of output channels that are understood.
    """

    entry: str
    inputs: Mapping[int, tuple[str, ...]]
    outputs: tuple[int, ...]


SLOTS = {
    "super-resolution": Slot("avatarme-super-resolution", {3: ("colour",)}, (3,)),
    "de-lighting": Slot(
        "avatarme-de-lighting",
        {
            3: ("colour",),
            4: ("colour", "depth"),
            6: ("colour", "object"),
            7: ("colour", "object", "depth"),
        },
        (3,),
    ),
    "specular albedo": Slot("avatarme-specular-albedo", {3: ("colour",)}, (1, 3)),
    "specular normals": Slot("avatarme-specular-normals", {4: ("grey", "tangent"), 6: ("colour", "tangent")}, (3,)),
    "diffuse normals": Slot("avatarme-diffuse-normals", {4: ("grey", "object"), 6: ("colour", "object")}, (3,)),
}


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks that are installed.

    Attributes:
        enlarging: RCAN, or None.
        translating: by the slots' names.
        told: by the slots' names: which entry a network is of, and its file's SHA-256.
        licences: of those entries, each once.
    """

    enlarging: RCAN | None = None
    translating: Mapping[str, Translator] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    licences: tuple[str, ...] = ()

    def given(self, slot: str) -> tuple[str, ...]:
        """What the slot's network is given."""
        return SLOTS[slot].inputs[self.translating[slot].inputs]


def installed_networks() -> Networks:
    """Load what is installed for the slots; nothing installed is fine.

    Raises:
        WeightsError: a checkpoint lacks a tensor, has one too many or of another shape, or does not fit its slot.
    """
    return _loaded(store.stamp(slot.entry for slot in SLOTS.values()))


@lru_cache(maxsize=1)
def _loaded(_: tuple[tuple[str, float], ...]) -> Networks:
    enlarging: RCAN | None = None
    translating: dict[str, Translator] = {}
    told, licences = {}, []
    for name, slot in SLOTS.items():
        if not store.installed(slot.entry):
            continue
        weights = store.open_weights(slot.entry)
        tensors = weights.tensors("network/")
        if name == "super-resolution":
            enlarging = rcan_of(tensors, slot.entry)
        else:
            translating[name] = _checked(translator_of(tensors, slot.entry), slot)
        (sha256,) = weights.sources.values()
        told[name] = f"user: {slot.entry}, sha256 {sha256[:12]}"
        licences.append(weights.manifest["licences"]["weights"])
    return Networks(enlarging, translating, told, tuple(dict.fromkeys(licences)))


def _checked(network: Translator, slot: Slot) -> Translator:
    """The network, if its pictures are those of the slot."""
    for what, count, known in (("takes", network.inputs, tuple(slot.inputs)), ("gives", network.outputs, slot.outputs)):
        if count not in known:
            listed = " or ".join(map(str, known))
            raise WeightsError(
                f"The network of {slot.entry} {what} {count} channels where {listed} are needed; install another, or "
                f"run likeness weights remove {slot.entry}."
            )
    if TILE % network.multiple:
        raise WeightsError(f"The network of {slot.entry} halves its picture too often for tiles of {TILE}.")
    return network
