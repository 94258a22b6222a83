"""From a photo to a head through `bpy.ops`, against a real backend process; what goes wrong on the way; the way out."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import pytest
from driven import now, ui, until
from measure import EXTENSION

PHOTO = Path(__file__).parents[2] / "data" / "astronaut.png"
CANCELLED_WITHIN = 2.0
"""Seconds."""


def settings() -> Any:
    return bpy.context.scene.likeness


def photos(*paths: Path) -> None:
    settings().photos.clear()
    for path in paths:
        assert bpy.ops.likeness.add_photos(filepath=str(path)) == {"FINISHED"}


def client() -> Any:
    return now().backend.client(ui("preferences").choice(bpy.context))


def working() -> Any:
    """A reconstruction that the backend's worker is busy with."""
    task = ui("reconstruct").begin(bpy.context)
    until(lambda: task.job.get("state") == "running" and task.total > 0)
    assert task.going
    return task


@pytest.fixture(scope="module")
def backend(add_on: ModuleType) -> ModuleType:
    """The add-on told of a backend that was installed by hand: the one that these tests come with."""
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.kind, preferences.own = "OWN", os.environ["LIKENESS_TEST_BACKEND"]
    preferences.home = os.environ["LIKENESS_TEST_HOME"]
    bpy.ops.likeness.agree()
    settings().texture_size = "512"
    return add_on


def test_a_photo_becomes_a_head(backend: ModuleType) -> None:
    photos(PHOTO)
    start = time.monotonic()
    assert bpy.ops.likeness.reconstruct() == {"FINISHED"}
    print(f"from the photo to the head: {time.monotonic() - start:.1f} s")
    task = now().task
    assert (task.state, task.total, task.error) == ("done", 1.0, "")
    head = bpy.context.view_layer.objects.active
    assert head.name == "astronaut"
    assert len(head.data.shape_keys.key_blocks) > 50
    assert head.modifiers[0].type == "ARMATURE"
    assert task.package.is_file()
    (line,) = bpy.context.window_manager.likeness_results
    job = now().jobs[line.job_id]
    assert (job["state"], job["settings"]["texture_size"]) == ("done", 512)


def test_the_backend_says_what_it_can(backend: ModuleType) -> None:
    assert bpy.ops.likeness.connect() == {"FINISHED"}
    assert "open" in {method["name"] for method in now().methods}
    assert any(head["ready"] for head in now().heads)
    assert now().health["worker"]["state"] in ("ready", "busy")


def test_faces_are_found(backend: ModuleType, tmp_path: Path) -> None:
    image = bpy.data.images.load(str(PHOTO))
    wide = bpy.data.images.new("two", 2 * image.size[0], image.size[1])
    rows = [list(image.pixels[i * 2048 : (i + 1) * 2048]) for i in range(image.size[1])]
    wide.pixels = [value for row in rows for value in row * 2]
    wide.filepath_raw, wide.file_format = str(tmp_path / "two.png"), "PNG"
    wide.save()
    photos(PHOTO, tmp_path / "two.png")
    assert bpy.ops.likeness.find_faces() == {"FINISHED"}
    one, two = (now().faces[str(path)] for path in (PHOTO, tmp_path / "two.png"))
    assert len(one["faces"]) == 1
    assert len(two["faces"]) == 2
    assert [path.read_bytes()[1:4] for path in two["pictures"]] == [b"PNG"] * 2
    assert not one["pictures"]


def test_a_bad_photo_is_told_apart(backend: ModuleType, tmp_path: Path) -> None:
    image = bpy.data.images.new("empty", 64, 64)
    image.filepath_raw, image.file_format = str(tmp_path / "empty.png"), "PNG"
    image.save()
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    before = set(bpy.data.objects)
    for name, word in (("empty.png", "face"), ("torn.jpg", "torn.jpg")):
        photos(tmp_path / name)
        with pytest.raises(RuntimeError, match=word):
            bpy.ops.likeness.reconstruct()
        assert now().problem
        bpy.ops.likeness.find_faces()
        with pytest.raises(RuntimeError, match=name):
            bpy.ops.likeness.reconstruct()
    assert set(bpy.data.objects) == before


def test_cancelled_within_two_seconds(backend: ModuleType) -> None:
    photos(PHOTO)
    task = working()
    assert not bpy.ops.likeness.reconstruct.poll(), "one at a time"
    start = time.monotonic()
    assert bpy.ops.likeness.cancel() == {"FINISHED"}
    until(lambda: not task.going, 10)
    assert time.monotonic() - start < CANCELLED_WITHIN
    assert task.state == "cancelled"
    assert client().job(task.job["id"])["state"] == "cancelled"
    assert task.package is None


