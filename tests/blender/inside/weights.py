"""Weights installed by the panel's buttons, against a real backend process and a real web server."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest
from driven import now, ui, until
from measure import EXTENSION
from recording import Layout, draw

sys.path.insert(0, str(Path(__file__).parents[2]))

from served import Served, serving

TEXELS = "flame-texture-data"
ADDRESS = "http://files.is.tue.mpg.de/tbolkart/FLAME/FLAME_texture_data.zip"
HALF = 1 << 17
"""Bytes after which a download breaks off."""


def panel(name: str = "method") -> Layout:
    return draw(getattr(bpy.types, f"LIKENESS_PT_{name}"))


def method() -> dict[str, Any]:
    return next(m for m in now().methods if m["name"] == "ringnet")


def boxes() -> set[str]:
    """Titles of what the panel says is lacking."""
    titles = {entry["title"] for entry in now().weights if entry["name"] in method()["needs"]}
    return {title for title in titles if title in panel().said}


@pytest.fixture(scope="module")
def files() -> Path:
    return Path(os.environ["LIKENESS_TEST_WEIGHTS"])


@pytest.fixture(scope="module")
def web(files: Path) -> Iterator[Served]:
    """The authors' server of one entry, which has an address without TLS: a proxy answers in its place."""
    with serving() as served:
        served.files[ADDRESS] = (files / "FLAME_texture_data.zip").read_bytes()
        yield served


@pytest.fixture(scope="module")
def backend(add_on: ModuleType, web: Served) -> Iterator[ModuleType]:
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.kind, preferences.own = "OWN", os.environ["LIKENESS_TEST_BACKEND"]
    preferences.home = os.environ["LIKENESS_TEST_HOME"]
    bpy.ops.likeness.agree()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"http_proxy": web.url, "no_proxy": "", "NO_PROXY": ""}.items():
            patch.setenv(name, value)
        assert bpy.ops.likeness.connect() == {"FINISHED"}
    bpy.ops.likeness.choose_method(name="ringnet")
    yield add_on
    bpy.ops.likeness.stop()


def test_the_panel_says_what_is_lacking(backend: ModuleType) -> None:
    lacking = boxes()
    assert lacking == {e["title"] for e in now().weights if e["name"] in method()["needs"]}
    assert "RingNet: regressor" in lacking
    drawn = panel()
    for text in ("MIT", "ringnet.is.tue.mpg.de", "with Choose Files", "Allow Online Access", "non-commercial research"):
        assert text in drawn.said
    assert "--from" not in drawn.said
    assert drawn.operators.count("likeness.give_weights") == len(lacking)
    assert drawn.operators.count("wm.url_open") == len(lacking)
    assert 0 < drawn.operators.count("likeness.install_weights") < len(lacking), "some need a sign-up"
    listed = panel("weights")
    assert "Nothing is installed yet" in listed.said
    assert f"needs {len(method()['needs'])}" in listed.said
    assert listed.operators.count("likeness.choose_method") == len(now().methods)


def test_files_of_ones_own(backend: ModuleType, files: Path) -> None:
    give = bpy.ops.likeness.give_weights
    with pytest.raises(RuntimeError, match="could not be found; to install RingNet"):
        give(name="ringnet", filepath=str(files / "FLAME2019.zip"))
    assert "could not be found; to install RingNet" in panel().said
    with pytest.raises(RuntimeError, match="not there"):
        give(name="ringnet", filepath=str(files / "gone.zip"))
    assert give(name="ringnet", directory=str(files / "RingNet"), files=[{"name": "ring_6_68641.index"}]) == {
        "FINISHED"
    }
    assert give(name="flame-2019", filepath=str(files / "FLAME2019.zip")) == {"FINISHED"}
    assert give(name="flame-landmarks", directory=str(files / "flame_model")) == {"FINISHED"}
    assert boxes() == {"DECA: the files of its data folder"}
    assert len(list((files / "RingNet").iterdir())) == 2, "the user's files stay"


