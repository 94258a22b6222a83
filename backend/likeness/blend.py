"""A package becomes a .blend file and pictures: the Blender add-on at work in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from likeness.errors import LikenessError, OutputError, PackageError
from likeness.progress import Progress, quiet

__all__ = ["QUALITIES", "TURNING", "Picture", "Turntable", "beside", "blend", "run_blender", "run_job"]

INSTALL = "install it with `pip install 'likeness[blender]'`, or name a Blender with --blender"
MARK = b"LIKENESS "
LAST_WORDS = 20.0
"""Seconds that Blender may take to end once it has reported its last file; it is ended then."""


@dataclass(frozen=True)
class Picture:
    """A picture to render.

    Attributes:
        kind: "portrait" (studio, neutral), "clay" (the same in grey) or "photo" (from a photo's camera, with the
            expression and pose of that photo, on a transparent ground).
        path: PNG to write.
        height: of the picture in pixels.
        samples: of Cycles per pixel.
        view: name of the photo; the first when None.
        crop: part of the photo to render as left, top, right, bottom in 0..1; all of it when None.
        yaw: degrees that a photo's camera walks around the head; the face turns to the picture's right.
    """

    kind: str
    path: Path
    height: int
    samples: int
    view: str | None = None
    crop: tuple[float, float, float, float] | None = None
    yaw: float = 0.0


TURNING = ("light", "head")
QUALITIES = ("draft", "good", "final")


@dataclass(frozen=True)
class Turntable:
    """A turntable to render.

    Attributes:
        folder: for the pictures, PNG, one a frame.
        turning: one of `TURNING`: the key light goes round the head, or the head turns.
        quality: one of `QUALITIES`: size, samples and frames; the add-on's `scene/quality.py` has the numbers.
    """

    folder: Path
    turning: str = "light"
    quality: str = "good"


def blend(
    package: Path,
    blend_file: Path | None,
    portrait: Path | None,
    *,
    turntable: Turntable | None = None,
    blender: Path | None = None,
    samples: int = 96,
    height: int = 1024,
    progress: Progress = quiet,
) -> None:
    """Build the head of a package in Blender; write a .blend file, a portrait, a turntable, or all of them.

    Args:
        package: the avatar package, folder or zip.
        blend_file: .blend to write, or None.
        portrait: PNG to write, or None; 3:4, ``height`` pixels high, with ``samples`` Cycles samples.
        turntable: pictures of a turn to render, or None; the folder is made where it is missing.
        blender: Blender executable; by default the bpy module of this interpreter, then `blender` on PATH.
        progress: hears the stages "blend", "render" and "turn"; may raise `Cancelled`, which ends Blender.

    Existing files are replaced only when everything is complete. Raises PackageError where the package cannot be
    used, OutputError where Blender is missing or a file cannot be written.
    """
    with beside(blend_file, portrait) as (blend_aside, portrait_aside), _folder_beside(turntable) as turning:
        pictures = [Picture("portrait", portrait_aside, height, samples)] if portrait_aside else []
        run_blender(package, blend_aside, pictures, turntable=turning, blender=blender, progress=progress)


@contextmanager
def beside(*paths: Path | None) -> Iterator[tuple[Path | None, ...]]:
    """Temporary names next to ``paths``, renamed to them where the block succeeds, removed where it does not."""
    asides = {p: p.absolute().with_name(f".{os.getpid()}.{p.name}") for p in paths if p}
    try:
        for path in asides:
            if path.is_dir():
                raise OutputError(f"{path} is a folder; choose another name.")
            path.absolute().parent.mkdir(parents=True, exist_ok=True)
            if not os.access(path.absolute().parent, os.W_OK):
                raise OutputError(f"{path} cannot be written (no permission); choose another folder.")
        yield tuple(p and asides[p] for p in paths)
        for path, aside in asides.items():
            aside.replace(path.absolute())
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{error.filename or 'A file'} cannot be written ({reason}).") from error
    finally:
        for aside in asides.values():
            aside.unlink(missing_ok=True)


@contextmanager
def _folder_beside(turntable: Turntable | None) -> Iterator[Turntable | None]:
    """The turntable in a temporary folder next to its own, to which its pictures go where the block succeeds."""
    if turntable is None:
        yield None
        return
    folder = turntable.folder.absolute()
    aside = folder.with_name(f".{os.getpid()}.{folder.name}")
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; choose another name for the folder of the turntable.")
        aside.mkdir(parents=True)
        yield replace(turntable, folder=aside)
        folder.mkdir(exist_ok=True)
        for picture in sorted(aside.iterdir()):
            picture.replace(folder / picture.name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{error.filename or folder} cannot be written ({reason}).") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def run_blender(
    package: Path,
    blend_file: Path | None,
    pictures: Sequence[Picture],
    *,
    turntable: Turntable | None = None,
    blender: Path | None = None,
    progress: Progress = quiet,
) -> None:
    """Build a package's head, save it to ``blend_file`` and render ``pictures`` and ``turntable``, all in one
    Blender process.

    Errors as for `blend`. The files are written where they are asked for, so give temporary names (`beside`).
    """
    job: dict[str, Any] = {
        "package": str(package.absolute()),
        "blend": str(blend_file.absolute()) if blend_file else None,
        "renders": [asdict(p) | {"path": str(p.path.absolute())} for p in pictures],
        "turntable": turntable
        and {
            "folder": str(turntable.folder.absolute()),
            "turning": turntable.turning.upper(),
            "quality": turntable.quality.upper(),
        },
    }
    run_job(job, blender=blender, progress=progress)


def run_job(job: dict[str, Any], *, blender: Path | None = None, progress: Progress = quiet) -> None:
    """Have the add-on do what `blender_addon/headless.py` describes; errors as for `blend`."""
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        room = Path(folder)
        (room / "job.json").write_text(json.dumps(job), encoding="utf-8")
        _run([*_command(blender), str(room / "job.json")], room, progress)


def _command(blender: Path | None) -> list[str]:
    script = str(_add_on() / "headless.py")
    if blender is None and importlib.util.find_spec("bpy"):
        return [sys.executable, script]
    found = shutil.which(str(blender or "blender"))
    if found is None and blender is not None:
        raise OutputError(f"There is no Blender at {blender}.")
    if found is None:
        raise OutputError(f"Blender is needed to build the scene; {INSTALL}.")
    return [found, "--background", "--factory-startup", "-noaudio", "--python", script, "--"]


def _add_on() -> Path:
    """The add-on's folder: named by LIKENESS_ADDON, beside the backend in a checkout, or installed with it."""
    named = os.environ.get("LIKENESS_ADDON")
    places = [Path(named)] if named else []
    places += [Path(__file__).parents[2] / "blender_addon", Path(sys.prefix) / "share" / "likeness" / "blender_addon"]
    for place in places:
        if (place / "headless.py").is_file():
            return place
        if named:
            raise OutputError(f"LIKENESS_ADDON names {named}, which holds no Likeness add-on.")
    raise OutputError("The Likeness add-on is not beside the backend; name its folder in LIKENESS_ADDON.")


