"""The command line: ``likeness reconstruct | rig | compare | blend | maps | methods | heads | weights | train | …``."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from likeness import __version__, cli_compare, cli_maps, cli_train, cli_weights
from likeness.console import fail, reporter, say
from likeness.errors import LikenessError, OutputError
from likeness.progress import Progress

__all__ = ["main"]

OUR_FAULT = 1
YOURS_TO_MEND = 2
INTERRUPTED = 130

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 when done, 2 after an error the user can act on, 130 when interrupted.

    Without ``argv`` it is the program `likeness` itself: it takes the process's own arguments, ends in order on
    SIGTERM too, and does not return.
    """
    if argv is not None:
        return _main(argv)
    signal.signal(signal.SIGTERM, _end)
    code = _main(sys.argv[1:])
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # taking torch and warp down in order would cost most of a second


def _main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")  # of the libraries beneath; ours are errors or notes
            return int(arguments.run(arguments) or 0)
    except LikenessError as error:
        fail(str(error))
        return YOURS_TO_MEND
    except BrokenPipeError:  # `likeness methods | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUR_FAULT
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        place = error.filename or "the output"
        fail(f"{error.strerror} ({place}): free some space or choose another folder; nothing was changed there.")
        return YOURS_TO_MEND
    except MemoryError:
        fail("There is not enough memory; close other programs or choose a smaller --texture-size.")
        return YOURS_TO_MEND
    except KeyboardInterrupt:
        fail("Interrupted; nothing half-written was left behind.")
        return INTERRUPTED


def _end(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


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
    c.add_argument("--face", type=_whole(0), help="which face of each photo, 0 is the largest")
    size = _whole(256, 4096)
    c.add_argument("--texture-size", type=size, default=2048, help="side of the maps, 256..4096 (default: %(default)s)")
    c.add_argument(
        "--fine-size", type=_whole(0, 6144), default=0, help="side of the maps that avatarme makes, texture size..6144"
    )
    c.add_argument(
        "--light",
        choices=("harmonics", "phong"),
        default="harmonics",
        help="how ganfit's light is told; phong is the paper's point light (default: %(default)s)",
    )
    c.add_argument("--name", help="name of the avatar (default: the output's name)")
    c.add_argument("--seed", type=int, default=0)
    c.add_argument("--blend", type=Path, help="also write this .blend file")
    c.add_argument("--render", type=Path, help="also render this portrait (PNG)")
    c.add_argument("--compare", type=Path, help="also write a sheet: photo, overlay, re-render, portrait, clay (PNG)")
    _blender_options(c)
    c.set_defaults(run=_reconstruct)

    c = commands.add_parser("rig", help="a mesh of a face (OBJ, PLY, STL, GLB) -> an avatar package that moves")
    c.add_argument("mesh", type=Path, metavar="MESH", help="a scan or another program's head; colours are kept")
    c.add_argument("-o", "--output", type=Path, required=True, help="avatar package to write: a folder NAME.likeness")
    c.add_argument("--overwrite", action="store_true", help="replace what is already at the output paths")
    c.add_argument("--head", default="auto", help="see `likeness heads` (default: %(default)s)")
    c.add_argument("--neutral", action="store_true", help="the face is at rest: nothing of it is an expression")
    c.add_argument("--texture-size", type=size, default=2048, help="side of the maps, 256..4096 (default: %(default)s)")
    c.add_argument("--name", help="name of the avatar (default: the output's name)")
    c.add_argument("--seed", type=int, default=0)
    c.add_argument("--blend", type=Path, help="also write this .blend file")
    c.add_argument("--render", type=Path, help="also render this portrait (PNG)")
    _blender_options(c)
    c.set_defaults(run=_rig)

    c = commands.add_parser("blend", help="an avatar package -> a .blend file and a rendered portrait")
    c.add_argument("package", type=Path, metavar="PACKAGE")
    c.add_argument("-o", "--output", type=Path, required=True, help=".blend file to write")
    c.add_argument("--overwrite", action="store_true", help="replace existing files")
    c.add_argument("--render", type=Path, help="also render this portrait (PNG)")
    c.add_argument("--turntable", type=Path, metavar="DIR", help="also render a turntable into this folder (PNG)")
    c.add_argument("--turning", choices=("light", "head"), default="light", help="what turns (default: %(default)s)")
    c.add_argument(
        "--quality", choices=("draft", "good", "final"), default="good", help="of the turn (default: %(default)s)"
    )
    _blender_options(c)
    c.set_defaults(run=_blend)

    c = commands.add_parser("heads", help="the head models and whether they are ready")
    c.set_defaults(run=_heads)

    cli_maps.add_commands(commands, _whole, _free)
    cli_weights.add_commands(commands)
    cli_train.add_commands(commands, _whole)
    cli_compare.add_commands(commands, _whole)

    c = commands.add_parser("serve", help="the HTTP service that Blender talks to")
    c.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine only)")
    c.add_argument("--port", type=_whole(0, 65535), default=0, help="0 takes a free one (default: %(default)s)")
    c.add_argument("--token-file", type=Path, help="file with the token that clients must send (default: a new one)")
    c.add_argument("--tls-cert", type=Path, help="certificate, PEM; needed beyond this machine")
    c.add_argument("--tls-key", type=Path, help="its key, PEM")
    c.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="another name clients may use")
    c.add_argument("--home", type=Path, help="folder for jobs, weights and heads (default: LIKENESS_HOME)")
    c.add_argument("--offline", action="store_true", help="never use the network (as LIKENESS_OFFLINE=1)")
    c.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input ends")
    c.add_argument("--max-photos", type=_whole(1), default=20, help="of a job (default: %(default)s)")
    c.add_argument("--max-photo-mb", type=_whole(1), default=64, help="of a photo's file (default: %(default)s)")
    c.add_argument("--max-total-mb", type=_whole(1), default=512, help="of a job's photos (default: %(default)s)")
    c.add_argument("--max-megapixels", type=_whole(1), default=100, help="of a photo (default: %(default)s)")
    c.add_argument("--max-queue", type=_whole(1), default=32, help="jobs that wait (default: %(default)s)")
    c.add_argument("--max-mesh-mb", type=_whole(1), default=256, help="of a mesh's file (default: %(default)s)")
    c.add_argument("--max-weights-mb", type=_whole(1), default=8192, help="sent at once (default: %(default)s)")
    c.set_defaults(run=_serve)

    c = commands.add_parser("doctor", help="look at this machine: what works, and what to do where it does not")
    c.set_defaults(run=_doctor)
    return parser


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """An argument that is a whole number within limits."""

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if value < low or (high is not None and value > high):
            limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
            raise argparse.ArgumentTypeError(f"{value} is no number {limits}")
        return value

    return whole


