"""The face network that a fit looks through: an ArcFace of the user's where one is installed, else dlib's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from likeness.fitting.appearance_fit import ARCFACE_WEIGHTS
from likeness.fitting.appearance_looks import arcface_looks, dlib_looks
from likeness.fitting.appearance_terms import Recogniser
from likeness.networks.dlib_face import dlib_face
from likeness.networks.iresnet import depth, installed_network
from likeness.weights import catalog, store

__all__ = ["ARCFACES", "FaceNetwork", "choose_network"]

ARCFACES = ("arcface", "auraface")
"""Entries of the weights catalogue that hold an IResNet, the paper's first."""


@dataclass(frozen=True, eq=False)
class FaceNetwork:
    """A face network and what is to be said of it.

    Attributes:
        name: entry of the weights catalogue.
        looks: what it sees; source: for the provenance.
        licences: of what the user brought.
        realigned: see `likeness.fitting.appearance_fit.fit_appearance`.
        weights: of the terms where they are others than a plan's own, None where they are not.
    """

    name: str
    looks: Recogniser
    source: str
    licences: tuple[str, ...] = ()
    realigned: bool = False
    weights: Mapping[str, float] | None = None


def choose_network() -> FaceNetwork:
    """The best that is installed.

    Raises:
        WeightsError: what is installed is of another network, or dlib's cannot be fetched.
    """
    name = next((name for name in ARCFACES if store.installed(name)), None)
    if name is None:
        dlib_face()
        return FaceNetwork("dlib-face", dlib_looks, "open weights: dlib, public domain")
    network = installed_network(name)
    entry = catalog.entry(name)
    files = ", ".join(store.open_weights(name).sources)
    return FaceNetwork(
        name,
        arcface_looks(network),
        f"user: {files} ({entry.title}, IResNet-{depth(network)}; {entry.strictest})",
        (entry.strictest,),
        True,
        ARCFACE_WEIGHTS,
    )
