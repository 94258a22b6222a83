"""Each panel of the tab is drawn in a window without an error; pictures of all are kept to be looked at."""

import time

import made_avatar
import pytest
from conftest import MODULE, Desk
from sidebar import Sidebar

from likeness import package

PANELS = ("results", "expression", "pose", "appearance", "studio", "assets", "export", "backend")
ONE_OPEN = """
shown = bpy.app.driver_namespace

def alone(cls):
    old = getattr(cls, "poll", None)
    return classmethod(lambda c, context: shown["panel"] == c.__name__ and (old is None or old(context)))

for name in NAMES:
    cls = getattr(bpy.types, f"LIKENESS_PT_{name}")
    bpy.utils.unregister_class(cls)
    cls.poll, cls.bl_options = alone(cls), set(getattr(cls, "bl_options", ())) - {"DEFAULT_CLOSED"}
    bpy.utils.register_class(cls)
"""


@pytest.fixture(scope="module")
def tab(installed: Desk, tmp_path_factory: pytest.TempPathFactory) -> Sidebar:
    """The tab with a head selected; of those for heads, all open, one at a time is there."""
    folder = tmp_path_factory.mktemp("egg") / "Egg.likeness"
    package.save(made_avatar.make(), folder)
    installed.window.do(
        ONE_OPEN.replace("NAMES", repr(PANELS)) + "\nshown['panel'] = ''\n"
        f"bpy.context.preferences.addons[{MODULE!r}].preferences.agreed = '2026-01-01T00:00:00+00:00'\n"
        f"with view3d(): bpy.ops.likeness.import_avatar(filepath={installed.window.bring(folder)!r})"
    )
    return Sidebar(installed.window)


def test_before_anything_is_set_up(installed: Desk, tab: Sidebar) -> None:
    time.sleep(1)
    installed.picture("set up")
    assert tab.find("bpy.ops.likeness.set_up")


@pytest.mark.parametrize("name", PANELS)
def test_panel(installed: Desk, tab: Sidebar, name: str) -> None:
    window, drawn = installed.window, f"drawn.get('LIKENESS_PT_{name}.draw', 0)"
    window.do(
        f"bpy.app.driver_namespace['panel'] = 'LIKENESS_PT_{name}'\ndrawn.clear()\n"
        "with view3d('UI') as c: c.region.tag_redraw()"
    )
    window.wait(f"{drawn} > 0", 5)
    tab.scroll(60)
    time.sleep(0.5)
    installed.picture(f"panel {name}")


def test_preferences(installed: Desk) -> None:
    windows = installed.window.ask("len(bpy.context.window_manager.windows)")
    installed.window.do(f"bpy.ops.preferences.addon_show(module={MODULE!r})")
    installed.window.wait(f"len(bpy.context.window_manager.windows) > {windows}", 10)
    time.sleep(2)
    installed.picture("preferences")


def test_nothing_went_wrong(installed: Desk, tab: Sidebar) -> None:
    assert "Traceback" not in installed.window.log
    assert "rna_ui" not in installed.window.log, "an unknown property or operator is drawn"