def test_cancelled_before_it_was_sent(backend: ModuleType) -> None:
    photos(PHOTO)
    task = ui("reconstruct").begin(bpy.context)
    task.cancel()
    until(lambda: not task.going, 20)
    assert (task.state, task.error) == ("cancelled", "")


def test_a_worker_that_is_killed_is_told_and_the_next_job_runs(backend: ModuleType) -> None:
    photos(PHOTO)
    task = working()
    os.kill(client().health()["worker"]["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))
    until(lambda: not task.going, 20)
    assert task.state == "failed"
    assert task.error.endswith(".")
    assert client().job(task.job["id"])["error"]["code"] == "worker_died"
    working().cancel()
    until(lambda: not now().task.going, 10)


def test_the_log_tells_of_it(backend: ModuleType) -> None:
    bpy.ops.likeness.show_log()
    assert "ended with code" in bpy.data.texts["Likeness backend log"].as_string()


def test_a_server_that_is_killed_starts_again(backend: ModuleType) -> None:
    photos(PHOTO)
    task = working()
    os.kill(client().health()["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))
    until(lambda: not task.going, 60)
    assert task.state == "failed"
    assert task.error.endswith(".")
    working().cancel()
    until(lambda: not now().task.going, 10)
    until(lambda: now().backend.state == "running", 60)  # what still starts it would start it again after a stop


def test_results_outlive_the_server_and_come_in_again(backend: ModuleType) -> None:
    assert bpy.ops.likeness.stop() == {"FINISHED"}
    assert now().backend.state == "stopped"
    assert bpy.ops.likeness.refresh() == {"FINISHED"}
    done = [job for job in now().jobs.values() if job["state"] == "done"]
    assert len(done) == 1
    path = ui("task").package_path(ui("reconstruct").avatars_folder(bpy.context), done[0])
    path.unlink()
    bpy.data.objects.remove(bpy.data.objects["astronaut"])
    assert bpy.ops.likeness.import_result(job_id=done[0]["id"]) == {"FINISHED"}
    assert "astronaut" in bpy.data.objects
    assert path.is_file()
    failed = next(job for job in now().jobs.values() if job["state"] == "failed")
    with pytest.raises(RuntimeError, match="no head"):
        bpy.ops.likeness.import_result(job_id=failed["id"])


def test_a_result_is_deleted_here_and_there(backend: ModuleType) -> None:
    job = next(job for job in now().jobs.values() if job["state"] == "done")
    path = ui("task").package_path(ui("reconstruct").avatars_folder(bpy.context), job)
    count = len(bpy.context.window_manager.likeness_results)
    assert bpy.ops.likeness.delete_result(job_id=job["id"]) == {"FINISHED"}
    assert not path.parent.exists()
    assert job["id"] not in {left["id"] for left in client().jobs()}
    assert len(bpy.context.window_manager.likeness_results) == count - 1
    assert "astronaut" in bpy.data.objects, "heads in the scene stay"


def test_removal_leaves_nothing_behind(backend: ModuleType) -> None:
    server = client().health()["pid"]
    # A job is under way as well: the way out must not wait for it.
    photos(PHOTO)
    working()
    kinds = ("load_post", "save_pre", "depsgraph_update_post", "undo_post", "frame_change_post")
    user = Path(bpy.utils.extension_path_user(EXTENSION, create=True))
    start = time.monotonic()
    repository = next(
        i for i, repo in enumerate(bpy.context.preferences.extensions.repos) if repo.module == "user_default"
    )
    assert bpy.ops.extensions.package_uninstall(repo_index=repository, pkg_id="likeness") == {"FINISHED"}
    assert time.monotonic() - start < 10
    assert not _runs(server), "the server has ended"
    assert not user.exists()
    assert not (Path(bpy.utils.user_resource("EXTENSIONS")) / "user_default" / "likeness").exists()
    for owner, name in ((bpy.types.Scene, "likeness"), (bpy.types.WindowManager, "likeness_results")):
        assert not hasattr(owner, name)
    assert not [name for name in dir(bpy.types) if name.startswith("LIKENESS_")]
    for kind in kinds:
        left = [f for f in getattr(bpy.app.handlers, kind) if EXTENSION in getattr(f, "__module__", "")]
        assert not left
    end = time.monotonic() + 5
    while threads := [t.name for t in threading.enumerate() if t.name.startswith("likeness")]:
        assert time.monotonic() < end, threads
        time.sleep(0.05)
    assert "astronaut" in bpy.data.objects, "heads stay"


def _runs(pid: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
