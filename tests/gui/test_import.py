"""Installed from its zip in a window: quick to enable, avatars can be dropped, undone and refused."""

import json
import time
from pathlib import Path

import made_avatar
import pytest
from conftest import MODULE, Desk

from likeness import package


@pytest.fixture(scope="module")
def egg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an avatar as a folder and as a file."""
    folder = tmp_path_factory.mktemp("egg")
    package.save(made_avatar.make(), folder / "Egg.likeness")
    package.save(made_avatar.make("Second"), folder / "second.zip")
    return folder


def objects(desk: Desk) -> set[str]:
    return set(desk.window.ask("[o.name for o in bpy.data.objects]"))


def test_enabled_at_once(desk: Desk, extension: Path) -> None:
    """As at each start of Blender; the very first time, Python compiles the add-on besides."""
    window, inside = desk.window, desk.window.bring(extension)
    window.do(
        f"bpy.ops.extensions.package_install_files(filepath={inside!r}, repo='user_default', enable_on_install=False)"
    )
    enable = (
        "before = time.perf_counter()\n"
        f"assert bpy.ops.preferences.addon_enable(module={MODULE!r}) == {{'FINISHED'}}\n"
        "result = time.perf_counter() - before\n"
        f"bpy.ops.preferences.addon_disable(module={MODULE!r})\n"
        f"for name in [n for n in sys.modules if n.startswith({MODULE!r})]: del sys.modules[name]"
    )
    first = window.do(enable)
    later = min(window.do(enable) for _ in range(3))
    print(f"enabled in {later:.3f} s, the first time in {first:.3f} s")
    assert later < 0.3


def test_a_dropped_folder_comes_in_and_ctrl_z_takes_it_away(installed: Desk, egg: Path) -> None:
    window, before = installed.window, objects(installed)
    window.drop([window.bring(egg / "Egg.likeness")], 700, 450)
    window.wait("'Egg' in bpy.data.objects", 10)
    installed.picture("dropped")
    assert window.ask("len(bpy.data.objects['Egg'].data.shape_keys.key_blocks)") == 54
    assert window.ask("[o.name for o in bpy.context.selected_objects]") == ["Egg"]
    with_head = window.do("with view3d() as c: result = c.region_data.view_distance")
    assert with_head < 1, "the head is a speck beside Blender's cube: it is not brought into view"
    window.point(700, 300)
    window.key("ctrl+z")
    assert objects(installed) == before
    window.key("ctrl+shift+z")
    window.wait("'Egg' in bpy.data.objects", 10)
    window.key("ctrl+z")
    assert objects(installed) == before


def test_a_dropped_file_comes_in(installed: Desk, egg: Path) -> None:
    window = installed.window
    window.drop([window.bring(egg / "second.zip", "second.likeness")], 700, 450)
    window.wait("'Second' in bpy.data.objects", 10)
    window.point(700, 300)
    window.key("ctrl+z")
    assert "Second" not in objects(installed)


def test_a_damaged_one_is_refused_and_blender_goes_on(installed: Desk, egg: Path) -> None:
    window, before = installed.window, objects(installed)
    broken = Path(window.debian, window.bring(egg / "Egg.likeness", "broken.likeness").lstrip("/"))
    data = json.loads((broken / "avatar.json").read_text())
    data["schema"] = 99
    (broken / "avatar.json").write_text(json.dumps(data))
    window.drop([window.inside(broken)], 700, 450)
    time.sleep(1)
    installed.picture("refused")
    assert objects(installed) == before
    assert "written by a newer version" in window.ask("reports()")
    window.key("Escape")
    window.point(700, 300)
