"""Shape error on rendered heads of known shape: the mean head, ours from one photo, ours from three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness import faces, photos
from likeness.errors import FaceError
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.heads.library import open_head
from likeness.methods.base import Settings
from likeness.methods.registry import find_method
from likeness.progress import quiet
from now import IBUG7
from shape_error import Fit, Neutral, fit_to_scan, ratio, share_recovered, summary
from truth.sets import Subject

__all__ = ["Result", "find_faces", "measure", "neutral", "report"]


@dataclass(frozen=True, eq=False)
class Result:
    """One subject measured with one head model.

    Attributes:
        subject: whose truth it is.
        mean: the mean head; single: ours from each photo alone, by view; together: ours from all of them.
        heads: the neutral heads of all these, in the order mean, single…, together.
        lost: views in which no face was found.
    """

    subject: Subject
    mean: Fit
    single: dict[int, Fit]
    together: Fit | None
    heads: list[Neutral]
    lost: list[int] = field(default_factory=list)


def find_faces(subject: Subject) -> dict[int, Face]:
    """The face of each photo by view; views without one are left out."""
    found = {}
    for view, path in enumerate(subject.photos):
        try:
            found[view] = faces.find(photos.load(path))
        except FaceError as error:
            print(f"{subject.folder.parent.name} {subject.name}, view {view}: {error}")
    return found


def neutral(head: HeadModel, vertices: NDArray[Any]) -> Neutral:
    """Vertices (V, 3) of a head model as the protocol wants them: the skin, and seven of the 68 landmarks."""
    embedding = head.landmarks["ibug68"]
    corners = np.asarray(vertices)[head.triangles.numpy()[embedding.triangle.clamp(min=0).numpy()]]
    landmarks = (corners * embedding.barycentric.numpy()[..., None]).sum(1)[list(IBUG7)]
    return Neutral(np.asarray(vertices), head.triangles[head.region("skin")].numpy(), landmarks)


def measure(subject: Subject, found: dict[int, Face], head_name: str, method: str = "open") -> Result:
    """Reconstruct a subject from each photo alone and from all of them, and compare with the truth."""
    head = open_head(head_name)
    chosen, settings, scan = find_method(method)(), Settings(head=head_name), subject.scan

    def ours(used: list[Face]) -> Neutral:
        made = chosen.reconstruct(used, settings, quiet)
        assert made.head is not None
        return neutral(made.head, made.vertices)

    average = neutral(head, head.template.numpy())
    alone = {view: ours([face]) for view, face in found.items()}
    everything = ours(list(found.values())) if found else None
    heads = [average, *alone.values(), *([everything] if everything else [])]
    return Result(
        subject,
        fit_to_scan(scan, average),
        {view: fit_to_scan(scan, head) for view, head in alone.items()},
        fit_to_scan(scan, everything) if everything else None,
        heads,
        [view for view in range(len(subject.photos)) if view not in found],
    )


def report(results: Sequence[Result]) -> dict[str, Any]:
    """The figures of a set, all in millimetres or plain ratios; a photo without a face counts as the mean head."""
    singles = [(r, r.single.get(view, r.mean)) for r in results for view in range(len(r.subject.photos))]
    togethers = [(r, r.together or r.mean) for r in results]
    mean = summary([r.mean for r in results])
    one, three = summary([f for _, f in singles]), summary([f for _, f in togethers])
    front = summary([r.single.get(r.subject.front, r.mean) for r in results])
    ratios = [ratio(f, r.mean) for r, f in singles]
    ratios_three = [ratio(f, r.mean) for r, f in togethers]
    return {
        "heads": len(results),
        "faces_not_found": sum(len(r.lost) for r in results),
        "mean_head": mean,
        "one_photo": one,
        "one_photo_front": front,
        "three_photos": three,
        "ratio": one["median_mm"] / mean["median_mm"],
        "ratio_front": front["median_mm"] / mean["median_mm"],
        "ratio_three": three["median_mm"] / mean["median_mm"],
        "worst_ratio": max(ratios),
        "worst_ratio_three": max(ratios_three),
        "share_recovered": share_recovered([(f, r.mean) for r, f in singles]),
        "share_recovered_three": share_recovered([(f, r.mean) for r, f in togethers]),
        "by_head": {
            r.subject.name: {
                "mean_head_mm": r.mean.median_mm,
                "one_photo_mm": [r.single[v].median_mm for v in sorted(r.single)],
                "three_photos_mm": (r.together or r.mean).median_mm,
            }
            for r in results
        },
    }
