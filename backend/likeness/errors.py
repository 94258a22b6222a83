"""The exceptions a caller may meet, as one tree.

LikenessError            anything the user can act on; str(error) is one sentence that says what to do
├── PhotoError           the file is no photo we can use
├── FaceError            the photo holds no face we can use
├── WeightsError         a weight file is missing, damaged or refused
├── HeadError            a head model is missing or damaged
├── MeshError            the file is no mesh we can use
├── MethodError          a method cannot run with what it was given
├── PackageError         an avatar package is damaged, hostile or from a newer version
└── OutputError          the result cannot be written (permission, disk full)
"""

from __future__ import annotations

__all__ = [
    "FaceError",
    "HeadError",
    "LikenessError",
    "MeshError",
    "MethodError",
    "OutputError",
    "PackageError",
    "PhotoError",
    "WeightsError",
]


class LikenessError(Exception):
    """Base of every error that a user can act on."""


class PhotoError(LikenessError):
    """The file is not a photo that can be used."""


class FaceError(LikenessError):
    """The photo holds no face that can be used."""


class WeightsError(LikenessError):
    """A weight file is missing, damaged or refused."""


class HeadError(LikenessError):
    """A head model is missing or damaged."""


class MeshError(LikenessError):
    """The file is not a mesh that can be used."""


class MethodError(LikenessError):
    """A method cannot run with what it was given."""


class PackageError(LikenessError):
    """An avatar package is damaged, hostile, or written by a newer version."""


class OutputError(LikenessError):
    """A result cannot be written."""
