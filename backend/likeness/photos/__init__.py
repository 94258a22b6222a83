"""Photos as they come from cameras and phones, turned upright, in sRGB, with the focal length where it is known."""

from likeness.photos.decode import load, load_photos
from likeness.photos.photo import Photo

__all__ = ["Photo", "load", "load_photos"]
