"""Photos as they come from cameras and phones, turned upright, in sRGB, with the focal length where it is known.

`header` looks at a file without NumPy and OpenCV; they are loaded when a photo is first decoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from likeness.photos.decode import load, load_photos
    from likeness.photos.photo import Photo

__all__ = ["Photo", "load", "load_photos"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'likeness.photos' has no attribute {name!r}")
    from likeness.photos import decode, photo

    globals().update(Photo=photo.Photo, load=decode.load, load_photos=decode.load_photos)
    return globals()[name]
