"""The worker process: keeps torch and the models warm and does one task after the other.

It reads requests from standard input and answers on standard output, see `likeness.service.channel`. Run by
`likeness.service.workshop`, not by people.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import sys
import traceback
import warnings
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.errors import LikenessError
from likeness.progress import Cancelled, Progress
from likeness.service.catalogue import catalogue
from likeness.service.channel import Message, WorkerEnd

if TYPE_CHECKING:
    from likeness.avatar import Avatar

__all__ = ["code_of", "main", "unforeseen", "yield_to_others"]

SHOWN = 12
"""Faces of a photo that are answered with a picture, the largest."""


def main() -> None:
    """Serve until standard input ends."""
    warnings.simplefilter("ignore")  # of the libraries beneath; ours are errors or notes
    yield_to_others()
    end = WorkerEnd({"catalogue": lambda _: catalogue()})
    device = _warm()
    end.send({"event": "ready", "pid": os.getpid(), "device": device, "catalogue": catalogue()})
    tasks: dict[str, Callable[[Message, Progress], Message]] = {"job": _job, "rig": _rig, "faces": _faces}
    while True:
        message = end.next()
        number = int(message["number"])
        progress = end.progress(number)
        try:
            progress("start", 0.0, "Reading the mesh" if message["do"] == "rig" else "Reading the photos")
            answer = tasks[message["do"]](message, progress)
            end.send({"number": number, "event": "answer", "answer": answer})
        except Cancelled:
            end.send({"number": number, "event": "stopped"})
        except LikenessError as error:
            end.send(_failure(number, code_of(error), " ".join(str(error).split())))
        except MemoryError:
            end.send(_failure(number, "out_of_memory", NO_MEMORY) | {"spent": True})
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                end.send(_failure(number, "no_space", NO_SPACE))
                continue
            traceback.print_exc()
            out = "out of memory" in str(error).lower()  # CUDA's is a RuntimeError
            sentence = NO_MEMORY if out else unforeseen(error)
            end.send(_failure(number, "out_of_memory" if out else "internal", sentence) | {"spent": True})
        gc.collect()


NO_MEMORY = "There was not enough memory; close other programs, or choose a smaller texture size or fewer photos."


NO_SPACE = "The service's disk is full; free some space there and start the job again."


def unforeseen(error: Exception) -> str:
    """The sentence for an error that is none of ours."""
    return (
        f"Something went wrong that Likeness did not foresee ({type(error).__name__}); "
        "the service's log says more, please report it."
    )


def _failure(number: int, code: str, message: str) -> Message:
    return {"number": number, "event": "failed", "code": code, "message": message}


def code_of(error: LikenessError) -> str:
    """PhotoError -> "photo_error"."""
    return type(error).__name__.removesuffix("Error").lower() + "_error"


def yield_to_others() -> None:
    """Leave the processor to whoever the user looks at; and where memory runs out, be the one that is ended."""
    if sys.platform != "win32":  # there the server chose the priority
        with suppress(OSError):
            os.nice(5)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _warm() -> str:
    """Import what a job needs and use once what every job uses. Returns the device, "cpu" or "cuda"."""
    import torch

    from likeness import faces, package, pipeline
    from likeness.heads.library import list_heads, open_head
    from likeness.methods.registry import list_methods
    from likeness.render.raster import rasterise
    from likeness.weights import face_networks

    del package, pipeline
    list_methods()
    with suppress(LikenessError, OSError):  # told when a job meets it
        if face_networks.path().is_file():
            faces.warm()
        if list_heads()[0].status == "ready":
            open_head("auto")
        corners = torch.tensor([[0.0, 0.0, 1.0], [0.0, 8.0, 1.0], [8.0, 0.0, 1.0]])
        rasterise(corners, torch.tensor([[0, 1, 2]]), 8, 8)
    return "cuda" if torch.cuda.is_available() else "cpu"


def _photos(message: Message) -> list[Any]:
    """The photos under the names that their owners know."""
    from likeness.photos import load

    return [
        replace(load(file, photo["name"]), path=Path(photo["name"]))
        for photo in message["photos"]
        for file in [Path(photo["file"])]
    ]


def _job(message: Message, progress: Progress) -> Message:
    """A job: package, preview and what is known of them, written into the job's folder, the package last."""
    from likeness import pipeline
    from likeness.methods.base import Settings

    photos = _photos(message)
    progress("start", 1.0, "Reading the photos")
    wanted: dict[str, Any] = message["settings"]
    # What is newer is absent from jobs that waited while the backend was renewed.
    fine, light = wanted.get("fine_size", 0), wanted.get("light", "harmonics")
    settings = Settings(wanted["head"], wanted["texture_size"], wanted["seed"], fine, light)
    name = wanted["name"] or photos[0].path.stem
    avatar = pipeline.reconstruct(photos, wanted["method"], settings, name=name, face=wanted["face"], progress=progress)
    return _delivered(avatar, Path(message["folder"]), wanted["method"], progress)


def _rig(message: Message, progress: Progress) -> Message:
    """A mesh that becomes a head; what comes of it as of `_job`."""
    from likeness.methods.base import Settings
    from likeness.rig import GivenMesh, rig

    (mesh,), wanted = message["photos"], message["settings"]
    settings = Settings(head=wanted["head"], texture_size=wanted["texture_size"], seed=wanted["seed"])
    name = wanted["name"] or Path(mesh["name"]).stem
    neutral = wanted["neutral"]
    avatar = rig(Path(mesh["file"]), settings, name=name, called=mesh["name"], neutral=neutral, progress=progress)
    return _delivered(avatar, Path(message["folder"]), GivenMesh.name, progress)


def _delivered(avatar: Avatar, folder: Path, method: str, progress: Progress) -> Message:
    """Preview, what is known, and the package last, in the job's folder."""
    from likeness import pipeline
    from likeness.service.preview import write_preview

    with suppress(OSError, ValueError):  # a picture for the list, not worth losing the avatar for
        write_preview(avatar, folder / "preview.png")
    about = {"name": avatar.name, "head": avatar.head, "method": method, "licences": avatar.provenance["licences"]}
    _write_beside(folder / "about.json", json.dumps(about).encode())
    pipeline.write(avatar, folder / "avatar.zip", progress, called=avatar.name)
    return about


def _write_beside(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(content)
    aside.replace(path)


def _faces(message: Message, _: Progress) -> Message:
    from likeness import faces
    from likeness.service.preview import face_picture

    found = []
    for photo in message["photos"]:
        entry: dict[str, Any] = {"name": photo["name"], "width": 0, "height": 0, "faces": [], "error": None}
        try:
            (read,) = _photos({"photos": [photo]})
            entry |= {"width": read.width, "height": read.height}
            several = faces.find_all(read)
            shown = SHOWN if len(several) > 1 else 0
            entry["faces"] = [
                {
                    "box": [round(float(v), 2) for v in face.box],
                    "score": min(1.0, float(face.score)),
                    "picture": b64encode(face_picture(read.pixels, face.box)).decode() if i < shown else "",
                }
                for i, face in enumerate(several)
            ]
        except LikenessError as error:
            entry["error"] = " ".join(str(error).split())
        found.append(entry)
    return {"photos": found}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