def _blender_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--blender", type=Path, help="Blender to run (default: the bpy module, then PATH)")
    parser.add_argument(
        "--samples", type=_whole(1, 65536), default=96, help="Cycles samples of pictures (default: %(default)s)"
    )


def _reconstruct(a: argparse.Namespace) -> None:
    _free(a.overwrite, a.output, a.blend, a.render, a.compare)
    with reporter() as progress:
        progress("start", 0.0, "Reading the photos")
        from likeness.photos import load_photos

        photos = load_photos(a.photos)  # first: what is wrong with a photo need not wait for torch
        progress("start", 0.5, "Starting PyTorch")
        from likeness import pipeline
        from likeness.methods.base import Settings

        progress("start", 1.0, "Starting PyTorch")
        settings = Settings(a.head, a.texture_size, a.seed, a.fine_size, a.light)
        name = a.name or a.output.name.removesuffix(".zip").removesuffix(".likeness")
        avatar = pipeline.reconstruct(photos, a.method, settings, name=name, face=a.face, progress=progress)
        pipeline.write(avatar, a.output, progress)
        _pictures(a, a.output, a.blend, a.render, a.compare, progress)


def _rig(a: argparse.Namespace) -> None:
    _free(a.overwrite, a.output, a.blend, a.render)
    with reporter() as progress:
        progress("start", 0.0, "Starting PyTorch")
        from likeness import pipeline
        from likeness.methods.base import Settings
        from likeness.rig import rig

        settings = Settings(head=a.head, texture_size=a.texture_size, seed=a.seed)
        name = a.name or a.output.name.removesuffix(".zip").removesuffix(".likeness")
        avatar = rig(a.mesh, settings, name=name, neutral=a.neutral, progress=progress)
        pipeline.write(avatar, a.output, progress)
        _pictures(a, a.output, a.blend, a.render, None, progress)


def _blend(a: argparse.Namespace) -> None:
    _free(a.overwrite, a.output, a.render, a.turntable)
    from likeness.blend import Turntable, blend

    turn = Turntable(a.turntable, a.turning, a.quality) if a.turntable else None
    with reporter() as progress:
        blend(a.package, a.output, a.render, turntable=turn, blender=a.blender, samples=a.samples, progress=progress)


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
    """Raises OutputError for what cannot be written, before any work is done."""
    outputs = [path for path in paths if path is not None]
    if len({path.absolute() for path in outputs}) < len(outputs):
        raise OutputError("Two outputs have the same path; give each a name of its own.")
    for path in outputs:
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already; choose another name or add --overwrite.")
        folder = next(p for p in path.absolute().parents if p.exists())
        if not folder.is_dir():
            raise OutputError(f"{path} cannot be written because {folder} is not a folder.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{path} cannot be written: you may not write to {folder}; choose another folder.")


def _heads(_: argparse.Namespace) -> None:
    from likeness.heads.library import list_heads

    for head in list_heads():
        say(f"{head.name}: {head.title}")
        say(f"    licence  {head.licence}")
        say(f"    status   {head.status}")


def _serve(a: argparse.Namespace) -> None:
    from likeness.service.limits import Limits
    from likeness.service.serve import Options, serve

    limits = Limits(
        photos=a.max_photos,
        photo_bytes=a.max_photo_mb << 20,
        total_bytes=a.max_total_mb << 20,
        pixels=a.max_megapixels * 1_000_000,
        queue=a.max_queue,
        mesh_bytes=a.max_mesh_mb << 20,
        weights_bytes=a.max_weights_mb << 20,
    )
    serve(
        Options(
            host=a.host,
            port=a.port,
            token_file=a.token_file,
            tls_cert=a.tls_cert,
            tls_key=a.tls_key,
            home=a.home,
            exit_with_stdin=a.exit_with_stdin,
            offline=a.offline,
            allow_hosts=tuple(a.allow_host),
            limits=limits,
        )
    )


def _doctor(_: argparse.Namespace) -> int:
    from likeness.doctor import examine

    findings = examine()
    for f in findings:
        say(f"{f.state:>4}  {f.name:13}  {f.found}{f'; {f.advice}' if f.advice else ''}")
    return YOURS_TO_MEND if any(f.state == "bad" for f in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
