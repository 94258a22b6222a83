"""The backend's side: Blender as a process that may be missing, fail, die, hang or be cancelled; and the whole way."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness import blend as blending
from likeness import cli, package, sheet
from likeness.blend import Turntable, blend
from likeness.errors import LikenessError, OutputError, PackageError
from likeness.progress import Cancelled

needs_bpy = pytest.mark.skipif(
    importlib.util.find_spec("bpy") is None, reason="needs bpy: pip install 'likeness[blender]'"
)

ACTS = {
    "good": "write(); say(stage='blend', fraction=0.5, message='half'); say(done=True)",
    "hangs after": "write(); say(done=True); time.sleep(60)",
    "refuses": "write(); say(error='The package is damaged: x.', kind='package')",
    "disk full": "write(); say(error='No space left on device', kind='output'); sys.exit(1)",
    "killed": "write(); os.kill(os.getpid(), 9)",
    "crashes": "write(); raise KeyError('eyes')",
    "nothing": "print('Blender quit')",
    "slow": "write(); say(stage='blend', fraction=0, message=str(os.getpid())); time.sleep(60); say(done=True)",
}


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A program that takes Blender's arguments and acts as ``LIKENESS_ACT`` says."""
    path = tmp_path / "bin" / "fake-blender"
    path.parent.mkdir()
    path.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys, time\n"
        "job = json.load(open(sys.argv[-1]))\n"
        "def say(**what): print('LIKENESS', json.dumps(what), flush=True)\n"
        "def write():\n"
        "    print('Fra:1 noise', flush=True)\n"
        "    for path in [job['blend'], *(r['path'] for r in job['renders'])]: open(path, 'w').write('new')\n"
        "    if job['turntable']:\n"
        "        for i in (1, 2): open(os.path.join(job['turntable']['folder'], f'{i}.png'), 'w').write('new')\n"
        "exec(os.environ['LIKENESS_ACT'])\n"
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("a.blend", "a.png"):
        (folder / name).write_text("old")
    return folder


def run(fake: Path, out: Path, act: str, monkeypatch: pytest.MonkeyPatch, **more: object) -> None:
    monkeypatch.setenv("LIKENESS_ACT", ACTS[act])
    blend(out / "p.likeness", out / "a.blend", out / "a.png", blender=fake, **more)


def content(out: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in out.iterdir()}


@pytest.mark.parametrize("act", ["good", "hangs after"])
def test_files_are_replaced(fake: Path, out: Path, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blending, "LAST_WORDS", 0.3)
    heard: list[tuple[str, float, str]] = []
    run(fake, out, act, monkeypatch, progress=lambda *what: heard.append(what))
    assert content(out) == {"a.blend": "new", "a.png": "new"}
    assert heard == ([("blend", 0.5, "half")] if act == "good" else [])


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        ("refuses", PackageError, "The package is damaged"),
        ("disk full", OutputError, "No space left"),
        ("killed", OutputError, "signal 9"),
        ("crashes", OutputError, "eyes"),
        ("nothing", OutputError, "it said nothing"),
    ],
)
def test_failures_leave_everything_as_it_was(
    fake: Path, out: Path, act: str, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error, match=words) as caught:
        run(fake, out, act, monkeypatch)
    assert "\n" not in str(caught.value)
    assert content(out) == {"a.blend": "old", "a.png": "old"}


