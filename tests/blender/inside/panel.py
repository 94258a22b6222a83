"""Panels, menus and preferences in every state that a user may find them in; photos on the list; what is agreed to."""

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest
from driven import now, ui
from measure import EXTENSION
from recording import Layout, draw, draw_item, panels

METHODS = [
    {
        "name": "open",
        "title": "Open head",
        "paper": "A paper",
        "year": 2026,
        "ready": True,
        "status": "ready",
        "licences": {"code": "Apache-2.0", "weights": "MIT", "model": ""},
        "strictest": "Apache-2.0",
    },
    {
        "name": "deca",
        "title": "DECA",
        "paper": "Another",
        "year": 2021,
        "ready": False,
        "status": "It needs FLAME 2020.",
        "licences": {"code": "non-commercial", "weights": "non-commercial", "model": "non-commercial"},
        "strictest": "non-commercial",
    },
]
HEADS = [{"name": "anny", "title": "Anny", "licence": "Apache-2.0", "ready": True, "status": "ready"}]
JOB = {
    "id": "0123456789abcdef",
    "name": "ada",
    "state": "done",
    "total": 1.0,
    "message": "Done",
    "notes": [],
    "photos": ["ada.png"],
    "settings": {"texture_size": 512},
    "method": "open",
    "head": "anny",
    "licences": ["Apache-2.0", "MIT"],
    "has_avatar": True,
    "avatar_bytes": 2_400_000,
    "created": "2026-11-25T00:00:00+00:00",
    "finished": "2026-11-25T00:00:05+00:00",
    "error": None,
}


@pytest.fixture(autouse=True)
def fresh(add_on: ModuleType) -> None:
    """The add-on as on the first day, in an empty scene."""
    bpy.ops.preferences.addon_disable(module=EXTENSION)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.preferences.addon_enable(module=EXTENSION)


def preferences() -> Any:
    return bpy.context.preferences.addons[EXTENSION].preferences


def settings() -> Any:
    return bpy.context.scene.likeness


def settle(where: str = "OWN") -> None:
    """Agreed, and a backend that is not asked."""
    bpy.ops.likeness.agree()
    preferences().kind, preferences().own = where, "/nowhere/likeness"


