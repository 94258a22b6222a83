"""``python tests/blender/make_flame_picture.py``: docs/images/flame.jpg, of a stand-in in FLAME's and DECA's formats.

A head is made of the astronaut's photo by `--method deca` with invented weights, put into Blender, and moved by its own
keys and bones; Cycles draws each.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from pathlib import Path

import bpy
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import deca_stand_in  # noqa: E402
import flame_home  # noqa: E402
from flame_stand_in import StandIn  # noqa: E402

from likeness import faces, photos  # noqa: E402
from likeness.cli import main as likeness  # noqa: E402
from likeness.heads.flame_files import flame_head, open_flame  # noqa: E402
from likeness.heads.library import open_head  # noqa: E402
from likeness.weights import store  # noqa: E402

TARGET = ROOT / "docs" / "images" / "flame.jpg"
PHOTO = ROOT / "tests" / "data" / "astronaut.png"
SIZE, COLUMNS, SAMPLES = (240, 307), 5, 96
Keys = dict[str, float]
Bones = dict[str, tuple[float, float, float]]
LOOKS: tuple[tuple[str, Keys, Bones], ...] = (
    ("neutral", {}, {}),
    ("mouthSmile", {"mouthSmileLeft": 1, "mouthSmileRight": 1}, {}),
    ("jawOpen, browInnerUp", {"jawOpen": 0.7, "browInnerUp": 1}, {}),
    ("browDown, mouthFrown", {f"{n}{s}": 1 for n in ("browDown", "mouthFrown") for s in ("Left", "Right")}, {}),
    ("eyeBlinkLeft", {"eyeBlinkLeft": 1}, {}),
    ("mouthPucker", {"mouthPucker": 1}, {}),
    ("FLAME exp 000 = 2.5", {"FLAME exp 000": 2.5}, {}),
    ("FLAME exp 002 = 2.5", {"FLAME exp 002": 2.5}, {}),
    ("bone jaw", {}, {"jaw": (14, 0, 0)}),
    ("bones head, eyes", {}, {"head": (0, 28, 0), "eye.L": (0, -18, 0), "eye.R": (0, -18, 0)}),
)
"""Caption, values of shape keys, and degrees of bones about their own X, Y and Z."""


def main() -> None:
    """Make the weights and the head, and draw the sheet."""
    with tempfile.TemporaryDirectory() as room:
        made = _blend(Path(room))
        bpy.ops.wm.open_mainfile(filepath=str(made))
        sheet = Image.new("RGB", (COLUMNS * SIZE[0], math.ceil(len(LOOKS) / COLUMNS) * SIZE[1]))
        for number, (caption, keys, bones) in enumerate(LOOKS):
            picture = _drawn(keys, bones, Path(room) / "look.png")
            ImageDraw.Draw(picture).text((8, SIZE[1] - 18), caption, "white")
            sheet.paste(picture, (number % COLUMNS * SIZE[0], number // COLUMNS * SIZE[1]))
    sheet.save(TARGET, quality=90)


def _blend(room: Path) -> Path:
    """The head in a Blender file with its studio."""
    head = open_head("anny")
    (room / "made").mkdir()
    home = flame_home.linked(flame_home.made(room / "made", head), room / "home")
    os.environ["LIKENESS_HOME"] = str(home)
    files = open_flame("flame-2020")
    codes = deca_stand_in.fitted_codes(faces.find(photos.load(PHOTO)), files.flame, flame_head(files, head))
    store.install("deca", deca_stand_in.write_checkpoint(room / "deca_model.tar", StandIn(head), codes=codes))
    blend, portrait = room / "head.blend", room / "portrait.png"
    done = likeness(
        ["reconstruct", str(PHOTO), "--method", "deca", "-o", str(room / "head.likeness"), "--blend", str(blend),
         "--render", str(portrait), "--samples", "1"]
    )  # fmt: skip
    if done:
        raise SystemExit(done)
    return blend


def _drawn(keys: Keys, bones: Bones, path: Path) -> Image.Image:
    """The open file's head with shape keys and bones as given."""
    rig = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    mesh = next(t for t in rig.children_recursive if t.type == "MESH" and t.data.shape_keys)
    for block in mesh.data.shape_keys.key_blocks[1:]:
        block.value = keys.get(block.name, 0.0)
    for bone in rig.pose.bones:
        bone.rotation_mode = "XYZ"
        bone.rotation_euler = [math.radians(a) for a in bones.get(bone.name, (0, 0, 0))]
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = (2 * side for side in SIZE)
    scene.cycles.samples, scene.render.filepath = SAMPLES, str(path)
    bpy.ops.render.render(write_still=True)
    with Image.open(path) as picture:
        return picture.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
