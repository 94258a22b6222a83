# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and renders avatars without a window.

``python headless.py JOB.json`` with the bpy module, or ``blender -b -P headless.py -- JOB.json``.

The job: {"package": path, "blend": path or null, "renders": [arguments of `scene.render.picture`, …], "turntable":
null or {"folder": path, "turning": "LIGHT" or "HEAD", "quality": a key of `scene.quality.TURNTABLES`}}. Lines that
begin with LIKENESS tell the caller, as JSON, {"stage", "fraction", "message"}, at the end {"done": true}, or {"error":
one sentence for people}.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def say(**what: Any) -> None:
    """One line for the caller."""
    sys.stdout.write("LIKENESS " + json.dumps(what) + "\n")
    sys.stdout.flush()


def load_add_on() -> None:
    """Make this folder importable as the package ``likeness_addon`` without registering it in Blender."""
    spec = importlib.util.spec_from_file_location(
        "likeness_addon", HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no add-on in {HERE}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["likeness_addon"] = module
    spec.loader.exec_module(module)


def run(job: dict[str, Any]) -> None:
    """Do the job in an empty file."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    load_add_on()
    if "compare" in job:
        from likeness_addon.scene.compare_job import compare  # type: ignore[import-not-found]

        compare(bpy.context.scene, job["compare"], lambda part, text: say(stage="compare", fraction=part, message=text))
        say(done=True)
        return
    from likeness_addon.link.package import open_package  # type: ignore[import-not-found]
    from likeness_addon.scene import build, render  # type: ignore[import-not-found]

    scene = bpy.context.scene
    say(stage="blend", fraction=0.0, message="Reading the package")
    with open_package(job["package"]) as package:
        say(stage="blend", fraction=0.2, message="Building the head")
        head = build(package, scene)
        render.use_studio(scene, head.studio)
        scene.name = "Scene"
        if job.get("blend"):
            say(stage="blend", fraction=0.8, message="Saving")
            bpy.ops.wm.save_as_mainfile(filepath=job["blend"], check_existing=False, compress=False)
        say(stage="blend", fraction=1.0, message="Built the head")
        pictures = job.get("renders", [])
        for i, picture in enumerate(pictures):
            title = {"portrait": "portrait", "photo": "photo's view", "clay": "clay view"}[picture["kind"]]

            def tell(part: float, at: int = i, title: str = title) -> None:
                quarters = f", {25 * int(4 * part)} %" if 0.25 <= part < 1 else ""
                say(stage="render", fraction=(at + part) / len(pictures), message=f"Rendering the {title}{quarters}")

            with render.samples_heard(tell):
                render.picture(scene, head, package, **picture)
    if pictures:
        say(stage="render", fraction=1.0, message="Rendered")
    if job.get("turntable"):
        turn(scene, head, **job["turntable"])
    say(done=True)


def turn(scene: Any, head: Any, *, folder: str, turning: str, quality: str) -> None:
    """Render a turntable."""
    from likeness_addon.scene import turntable
    from likeness_addon.scene.quality import TURNTABLES  # type: ignore[import-not-found]

    room = turntable.make_turntable(scene, head, turning=turning, quality=TURNTABLES[quality])
    say(stage="turn", fraction=0.0, message=f"Rendering {room.frame_end} pictures of a turn")

    def tell(part: float) -> None:
        frame = round(part * room.frame_end)
        say(stage="turn", fraction=part, message=f"Rendered {frame} of {room.frame_end} pictures")

    with turntable.frames_heard(room, tell):
        turntable.render_turntable(room, Path(folder))


def main() -> int:
    """The command."""
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        run(job)
    except Exception as error:
        kind = type(error).__name__
        if kind == "PackageError":
            say(error=str(error), kind="package")
            return 3
        if isinstance(error, (OSError, RuntimeError)):
            say(error=f"{error}".strip().replace("\n", " "), kind="output")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