@pytest.mark.parametrize("act", ["good", "refuses", "killed"])
def test_a_turntables_folder_is_whole_or_as_it_was(
    fake: Path, out: Path, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = out / "turn"
    folder.mkdir()
    for name in ("1.png", "3.png"):
        (folder / name).write_text("old")
    turntable = Turntable(folder, "head", "draft")
    if act == "good":
        run(fake, out, act, monkeypatch, turntable=turntable)
        assert content(folder) == {"1.png": "new", "2.png": "new", "3.png": "old"}
    else:
        with pytest.raises(LikenessError):
            run(fake, out, act, monkeypatch, turntable=turntable)
        assert content(folder) == {"1.png": "old", "3.png": "old"}
    assert sorted(content_names(out)) == ["a.blend", "a.png", "turn"]


def test_a_turntables_folder_is_a_file(fake: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="is a file"):
        run(fake, out, "good", monkeypatch, turntable=Turntable(out / "a.png"))
    assert content(out) == {"a.blend": "old", "a.png": "old"}


def test_cancelling_ends_blender(fake: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = []

    def cancel(stage: str, fraction: float, message: str) -> None:
        pids.append(int(message))
        raise Cancelled

    with pytest.raises(Cancelled):
        run(fake, out, "slow", monkeypatch, progress=cancel)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert content(out) == {"a.blend": "old", "a.png": "old"}


def test_no_blender(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="no Blender at"):
        blend(out, out / "a.blend", None, blender=out / "absent")
    monkeypatch.setattr(blending.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(out))
    with pytest.raises(OutputError, match=r"pip install 'likeness\[blender\]'"):
        blend(out, out / "a.blend", None)


def test_unusable_bpy(fake: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTS, "no bpy", "raise ModuleNotFoundError(\"No module named 'bpy'\")")
    with pytest.raises(OutputError, match="bpy module is not usable; install it"):
        run(fake, out, "no bpy", monkeypatch)


def test_add_on_named_by_the_environment(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_ADDON", str(out))
    with pytest.raises(OutputError, match="LIKENESS_ADDON"):
        blend(out, out / "a.blend", None)


def test_output_is_a_folder(fake: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (out / "a.blend").unlink()
    (out / "a.blend").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        run(fake, out, "good", monkeypatch)


@needs_bpy
def test_command_line(room: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [out / "new" / "egg.blend", out / "new" / "egg.png"]
    arguments = ["blend", str(room / "Egg.likeness"), "-o", str(files[0]), "--render", str(files[1]), "--samples", "1"]
    assert cli.main(arguments) == 0
    assert sorted(files[0].parent.iterdir()) == files
    picture = np.asarray(Image.open(files[1]))
    assert picture.shape == (1024, 768, 3)
    assert picture.std() > 10
    assert "Saving" in capsys.readouterr().err
    assert cli.main(arguments) == 2, "existing files stay"

    look = (
        "import bpy, sys, os; bpy.ops.wm.open_mainfile(filepath=sys.argv[1]); s = bpy.context.scene;"
        "print('SEEN', s.camera.name, s.world.name, s.render.engine, len(bpy.data.meshes['Egg'].shape_keys.key_blocks),"
        "all(i.packed_file for i in bpy.data.images if i.source == 'FILE')); sys.stdout.flush(); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", look, str(files[0])], capture_output=True, text=True, check=True)
    assert "SEEN Egg portrait Egg studio CYCLES 54 True" in done.stdout


@needs_bpy
def test_turntable_at_the_command_line(
    room: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the add-on's own presets, made small in a copy of it."""
    add_on = out.parent / "add-on"
    shutil.copytree(Path(blending.__file__).parents[2] / "blender_addon", add_on)
    presets = add_on / "scene" / "quality.py"
    text = presets.read_text()
    small = text.replace('"DRAFT": Turntable(320, 12, 24, 12)', '"DRAFT": Turntable(64, 1, 3, 12)')
    assert small != text
    presets.write_text(small)
    monkeypatch.setenv("LIKENESS_ADDON", str(add_on))
    arguments = ["blend", str(room / "Egg.likeness"), "-o", str(out / "b.blend"), "--turntable", str(out / "turn")]
    arguments += ["--turning", "head", "--quality", "draft"]
    assert cli.main(arguments) == 0
    pictures = sorted((out / "turn").iterdir())
    assert [p.name for p in pictures] == [f"Egg turntable {i:04}.png" for i in (1, 2, 3)]
    assert np.asarray(Image.open(pictures[0])).shape == (64, 48, 3)
    assert "Rendered 3 of 3 pictures" in capsys.readouterr().err
    (out / "b.blend").unlink()
    assert cli.main(arguments) == 2, "existing pictures stay"
    assert "turn exists already" in capsys.readouterr().err


@needs_bpy
def test_damaged_package(room: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["blend", str(room / "broken.likeness"), "-o", str(out / "b.blend")]) == 2
    assert "damaged" in capsys.readouterr().err
    assert content(out) == {"a.blend": "old", "a.png": "old"}


@needs_bpy
def test_sheet(room: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "HEIGHT", 160)
    sheet.compare_sheet(room / "Egg.likeness", out / "compare.png", None, out / "a.png", samples=2, height=160)
    picture = np.asarray(Image.open(out / "compare.png")).astype(int)
    panel = 120
    assert picture.shape == (160 + sheet.GAP + sheet.LABEL, 5 * (panel + sheet.GAP) + sheet.GAP, 3)
    panels = [picture[sheet.GAP : sheet.GAP + 160, sheet.GAP + i * (panel + sheet.GAP) :][:, :panel] for i in range(5)]
    assert all(p.std() > 5 for p in panels)
    wired = np.abs(panels[0] - panels[1]).max(2) > 8
    assert 0.02 < wired.mean() < 0.6
    assert np.asarray(Image.open(out / "a.png")).shape == (160, 120, 3)
    assert sorted(content_names(out)) == ["a.blend", "a.png", "compare.png"]


def content_names(out: Path) -> list[str]:
    return [p.name for p in out.iterdir()]


def test_mesh_on_the_photo_stays_on_the_head(room: Path) -> None:
    """Wires lie inside the silhouette, and hidden parts are not drawn."""
    avatar = package.load(room / "Egg.likeness")
    view = avatar.views[1]
    left, top, right, bottom = box = sheet.frame(avatar, view)
    points = view.camera.project(sheet.posed(avatar, view))
    assert left <= points[:, 0].min()
    assert bottom >= points[:, 1].max() - 8
    wired = np.abs(sheet.wire(avatar, view, box).astype(int) - 90).max(2) > 20
    rows, columns = np.nonzero(wired)
    scale = wired.shape[0] / (bottom - top)
    np.testing.assert_allclose(columns.min() / scale + left, points[:, 0].min(), atol=1)
    np.testing.assert_allclose(columns.max() / scale + left, points[:, 0].max(), atol=1)
    assert 0.01 < wired.mean() < 0.3
    assert right > left
    assert rows.min() > 0
