"""Sets of subjects, drawn from seeds and kept between runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from likeness.camera import Camera
from now import IBUG7, Scan
from truth.anny import Anny
from truth.body import Body
from truth.canvas import Canvas
from truth.draw import draw_ict
from truth.ict import Ict
from truth.subject import YAWS, Drawn, make_subject

__all__ = ["SETS", "Subject", "ict_file", "make_set", "truth_folder"]

SETS = {"ict": 1, "anny": 2}
"""Where shapes come from, and the number that seeds the set: the same heads on every machine."""

VIEWS = len(YAWS)
ROOT = Path(__file__).resolve().parents[2]

Source = tuple[Body, Callable[[Generator, int], Drawn]]


@dataclass(frozen=True)
class Subject:
    """One rendered subject (see `truth.subject` for the files of its folder)."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def rendered(self) -> bool:
        """Whether the folder is complete."""
        return (self.folder / "subject.json").exists()

    @property
    def photos(self) -> list[Path]:
        """Its photos, from one side to the other."""
        return [self.folder / f"view_{i}.png" for i in range(VIEWS)]

    @property
    def front(self) -> int:
        """The view that looks most straight into the camera."""
        notes = json.loads((self.folder / "subject.json").read_text())
        return int(np.argmin([abs(pose["yaw"]) for pose in notes["poses"]]))

    @cached_property
    def truth(self) -> dict[str, NDArray[Any]]:
        """The arrays of truth.npz."""
        with np.load(self.folder / "truth.npz") as data:
            return {k: data[k] for k in data.files}

    @property
    def scan(self) -> Scan:
        """The truth as the NoW protocol wants it."""
        return Scan(self.truth["scan"].astype(np.float64), self.truth["landmarks"].astype(np.float64)[list(IBUG7)])

    @property
    def cameras(self) -> list[Camera]:
        """From the truth's frame to each photo."""
        return [Camera.from_json(c) for c in json.loads((self.folder / "cameras.json").read_text())]


def truth_folder() -> Path:
    """Where rendered sets are kept: $LIKENESS_TRUTH, else out/bench/truth of the checkout."""
    return Path(os.environ.get("LIKENESS_TRUTH", ROOT / "out" / "bench" / "truth"))


def ict_file() -> Path:
    """The packed ICT-FaceKit the first set is drawn from: $LIKENESS_ICT, else shared/heads beside the checkout."""
    return Path(os.environ.get("LIKENESS_ICT", ROOT.parent / "shared" / "heads" / "ict_facekit.npz"))


@cache
def source(name: str) -> Source:
    """Topology and draw function of a set; raises FileNotFoundError when what it is drawn from is not there."""
    if name == "ict":
        model = Ict.load(ict_file())
        return model.body, lambda rng, views: draw_ict(model, rng, views)
    head = Anny.load()
    return head.body, head.draw


def make_set(name: str, count: int, folder: Path | None = None, *, render: bool = True) -> list[Subject]:
    """The first `count` subjects of a set; those not rendered yet are rendered, about a minute each, or left out."""
    folder = folder or truth_folder()
    subjects = [Subject(folder / name / f"{i:03d}") for i in range(count)]
    missing = [s for s in subjects if not s.rendered]
    if not (missing and render):
        return [s for s in subjects if s.rendered]
    body, draw = source(name)
    canvas = Canvas.of(body)
    for subject in missing:
        make_subject(subject.folder, body, canvas, draw, (SETS[name], int(subject.name)))
        print(f"Rendered {name} {subject.name}", flush=True)
        contact_sheet(subjects, folder / name / "sheet.png")
    return subjects


def contact_sheet(subjects: list[Subject], path: Path, side: int = 256) -> None:
    """All photos of the subjects that are there, a row each."""
    rows = [s for s in subjects if s.rendered]
    sheet = Image.new("RGB", (side * VIEWS * 2, side * ((len(rows) + 1) // 2)))
    for i, subject in enumerate(rows):
        for k, photo in enumerate(subject.photos):
            small = Image.open(photo).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (side * (k + VIEWS * (i % 2)), side * (i // 2)))
    sheet.save(path)