def draw_all() -> dict[str, Layout]:
    """Everything of the add-on that draws; twice, since facts that a thread finds out come with the second look."""
    for _ in range(2):
        drawn = {cls.__name__: draw(cls) for cls in panels() + panels("LIKENESS_MT_")}
        page = Layout()
        ui("preferences").DRAWN.tell(preferences(), page, bpy.context)
        drawn["preferences"] = page
        now().wait(lambda: bool(now().calls), 20)
    return drawn


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = bpy.data.images.new("photo", 32, 24)
    image.filepath_raw, image.file_format = str(tmp_path / "ada.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return tmp_path / "ada.png"


def test_first_of_all_the_notice() -> None:
    drawn = draw_all()
    assert drawn["LIKENESS_PT_main"].operators == ["likeness.agree"]
    assert "likeness.agree" in drawn["preferences"].operators
    assert not drawn["LIKENESS_PT_photos"].record
    with pytest.raises(RuntimeError, match="Agree to the notice"):
        bpy.ops.likeness.reconstruct()
    assert bpy.ops.likeness.agree() == {"FINISHED"}
    assert preferences().agreed.startswith("20")
    assert "likeness.agree" not in draw_all()["LIKENESS_PT_main"].operators
    assert preferences().agreed[:10] in draw_all()["preferences"].said


def test_who_hears_of_events_hears_once_and_not_when_switched_off() -> None:
    events = {
        (module, name): value
        for module in ("consent", "preferences", "session", "set_up")
        for name, value in vars(ui(module)).items()
        if isinstance(value, ui("events").Event)
    }
    assert len(events) == 6
    assert {key: len(event._hearers) for key, event in events.items()} == dict.fromkeys(events, 1)
    bpy.ops.preferences.addon_disable(module=EXTENSION)
    assert not any(event._hearers for event in events.values())


def test_then_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    bpy.ops.likeness.agree()
    drawn = draw_all()
    assert "likeness.set_up" in drawn["LIKENESS_PT_main"].operators
    assert "GB free" in drawn["LIKENESS_PT_main"].said
    assert "Set the backend up first." in drawn["LIKENESS_PT_reconstruct"].said
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Online Access"):
        bpy.ops.likeness.set_up()
    for state, operator in (("running", "likeness.cancel_set_up"), ("failed", "likeness.show_log")):
        made = SimpleNamespace(state=state, stage="PyTorch", fraction=0.3, message="Downloading", log=["a line"])
        made.cancel = lambda: None
        monkeypatch.setattr(now(), "set_up", made)
        drawn = draw_all()
        assert operator in drawn["LIKENESS_PT_main"].operators
        assert "Downloading" in drawn["LIKENESS_PT_main"].said
        assert operator in drawn["preferences"].operators


def test_every_kind_of_backend_has_its_page() -> None:
    bpy.ops.likeness.agree()
    shown = {}
    for kind in ("SET_UP", "OWN", "REMOTE"):
        preferences().kind = kind
        shown[kind] = {given["property"] for name, given in draw_all()["preferences"].record if name == "prop"}
    assert {"device", "python", "home"} <= shown["SET_UP"]
    assert {"own", "home"} <= shown["OWN"]
    assert {"url", "token", "ca_file"} <= shown["REMOTE"]
    assert "home" not in shown["REMOTE"]


def test_photos_stay_here_until_it_was_agreed_that_they_leave(photo: Path) -> None:
    bpy.ops.likeness.agree()
    bpy.ops.likeness.add_photos(filepath=str(photo))
    preferences().kind = "REMOTE"
    obstacle = ui("obstacles").obstacle
    assert "address" in obstacle(bpy.context)
    preferences().url = "https://elsewhere.example:8443"
    assert "Online Access" in obstacle(bpy.context), "Blender's own switch comes first"
    assert "likeness.agree_to_send" in draw_all()["LIKENESS_PT_main"].operators
    assert not ui("consent").is_settled(bpy.context)
    bpy.ops.likeness.agree_to_send()
    assert ui("consent").is_settled(bpy.context)
    preferences().url = "https://third.example"
    assert not ui("consent").is_settled(bpy.context), "another server is asked about anew"
    preferences().url = "http://127.0.0.1:5000"
    assert obstacle(bpy.context) == ""


def test_photos_are_added_moved_and_removed(photo: Path, tmp_path: Path) -> None:
    settle()
    others = []
    for name in ("eve.png", "joe.jpg"):
        others.append(tmp_path / name)
        others[-1].write_bytes(photo.read_bytes())
    (tmp_path / "notes.txt").write_text("no photo")
    files = [{"name": name} for name in ("ada.png", "eve.png", "notes.txt")]
    assert bpy.ops.likeness.add_photos(directory=str(tmp_path), files=files) == {"FINISHED"}
    assert [p.name for p in settings().photos] == ["ada.png", "eve.png"]
    bpy.context.window_manager.clipboard = ""
    pasted = ui("photos").pasted
    assert pasted(f'"{others[1]}"\n\n{others[1].as_uri()}\n') == [others[1], others[1]]
    assert ui("photos").add(bpy.context, pasted(str(others[1]))) == (1, [])
    added, refused = ui("photos").add(bpy.context, [photo, tmp_path / "gone.png"])
    assert added == 0
    assert "already" in refused[0]
    assert "gone.png" in refused[1]
    assert settings().active_photo == 2
    bpy.ops.likeness.move_photo(step=-1)
    assert [p.name for p in settings().photos] == ["ada.png", "joe.jpg", "eve.png"]
    bpy.ops.likeness.remove_photo()
    assert [p.name for p in settings().photos] == ["ada.png", "eve.png"]
    assert settings().active_photo == 1
    bpy.ops.likeness.clear_photos()
    assert not settings().photos
    assert not bpy.ops.likeness.remove_photo.poll()


def test_a_photo_says_what_was_found_in_it(photo: Path) -> None:
    settle()
    bpy.ops.likeness.add_photos(filepath=str(photo))
    face = {"box": [1, 1, 5, 5], "score": 1.0, "picture": ""}
    known: dict[str, Any] = {"width": 32, "height": 24, "error": None}

    def found(**what: Any) -> tuple[Layout, Layout, str]:
        now().faces[str(photo)] = known | what
        item = draw_item(bpy.types.LIKENESS_UL_photos, settings(), settings().photos[0])
        return draw_all()["LIKENESS_PT_photos"], item, ui("obstacles").obstacle(bpy.context)

    panel, item, why = found(faces=[face])
    assert "1 face" in panel.texts
    assert why == ""
    panel, item, why = found(faces=[face] * 3, pictures=[photo] * 3)
    assert panel.operators.count("likeness.choose_face") == 3
    assert "3" in item.texts
    assert why == ""
    bpy.ops.likeness.choose_face(index=2)
    assert settings().photos[0].face == 2
    panel, item, why = found(faces=[], error="ada.png: No face was found.")
    assert why == "ada.png: No face was found."
    assert any(given.get("icon") == "ERROR" for _, given in item.record)
    del now().faces[str(photo)]
    photo.unlink()
    now().forget()
    draw_all()
    assert "no longer there" in ui("obstacles").obstacle(bpy.context)


def test_methods_are_offered_with_status_and_licence() -> None:
    settle()
    assert "likeness.connect" in draw_all()["LIKENESS_MT_method"].operators
    now().methods, now().heads = METHODS, HEADS
    menu = draw_all()["LIKENESS_MT_method"]
    assert menu.operators == ["likeness.choose_method"] * 2
    assert "Licence: Apache-2.0" in draw_all()["LIKENESS_PT_method"].said
    bpy.ops.likeness.choose_method(name="deca")
    bpy.ops.likeness.choose_head(name="anny")
    drawn = draw_all()["LIKENESS_PT_method"]
    assert "It needs FLAME 2020." in drawn.said
    tooltip = ui("method").LIKENESS_OT_choose_method.description(bpy.context, SimpleNamespace(name="deca"))
    assert "Another" in tooltip
    assert "Code: non-commercial" in tooltip


def test_finer_maps_are_offered_where_the_method_makes_them(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle()
    bpy.ops.likeness.add_photos(filepath=str(photo))
    asked = []
    monkeypatch.setattr(ui("reconstruct"), "Task", lambda *given: asked.append(given[3]))
    for finest in (0, 6144):
        now().methods, now().heads = [METHODS[0] | {"finest": finest}, METHODS[1]], HEADS
        settings().fine_size = "6144"
        shown = [given["property"] for what, given in draw_all()["LIKENESS_PT_method"].record if what == "prop"]
        assert ("fine_size" in shown) is (finest > 0)
        ui("reconstruct").begin(bpy.context)
    assert "fine_size" not in asked[0]  # a backend that does not know it would refuse it
    assert asked[1]["fine_size"] == 6144


def test_what_lacks_is_said_at_the_button(photo: Path) -> None:
    settle()
    assert "Add at least one photo." in draw_all()["LIKENESS_PT_reconstruct"].said
    bpy.ops.likeness.add_photos(filepath=str(photo))
    now().methods, now().heads = METHODS, HEADS
    assert ui("obstacles").obstacle(bpy.context) == ""
    settings().method = "deca"
    assert "DECA is not ready: It needs FLAME 2020." in ui("obstacles").obstacle(bpy.context)
    settings().method = "gone"
    assert "no method called gone" in ui("obstacles").obstacle(bpy.context)
    settings().method, settings().head = "open", "flame"
    assert "no head called flame" in ui("obstacles").obstacle(bpy.context)


def test_progress_and_problems_are_shown(photo: Path) -> None:
    settle()
    bpy.ops.likeness.add_photos(filepath=str(photo))
    state = {"going": True, "cancelling": False, "total": 0.4, "text": "Fitting", "notes": ["Only the first frame."]}
    now().task = SimpleNamespace(**state, state="working", job={}, step=lambda: None, abandon=lambda: None)
    drawn = draw_all()["LIKENESS_PT_reconstruct"]
    assert drawn.operators == ["likeness.cancel"]
    assert all(word in drawn.said for word in ("40%", "Fitting", "Only the first frame."))
    assert not bpy.ops.likeness.reconstruct.poll()
    now().task, now().problem = None, "The disk is full."
    drawn = draw_all()["LIKENESS_PT_reconstruct"]
    assert "The disk is full." in drawn.said
    bpy.ops.likeness.dismiss()
    assert "The disk is full." not in draw_all()["LIKENESS_PT_reconstruct"].said


def test_results_of_every_kind() -> None:
    settle()
    failed = JOB | {"id": "f" * 16, "state": "failed", "has_avatar": False, "error": {"message": "Too dark."}}
    running = JOB | {"id": "e" * 16, "state": "running", "total": 0.25, "has_avatar": False, "message": "Fitting"}
    cancelled = JOB | {"id": "d" * 16, "state": "cancelled", "has_avatar": False}
    jobs = [running, JOB, failed, cancelled]
    ui("results").heed(bpy.context, jobs)
    wm = bpy.context.window_manager
    words = (("Fitting", "25%"), ("2.4 MB", None), ("Too dark.", None), ("Method open, head anny", None))
    for i, (word, line) in enumerate(words):
        wm.likeness_active_result = i
        drawn = draw_all()["LIKENESS_PT_results"]
        assert word in drawn.said
        item = draw_item(bpy.types.LIKENESS_UL_results, wm, wm.likeness_results[i])
        assert line is None or line in item.texts
    wm.likeness_active_result = 2
    ui("results").heed(bpy.context, jobs[1:])
    assert ui("results").active(bpy.context)["id"] == "f" * 16, "the choice stays on its job"


def test_the_log_opens_as_a_text() -> None:
    settle()
    bpy.ops.likeness.show_log()
    assert "Nothing was written" in bpy.data.texts["Likeness backend log"].as_string()


def test_every_property_and_operator_has_its_words() -> None:
    for cls in panels("LIKENESS_OT_"):
        known = getattr(bpy.ops.likeness, cls.bl_idname.partition(".")[2]).get_rna_type()
        assert known.description, cls
        assert not known.description.endswith("."), f"Blender adds the full stop to {cls}"
        for name in getattr(cls, "__annotations__", {}):
            prop = known.properties.get(name)
            assert prop is None or prop.is_hidden or (prop.name and prop.description), (cls, name)
    for group in (settings(), preferences()):
        for name in type(group).__annotations__:
            prop = group.bl_rna.properties[name]
            assert prop.type == "COLLECTION" or (prop.name and prop.description), name
