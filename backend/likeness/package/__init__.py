"""The avatar package: an `Avatar` on disk as a folder ``NAME.likeness`` or a .zip of the same files.

avatar.json     names, joints, materials, cameras, expressions per photo, provenance; made to be read by people
geometry.npz    vertices, polygons, UVs; expression deltas, pose correctives, skin weights and groups with their zeros
                left out; the person's coefficients of identity where the head has them (identity, half floats, and
                identity_joints); the method's own mesh where it has one (own_vertices, own_triangles, own_colours)
maps/           MATERIAL_channel.png, 8 bit or 16 bit, row 0 at the top (v = 1)
photos/         the photos the head was made from

Deltas below a micrometre are dropped, float maps become 16 bit over their own range, photos become JPEG: a package
that was loaded and saved again stays the same but for the JPEGs.
"""

from likeness.package.format import SCHEMA
from likeness.package.read import load
from likeness.package.write import save

__all__ = ["SCHEMA", "load", "save"]
