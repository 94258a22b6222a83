"""Faces in photos: detection, 478 dense landmarks with irises, rough head angles."""

from likeness.faces.face import Face
from likeness.faces.mesh import landmarks_of
from likeness.faces.search import find, find_all, warm

__all__ = ["Face", "find", "find_all", "landmarks_of", "warm"]
