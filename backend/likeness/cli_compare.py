"""``likeness compare``: several methods on one photo, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from likeness.console import reporter, say
from likeness.errors import OutputError

__all__ = ["add_commands"]


def add_commands(commands: Any, whole: Callable[..., Callable[[str], int]]) -> None:
    """Add it to the subparsers; ``whole`` makes arguments that are whole numbers within limits."""
    c = commands.add_parser("compare", help="several methods on one photo -> heads side by side, and their distances")
    c.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="one or more photos of the same person")
    c.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    c.add_argument("--methods", default="", help="names with commas, see `likeness methods` (default: all ready ones)")
    c.add_argument("--reference", help="method or mesh file that the others are measured against (default: the first)")
    c.add_argument("--head", default="auto", help="see `likeness heads` (default: %(default)s)")
    c.add_argument("--face", type=whole(0), help="which face of each photo, 0 is the largest")
    size = whole(256, 4096)
    c.add_argument("--texture-size", type=size, default=1024, help="side of the maps, 256..4096 (default: %(default)s)")
    c.add_argument("--seed", type=int, default=0)
    c.add_argument("--blender", type=Path, help="Blender to run (default: the bpy module, then PATH)")
    c.add_argument("--samples", type=whole(1, 65536), default=48, help="of the sheet (default: %(default)s)")
    c.set_defaults(run=_compare)


def _compare(a: argparse.Namespace) -> None:
    if a.output.exists():
        raise OutputError(f"{a.output} exists already; choose another name.")
    with reporter() as progress:
        progress("start", 0.0, "Starting PyTorch")
        from likeness.compare import compare
        from likeness.mesh_file import SUFFIXES
        from likeness.methods.base import Settings

        reference = Path(a.reference) if a.reference and Path(a.reference).suffix.lower() in SUFFIXES else a.reference
        told = compare(
            a.photos,
            a.output,
            [name.strip() for name in a.methods.split(",") if name.strip()],
            Settings(head=a.head, texture_size=a.texture_size, seed=a.seed),
            reference=reference,
            face=a.face,
            samples=a.samples,
            blender=a.blender,
            progress=progress,
        )
    for head in told["heads"]:
        if "median_mm" in head:
            say(f"{head['title']:>12}  median {head['median_mm']:.2f} mm, 90 % below {head['p90_mm']:.2f} mm")
        else:
            say(f"{head['title']:>12}  reference")
    for left in told["skipped"]:
        say(f"{left['method']:>12}  left out: {left['reason']}")
