"""`likeness maps`: maps that were made elsewhere onto an avatar package."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from likeness.console import reporter

__all__ = ["add_commands"]

SPACES = ("added", "object", "tangent")


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    whole: Callable[..., Callable[[str], int]],
    free: Callable[..., None],
) -> None:
    """Add the command to the program's.

    Args:
        whole: makes an argument type of whole numbers within limits.
        free: ``free(overwrite, path)`` raises OutputError for what cannot be written.
    """
    c = commands.add_parser("maps", help="finished maps of AvatarMe and others -> onto an avatar package")
    c.add_argument("package", type=Path, metavar="PACKAGE")
    c.add_argument("--diffuse", type=Path, metavar="FILE", help="diffuse albedo (PNG in sRGB, or EXR in linear light)")
    c.add_argument("--specular", type=Path, metavar="FILE", help="specular albedo")
    c.add_argument("--normals", type=Path, metavar="FILE", help="specular normals")
    c.add_argument("--diffuse-normals", type=Path, metavar="FILE", help="diffuse normals")
    c.add_argument(
        "--space",
        choices=SPACES,
        default="added",
        help="of the specular normals: added to x and y of the mesh's normals as AvatarMe has them, the mesh's own "
        "axes, or true tangent space (default: %(default)s)",
    )
    c.add_argument("--diffuse-space", choices=SPACES, default="object", help="of the others (default: %(default)s)")
    c.add_argument("--mesh", type=Path, help="mesh (OBJ) whose UVs the maps have (default: the package's own UVs)")
    c.add_argument("--texture-size", type=whole(256, 6144), help="side of the new maps (default: as the package's)")
    c.add_argument("-o", "--output", type=Path, required=True, help="avatar package to write: a folder NEW.likeness")
    c.add_argument("--overwrite", action="store_true", help="replace what is already at the output path")
    c.set_defaults(run=lambda a: _maps(a, free))


def _maps(a: argparse.Namespace, free: Callable[..., None]) -> None:
    free(a.overwrite, a.output)
    with reporter() as progress:
        progress("start", 0.0, "Reading the package")
        from likeness import package, pipeline

        avatar = package.load(a.package)
        progress("start", 0.5, "Starting PyTorch")
        from likeness.maps.imported import Given, with_imported

        given = Given(a.diffuse, a.specular, a.normals, a.diffuse_normals, a.space, a.diffuse_space, a.mesh)
        pipeline.write(with_imported(avatar, given, a.texture_size, progress), a.output, progress)
