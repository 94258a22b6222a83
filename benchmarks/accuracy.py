"""How right, how alike and how fast: ``make bench``, or ``python benchmarks/accuracy.py --synthetic --quick``.

Writes out/bench/accuracy.json, skin.json and contact sheets beside them, and prints tables. Parts that are not asked
for keep the figures of the last run. Needs ICT-FaceKit's packed file for the first set of heads (see
`truth.sets.ict_file`); what is missing is said and left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import clay
import real
import skin
import synthetic
import timing
from likeness.errors import LikenessError
from likeness.heads.library import list_heads, open_head
from truth.sets import ROOT, ict_file, make_set

__all__ = ["main"]

OUT = ROOT / "out" / "bench"
ASTRONAUT = ROOT / "tests" / "data" / "astronaut.png"
PHOTOS = ROOT.parent / "shared" / "photos"
DRAWN = ("cartoon",)
COUNTS = {"ict": 20, "anny": 10}
TABLE = Console(width=150)
BY = "_by_"  # between the key of a set and the method, where that is not the open one


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for, all when none is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synthetic", action="store_true", help="shape error on rendered heads of known shape")
    parser.add_argument("--real", action="store_true", help="landmarks and face descriptors on real photos")
    parser.add_argument("--skin", action="store_true", help="the skin's maps on painted skins, see skin.py")
    parser.add_argument("--time", action="store_true", help="time and memory")
    parser.add_argument("--quick", action="store_true", help="few heads, few photos, small textures")
    parser.add_argument("--rendered", action="store_true", help="only heads that are rendered already")
    parser.add_argument("--head", help="only this head model (default: every installed one)")
    parser.add_argument("--method", default="open", help="what makes the heads of --synthetic (default: %(default)s)")
    options = parser.parse_args(arguments)
    everything = not (options.synthetic or options.real or options.skin or options.time)
    torch.set_num_threads(max(1, (torch.get_num_threads() + 1) // 2))  # real cores, not their twins
    heads = [options.head] if options.head else [h.name for h in list_heads() if h.status.startswith("ready")]
    OUT.mkdir(parents=True, exist_ok=True)
    if everything or options.synthetic:
        for name, key in (("ict", "synthetic"), ("anny", "synthetic_unseen")):
            figures = shapes(name, heads, options.quick, not options.rendered, options.method)
            keep(key if options.method == "open" else f"{key}{BY}{options.method}", figures)
    if everything or options.real:
        real_photos = likenesses(heads[0], options.quick)
        keep("real", real_photos)
        skin.keep({"worst_lit_descriptor": skin.worst_lit(real_photos)})
    if everything or options.skin:
        skin.main(["--known-shape", "--photo", *(["--quick"] if options.quick else [])])
    if everything or options.time:
        keep("time", timing.measure(ASTRONAUT, 512 if options.quick else 2048, heads[0]))
    show(kept())
    print(f"Figures and pictures are in {OUT}.")


def kept() -> dict[str, Any]:
    """The figures on disk."""
    path = OUT / "accuracy.json"
    return json.loads(path.read_text()) if path.exists() else {}


def keep(part: str, figures: dict[str, Any]) -> None:
    """Put a part's figures on disk, unless there are none; the other parts stay."""
    if figures:
        (OUT / "accuracy.json").write_text(json.dumps(kept() | {part: figures}, indent=1))


def shapes(name: str, heads: Sequence[str], quick: bool, render: bool, method: str) -> dict[str, Any]:
    """The figures of one set: those of the first head, which "auto" takes, and all heads' under "heads"."""
    if name == "ict" and not ict_file().exists():
        print(f"The set ict is left out: {ict_file()} is not there (LIKENESS_ICT names another place).")
        return {}
    subjects = make_set(name, 4 if quick else COUNTS[name], render=render)
    if not subjects:
        print(f"The set {name} is left out: none of its heads is rendered.")
        return {}
    found = {s.name: synthetic.find_faces(s) for s in subjects}
    reports = {}
    for head in heads:
        results = []
        for subject in subjects:
            results.append(synthetic.measure(subject, found[subject.name], head, method))
            print(f"Measured {name} {subject.name} with {method} and the head {head}", flush=True)
        reports[head] = synthetic.report(results)
        clay.sheet(results, OUT / f"shapes_{name}_{head}{'' if method == 'open' else f'_{method}'}.png")
    first = reports[heads[0]]
    return {**first, "head": heads[0], "heads": reports}


def likenesses(head: str, quick: bool) -> dict[str, Any]:
    """The figures of the real photos, by the photo's name."""
    open_head(head)
    paths = [ASTRONAUT]
    if PHOTOS.is_dir():
        paths += sorted(p for p in PHOTOS.glob("*.jpg") if p.stem not in DRAWN)
    rows: dict[str, real.Likeness | LikenessError] = {}
    for path in paths[: 2 if quick else None]:
        try:
            rows[path.stem] = real.measure(path, head)
        except LikenessError as error:
            rows[path.stem] = error
        print(f"Measured {path.name}", flush=True)
        real.sheet(rows, OUT / "real.png")
    return {name: row.figures if isinstance(row, real.Likeness) else {"error": str(row)} for name, row in rows.items()}


def show(figures: dict[str, Any]) -> None:
    """Print the tables."""
    shape = Table("set", "head", "", "median mm", "mean", "std", "/ mean head", "worst", "recovered")
    titles = {"synthetic": "ICT", "synthetic_unseen": "MakeHuman"}
    for key in (key for name in titles for key in figures if key.partition(BY)[0] == name):
        name, _, method = key.partition(BY)
        title = f"{titles[name]} {method}"
        for head, r in figures[key]["heads"].items():
            rows = (
                ("mean_head", None, None, None),
                ("one_photo", "ratio", "worst_ratio", "share_recovered"),
                ("one_photo_front", "ratio_front", None, None),
                ("three_photos", "ratio_three", "worst_ratio_three", "share_recovered_three"),
            )
            for row, *rest in rows:
                numbers = [f"{r[row][k]:.3f}" for k in ("median_mm", "mean_mm", "std_mm")]
                shape.add_row(
                    title, head, row.replace("_", " "), *numbers, *("" if k is None else f"{r[k]:.3f}" for k in rest)
                )
    if shape.row_count:
        TABLE.print(shape)
    if figures.get("real"):
        names = ("nme_percent", "nme_render_percent", "descriptor_same", "descriptor_25", "yaw")
        table = Table("photo", *names)
        for photo, row in figures["real"].items():
            table.add_row(photo, *([row["error"]] if "error" in row else [f"{row[n]:.2f}" for n in names]))
        TABLE.print(table)
    if figures.get("time"):
        table = Table("time", "")
        for name, value in figures["time"].items():
            if name != "stages":
                table.add_row(name, f"{value:.2f}")
        for stage, row in figures["time"]["stages"].items():
            table.add_row(f"stage {stage}", f"{row['seconds']:.2f} s, peak so far {row['peak_gb']:.2f} GB")
        TABLE.print(table)


if __name__ == "__main__":
    main()
