"""``python tests/gui/make_panel_picture.py [SUITE]``: the picture of Blender's window in the README, by a real run."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import debian
from conftest import ROOT, build, give_backend, give_extension
from PIL import Image
from sidebar import Sidebar
from window import Window, until

TARGET = ROOT / "docs" / "images" / "panel.png"
PART = (0, 0, 1321, 810)
"""The 3D view and what is above it, pixels."""
COLOURS = 256

SECONDS = 420
"""For Cycles to draw the view."""
LOOK = """
from mathutils import Euler
for name in ("Cube", "Light", "Camera"):
    bpy.data.objects.remove(bpy.data.objects[name])
bpy.data.objects["astronaut rig"].hide_set(True)
bpy.ops.likeness.studio()
bpy.ops.likeness.expression_preset(preset="SMILE", strength=0.5)
bpy.context.scene.cycles.preview_samples = 600  # Debian's Blender has no denoiser
with view3d() as context:
    space, view = context.space_data, context.region_data
    overlay = space.overlay
    overlay.show_floor = overlay.show_axis_x = overlay.show_axis_y = overlay.show_cursor = False
    overlay.show_outline_selected = overlay.show_relationship_lines = overlay.show_extras = overlay.show_text = False
    overlay.show_object_origins = False
    space.lens, view.view_perspective = 85, "PERSP"
    view.view_rotation = Euler((1.52, 0, 0.3)).to_quaternion()
    bpy.ops.view3d.view_selected()
    view.view_location.z += 0.02
    space.shading.type = "RENDERED"
"""


def main(suite: str) -> None:
    """Reconstruct the astronaut in Blender's window and keep what it looks like."""
    folder = debian.make(suite)
    with tempfile.TemporaryDirectory() as room, Window(folder) as window:
        give_extension(window, build(Path(room)))
        with give_backend(window):
            window.bring(ROOT / "tests" / "data" / "astronaut.png")
            sidebar = Sidebar(window)
            window.do("bpy.context.scene.likeness.studio = True")
            sidebar.press("bpy.ops.likeness.agree")
            window.do(
                f"bpy.ops.likeness.add_photos(directory={window.inside(window.room)!r}, "
                "files=[{'name': 'astronaut.png'}])"
            )
            time.sleep(5)
            sidebar.press("bpy.ops.likeness.reconstruct")
            until(lambda: sidebar.task()["state"] == "done", 300, what="the head")
            window.wait("'astronaut' in bpy.data.objects", 20)
            sidebar.scroll(-60)
            window.do(LOOK)
            time.sleep(SECONDS)
            window.point(5, 895)
            time.sleep(2)
            shot = Image.open(window.picture(ROOT / "out" / "gui" / "panel.png")).convert("RGB")
    part = shot.crop(PART)
    palette = part.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=4)
    part.quantize(COLOURS, palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(TARGET, optimize=True)
    print(TARGET, TARGET.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:] or ["trixie"])
