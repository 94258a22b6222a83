"""What an artist does in a window with a head: panels are drawn, sliders undone, a portrait renders beside the work."""

from pathlib import Path

import made_avatar
import pytest
from conftest import Desk, give_extension
from sidebar import Sidebar
from window import ScreenLostError

from likeness import package

OPERATORS = "bpy.ops.likeness"
PANELS = ("expression", "pose", "appearance", "studio", "assets", "export")


@pytest.fixture(scope="module")
def egg(installed: Desk, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A head in the scene, beside Blender's cube."""
    folder = tmp_path_factory.mktemp("egg") / "Egg.likeness"
    package.save(made_avatar.make(), folder)
    inside = installed.window.bring(folder)
    bring_in(installed, inside)
    return inside


def bring_in(desk: Desk, path: str) -> None:
    desk.window.do(f"with view3d() as c: {OPERATORS}.import_avatar('EXEC_DEFAULT', filepath={path!r})")
    desk.window.wait("'Egg' in bpy.data.objects", 10)


def test_panels_are_drawn(installed: Desk, egg: str, sidebar: Sidebar) -> None:
    """By Blender itself, which tells wrong properties, icons and operators."""
    for panel in PANELS:
        sidebar.unfold(f"LIKENESS_PT_{panel}")
        installed.picture(f"panel_{panel}")
    log = installed.window.log
    told = [line for line in log.splitlines() if "rror" in line or "unknown" in line]
    assert not [line for line in told if "not fatal to the X server" not in line], log[-2000:]


def test_a_portrait_renders_beside_the_work(installed: Desk, egg: str, extension: Path) -> None:
    try:
        render_beside_the_work(installed)
    except ScreenLostError:
        # Now and then software GL loses the context that Blender's render thread shares with its window.
        installed.window.restart()
        give_extension(installed.window, extension)
        bring_in(installed, egg)
        render_beside_the_work(installed)


def render_beside_the_work(installed: Desk) -> None:
    window = installed.window
    target = window.inside(window.room / "portrait.png")
    window.do("bpy.context.preferences.view.render_display_type = 'WINDOW'")
    scenes = window.ask("[s.name for s in bpy.data.scenes]")
    window.do(
        f"with view3d() as c: {OPERATORS}.render_portrait('INVOKE_DEFAULT', height=256, samples=8, filepath={target!r})"
    )
    window.key("Return")  # the dialog's button has the focus
    picture = Path(window.debian, target.lstrip("/"))
    window.wait("bpy.app.is_job_running('RENDER') or 'Egg portrait' in bpy.data.images", 20)
    installed.picture("rendering")
    window.wait("'Egg portrait' in bpy.data.images", 120)
    assert picture.is_file()
    assert window.ask("tuple(bpy.data.images['Egg portrait'].size)") == [192, 256]
    window.wait(f"[s.name for s in bpy.data.scenes] == {scenes!r}", 5)
    assert not window.ask("len(bpy.app.handlers.render_complete) + len(bpy.app.handlers.render_cancel)")
    installed.picture("portrait")
