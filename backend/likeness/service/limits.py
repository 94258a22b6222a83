"""What the service takes at most."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Each of them is an option of `likeness serve`.

    Attributes:
        photos: in one request.
        photo_bytes: of one photo's file.
        total_bytes: of one request.
        pixels: of one photo.
        queue: jobs that wait.
        mesh_bytes: of one mesh's file.
        weights_bytes: of the files sent for one entry of the weights catalogue.
    """

    photos: int = 20
    photo_bytes: int = 64 << 20
    total_bytes: int = 512 << 20
    pixels: int = 100_000_000
    queue: int = 32
    mesh_bytes: int = 256 << 20
    weights_bytes: int = 8 << 30