def _run(command: list[str], room: Path, progress: Progress) -> None:
    """Run Blender and relay what it says; ``room`` is an empty folder for its settings and temporary files."""
    # A user's add-ons and settings must not change what comes out, and nothing stays behind.
    own = {name: str(room) for name in ("BLENDER_USER_RESOURCES", "TMPDIR", "TEMP", "TMP")}
    done = False
    with (room / "stderr.txt").open("w+b") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=os.environ | own
        )
        try:
            for line in process.stdout or ():
                if not line.startswith(MARK):
                    continue
                said = json.loads(line[len(MARK) :])
                if "error" in said:
                    raise _failure(said)
                if done := bool(said.get("done")):
                    break
                progress(said["stage"], said["fraction"], said["message"])
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAST_WORDS)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        if not done:
            errors.seek(0)
            raise _death(process.returncode, errors.read().decode(errors="replace"))


def _failure(said: dict[str, Any]) -> LikenessError:
    kind = PackageError if said.get("kind") == "package" else OutputError
    return kind(str(said["error"]))


def _death(code: int, errors: str) -> OutputError:
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "it said nothing")
    if "No module named 'bpy'" in errors:
        return OutputError(f"Blender's bpy module is not usable; {INSTALL}.")
    if code < 0:
        return OutputError(f"Blender was ended by signal {-code} (out of memory?); nothing was changed.")
    return OutputError(f"Blender failed ({last}); nothing was changed.")