def test_terms_are_shown_and_agreed_to_first(backend: ModuleType, web: Served) -> None:
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Online Access"):
        bpy.ops.likeness.install_weights(name=TEXELS, accept=True)
    bpy.context.preferences.system.use_online_access = True
    with pytest.raises(RuntimeError, match="tick that you agree"):
        bpy.ops.likeness.install_weights(name=TEXELS)
    assert web.asked == []
    drawn = _dialog(TEXELS)
    assert "not stated; treat as non-commercial (FLAME)" in drawn.said
    assert "files.is.tue.mpg.de" in drawn.said
    assert drawn.operators == ["wm.url_open"]


def _dialog(name: str) -> Layout:
    """What the dialog before a download shows."""
    layout = Layout()
    known = bpy.ops.likeness.install_weights.get_rna_type()
    stand_in = SimpleNamespace(bl_rna=known, layout=layout, name=name, accept=False)
    ui("weights").LIKENESS_OT_install_weights.draw(stand_in, bpy.context)
    return layout


def test_a_download_fails_is_cancelled_and_goes_on(backend: ModuleType, web: Served) -> None:
    web.status[ADDRESS] = 403
    with pytest.raises(RuntimeError, match="answered 403"):
        bpy.ops.likeness.install_weights(name=TEXELS, accept=True)
    del web.status[ADDRESS]
    web.asked.clear()
    web.pause_after = [HALF]
    module = ui("weight_task")
    choice = ui("preferences").choice(bpy.context)
    task = module.WeightTask(now(), choice, TEXELS, "install", module.fetch(True))
    now().weight_tasks[TEXELS] = task
    until(lambda: task.fraction > 0)
    layout = Layout()
    ui("weights").draw_missing(layout, bpy.context, [TEXELS])
    assert "Fetching FLAME texel tables" in layout.said
    assert layout.operators == ["likeness.cancel_weights"]
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.likeness.verify_weights(name=TEXELS)
    assert bpy.ops.likeness.cancel_weights(name=TEXELS) == {"FINISHED"}
    until(lambda: not task.going and not now().calls, 10)
    assert (task.state, task.error) == ("cancelled", "")
    layout = Layout()
    ui("weights").draw_missing(layout, bpy.context, [TEXELS])
    assert "Continue" in layout.texts
    assert "were downloaded before" in layout.said
    assert bpy.ops.likeness.install_weights(name=TEXELS, accept=True) == {"FINISHED"}
    assert [str(asked)[:6] for _, asked in web.asked] == ["None", "bytes="]


def test_then_the_method_is_ready(backend: ModuleType) -> None:
    assert method()["ready"]
    assert boxes() == set()
    assert "likeness.give_weights" not in panel().operators
    listed = panel("weights")
    assert "Installed" in listed.texts
    assert listed.operators.count("likeness.remove_weights") == 4


def test_checked_and_removed(backend: ModuleType) -> None:
    assert bpy.ops.likeness.verify_weights(name="ringnet") == {"FINISHED"}
    assert "RingNet: regressor is as it was installed." in panel("weights").said
    file = Path(os.environ["LIKENESS_TEST_HOME"], "weights", "ringnet.safetensors")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(RuntimeError, match="damaged; install it again"):
        bpy.ops.likeness.verify_weights(name="ringnet")
    assert "model/w is not as it was installed" in panel("weights").said
    assert bpy.ops.likeness.remove_weights(name="ringnet") == {"FINISHED"}
    assert not file.exists()
    assert not method()["ready"]
    assert boxes() == {"RingNet: regressor"}
    assert bpy.ops.likeness.forget_weights(name="ringnet") == {"FINISHED"}


def test_a_backend_that_dies_is_told_and_the_next_try_works(backend: ModuleType, web: Served) -> None:
    import signal

    assert bpy.ops.likeness.remove_weights(name=TEXELS) == {"FINISHED"}
    web.pause_after = [HALF]
    module = ui("weight_task")
    task = module.WeightTask(now(), ui("preferences").choice(bpy.context), TEXELS, "install", module.fetch(True))
    now().weight_tasks[TEXELS] = task
    until(lambda: task.fraction > 0)
    client = now().backend.client(ui("preferences").choice(bpy.context))
    os.kill(client.health()["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))
    until(lambda: not task.going, 60)
    assert task.state == "failed"
    assert "goes on where it stopped" in task.error
