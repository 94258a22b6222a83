"""Parts of the service in this process, where a whole server would hide what is looked for."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from running import alive, until

from likeness.service.folders import Folders
from likeness.service.jobs import Jobs
from likeness.service.limits import Limits
from likeness.service.names import photo_name, shown
from likeness.service.recover import recover
from likeness.service.refusal import Refused
from likeness.service.schema import Job, Settings
from likeness.service.store import Store
from likeness.service.workshop import Failure, Stopped, Workshop


def upload(folders: Folders, name: str) -> Path:
    folder = folders.incoming / name
    folder.mkdir()
    (folder / "01").write_bytes(b"a photo")
    return folder


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@pytest.mark.parametrize("name", ["a", "a.png", "ä" * 99, "x" * 500 + ".tiff", "." * 300 + "png", "a." + "x" * 300])
def test_a_name_is_never_long_nor_empty(name: str) -> None:
    assert 0 < len(photo_name(name.encode(), 0)) <= 100


def test_what_is_not_seen_is_not_shown() -> None:
    assert shown("a\x00b\n\u202ec\ufeff\ue000 ") == "abc"
    assert shown("e\u0301") == "é"


def test_a_full_disk_refuses_jobs_and_forgets_none(tmp_path: Path) -> None:
    async def test() -> None:
        folders = Folders(tmp_path)
        store = Store(folders.index)
        jobs = Jobs(folders, store, Workshop(), Limits())
        first, second = (jobs.add(upload(folders, name), ["a.png"], Settings()) for name in ("one", "two"))
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "database or disk is full"

        def fill() -> None:
            for i in range(50):
                jobs.add(upload(folders, f"more {i}"), ["x" * 100] * 20, Settings())

        with pytest.raises(Refused) as refusal:
            fill()
        assert refusal.value.status == 507
        assert {folder.name for folder in folders.jobs.iterdir()} == {job.id for job in jobs.all()}
        jobs.cancel(first)
        assert jobs.get(first.id).state == "cancelled"
        jobs.delete(first)
        assert not folders.job(first.id).exists()
        assert jobs.get(second.id).state == "queued"
        store.close()

    on_a_loop(test)


def test_a_server_that_died_between_package_and_list_has_the_job_done(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    store = Store(folders.index)
    for name, state in (("whole", "running"), ("half", "running"), ("lost", "queued"), ("emptied", "done")):
        job = Job(id=name, name=name, created="", photos=["a"], settings=Settings(), method="open", head="auto")
        job.state, job.has_avatar = state, state == "done"  # type: ignore[assignment]
        folders.job(name).mkdir()
        store.put(job)
    folders.about("whole").write_text('{"name": "w", "head": "anny", "licences": ["MIT"]}', encoding="utf-8")
    folders.avatar("whole").write_bytes(b"zip")
    folders.about("half").write_text('{"name": "w", "head": "anny", "licences": ["MIT"]}', encoding="utf-8")
    (folders.job("half") / ".avatar.zip.1.part").write_bytes(b"zi")
    (folders.jobs / "nobody's").mkdir()
    (folders.incoming / "unfinished").mkdir()
    found = {job.id: job for job in recover(store, folders, "now", "It was stopped.")}
    whole = found["whole"]
    assert (whole.state, whole.avatar_bytes, whole.head, whole.licences) == ("done", 3, "anny", ["MIT"])
    assert (whole.total, whole.fraction, whole.has_avatar, whole.finished) == (1, 1, True, "now")
    assert found["half"].error is not None
    assert found["half"].error.code == "server_stopped"
    assert found["lost"].error is not None
    assert found["lost"].error.code == "photos_lost"
    assert (found["emptied"].state, found["emptied"].has_avatar) == ("done", False)
    assert {folder.name for folder in folders.jobs.iterdir()} == {"whole", "emptied"}
    assert not list(folders.incoming.iterdir())
    assert store.all() == list(found.values())
    store.close()


def test_the_list_keeps_its_order_over_changes(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.sqlite3")
    for name in "abc":
        store.put(Job(id=name, name=name, created="", photos=[], settings=Settings(), method="open", head="auto"))
    changed = store.all()[0].model_copy(update={"message": "changed"})
    store.put(changed)
    store.drop("b")
    store.close()
    again = Store(tmp_path / "jobs.sqlite3")
    assert [job.id for job in again.all()] == ["a", "c"]
    assert again.all()[0].message == "changed"
    again.close()


@pytest.fixture
def at_home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(own_home))


@pytest.mark.usefixtures("at_home")
def test_a_task_that_nobody_waits_for_does_not_hold_up_the_next(astronaut: Path, tmp_path: Path) -> None:
    photo = {"file": str(astronaut), "name": "a.png"}
    settings = Settings(texture_size=4096).model_dump()

    async def test() -> None:
        workshop = Workshop()
        workshop.start()
        try:
            async with workshop.turn():
                first = workshop.pid
                task = {"do": "job", "folder": str(tmp_path), "photos": [photo], "settings": settings}
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(workshop.do(task), 0.5)
            assert workshop.state == "restarting"
            async with workshop.turn():
                answer = await workshop.do({"do": "faces", "photos": [photo]})
            assert len(answer["photos"][0]["faces"]) == 1
            assert workshop.pid != first
            assert not alive(first or 0)
        finally:
            workshop.close()

    on_a_loop(test)


@pytest.mark.usefixtures("at_home")
def test_an_error_that_nobody_foresaw_fails_the_task_and_renews_the_worker(astronaut: Path) -> None:
    async def test() -> None:
        workshop = Workshop()
        workshop.start()
        try:
            async with workshop.turn():
                first = workshop.pid
                with pytest.raises(Failure) as failure:  # a task that lacks its settings
                    await workshop.do({"do": "job", "photos": [{"file": str(astronaut), "name": "a.png"}]})
                assert failure.value.code == "internal"
                assert "KeyError" in failure.value.message
            async with workshop.turn():
                answer = await workshop.do({"do": "faces", "photos": [{"file": str(astronaut), "name": "a.png"}]})
            assert answer["photos"][0]["error"] is None
            assert workshop.pid != first
        finally:
            pid = workshop.pid or 0
            workshop.close()
        until(lambda: not alive(pid), 5, "the worker to end")

    on_a_loop(test)


@pytest.mark.usefixtures("at_home")
def test_a_stop_that_comes_before_the_first_step_stops(astronaut: Path, tmp_path: Path) -> None:
    photo = {"file": str(astronaut), "name": "a.png"}

    async def test() -> None:
        workshop = Workshop()
        workshop.start()
        try:
            async with workshop.turn():
                task = {"do": "job", "folder": str(tmp_path), "photos": [photo], "settings": Settings().model_dump()}
                asyncio.get_running_loop().call_soon(workshop.stop)
                with pytest.raises(Stopped):
                    await workshop.do(task)
            assert list(tmp_path.glob("*.zip")) == []
        finally:
            workshop.close()

    on_a_loop(test)
