"""Weights installed, verified and removed over HTTP, by a real server from a real web server, however that goes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from made_checkpoint import write_checkpoint
from made_official import TABLE, texels
from running import ENDED, ENVIRONMENT, Running, until
from served import Served, serving

from likeness.service.folders import Folders
from likeness.service.installs import Installs
from likeness.service.limits import Limits
from likeness.service.refusal import Refused
from likeness.service.weights_api import weights_routes
from likeness.service.workshop import Workshop
from likeness.weights import catalog, leftovers, store

sys.path.insert(0, str(Path(__file__).parents[2]))

from blender_addon.link.client import Client, ServiceError

MOST_MB = 40
PAD = 36 << 20
TEXELS = "flame-texture-data"
"""An entry that is fetched from an address without TLS, so that a proxy of ours can be its authors' server."""
HALF = 1 << 17
"""Bytes after which a download breaks off."""


@pytest.fixture(scope="module")
def web() -> Iterator[Served]:
    with serving() as served:
        served.files[catalog.entry(TEXELS).archive] = texels()
        yield served


@pytest.fixture(scope="module")
def server(web: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    proxies = {"http_proxy": web.url, "no_proxy": "", "NO_PROXY": ""}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("running.ENVIRONMENT", ENVIRONMENT | proxies)
        with Running(tmp_path_factory.mktemp("weights") / "home", "--max-weights-mb", MOST_MB) as running:
            yield running


@pytest.fixture(autouse=True)
def _nothing_left(server: Running) -> Iterator[None]:
    """Every test ends with nothing installed and nothing lying about."""
    yield
    for name in ("ringnet", TEXELS):
        if leftovers.kept(server.home / "weights", name) or (server.home / "weights" / f"{name}.safetensors").exists():
            done(server, server.http.delete(f"/v1/weights/{name}"), name)
    assert list((server.home / "service" / "incoming").iterdir()) == []
    left = [str(path) for path in (server.home / "weights").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []


def ringnet(folder: Path) -> Path:
    """RingNet's checkpoint with one tensor, as index and data."""
    folder.mkdir(exist_ok=True)
    write_checkpoint(folder / "ring_6_68641", {"w": np.arange(6, dtype=np.float32).reshape(2, 3)})
    return folder


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert error["message"].endswith(".")
    return answer.status_code, error["code"], error["message"]


def task(server: Running, name: str) -> dict[str, Any]:
    return server.get(f"/v1/weights/{name}/task")


def done(server: Running, answer: httpx.Response, name: str) -> dict[str, Any]:
    """The task that was begun, once it has ended."""
    assert answer.status_code == 202, answer.text
    until(lambda: task(server, name)["state"] in ENDED, 30, f"{name} to be worked on")
    return task(server, name)


def install(server: Running, name: str, **source: Any) -> dict[str, Any]:
    return done(server, server.http.post(f"/v1/weights/{name}/install", json=source), name)


def entry(server: Running, name: str) -> dict[str, Any]:
    server.worker()
    return server.get(f"/v1/weights/{name}")


def send(server: Running, *files: tuple[str, Any], **source: Any) -> httpx.Response:
    form = {"settings": json.dumps(source)} if source else {}
    return server.http.post("/v1/weights/ringnet/install", files=[("files", file) for file in files], data=form)


def test_from_a_folder_and_what_it_changes(server: Running, tmp_path: Path) -> None:
    server.worker()

    def needs() -> list[str]:
        return next(m["needs"] for m in server.get("/v1/methods")["methods"] if m["name"] == "ringnet")

    assert "ringnet" in needs()
    ended = install(server, "ringnet", path=str(ringnet(tmp_path)))
    assert (ended["state"], ended["message"], ended["error"]) == ("done", "RingNet: regressor is installed", None)
    assert "ringnet" not in needs(), "the worker has noticed"
    known = entry(server, "ringnet")
    assert known["installed"]
    assert known["task"] == ended
    verified = done(server, server.http.post("/v1/weights/ringnet/verify"), "ringnet")
    assert (verified["state"], verified["wrong"]) == ("done", [])
    file = server.home / "weights" / "ringnet.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    verified = done(server, server.http.post("/v1/weights/ringnet/verify"), "ringnet")
    assert verified["wrong"] == ["model/w is not as it was installed"]
    assert verified["message"] == "RingNet: regressor is damaged; install it again"
    removed = done(server, server.http.delete("/v1/weights/ringnet"), "ringnet")
    assert removed["message"] == "RingNet: regressor was removed"
    assert "ringnet" in needs()
    missing = done(server, server.http.post("/v1/weights/ringnet/verify"), "ringnet")
    assert missing["state"] == "failed"
    assert "is not installed" in missing["error"]["message"]


def test_terms_come_first(server: Running, web: Served) -> None:
    web.asked.clear()
    status, code, sentence = problem(server.http.post(f"/v1/weights/{TEXELS}/install"))
    assert (status, code) == (409, "licence_not_accepted")
    assert catalog.entry(TEXELS).strictest in sentence
    assert web.asked == []


def test_a_connection_that_breaks_is_taken_up_again(server: Running, web: Served) -> None:
    web.asked.clear()
    web.stop_after = [HALF]
    assert install(server, TEXELS, accept_licence=True)["state"] == "done"
    address = catalog.entry(TEXELS).archive
    assert web.asked == [(address, None), (address, f"bytes={HALF}-")]


def test_cancelled_and_killed_downloads_go_on_where_they_stopped(server: Running, web: Served) -> None:
    web.asked.clear()
    web.pause_after = [HALF, 1000]
    whole = len(web.files[catalog.entry(TEXELS).archive])

    def stopped_at(size: int) -> None:
        assert server.http.post(f"/v1/weights/{TEXELS}/install", json={"accept_licence": True}).status_code == 202
        part = server.home / "weights" / ".downloads" / TEXELS / "FLAME_texture_data.zip.part"
        until(lambda: part.exists() and part.stat().st_size >= size, 20, "bytes to arrive")

    stopped_at(HALF)
    going = task(server, TEXELS)
    assert (going["state"], going["bytes_total"]) == ("running", whole)
    assert 0 < going["bytes_done"] <= HALF
    assert going["message"].startswith("Fetching FLAME texel tables: 0.1 of 0.3 MB")
    assert problem(server.http.post(f"/v1/weights/{TEXELS}/verify"))[:2] == (409, "busy")
    assert problem(server.http.delete(f"/v1/weights/{TEXELS}"))[:2] == (409, "busy")
    ended = done(server, server.http.post(f"/v1/weights/{TEXELS}/cancel"), TEXELS)
    assert (ended["state"], ended["error"]) == ("cancelled", None)
    kept = entry(server, TEXELS)["kept"]
    assert kept > 0
    stopped_at(kept)
    until(lambda: len(web.asked) == 2, 20, "the second try")
    server.kill()
    server.start()
    assert problem(server.http.get(f"/v1/weights/{TEXELS}/task"))[:2] == (404, "no_task")
    assert entry(server, TEXELS)["kept"] >= kept
    assert not entry(server, TEXELS)["installed"]
    assert install(server, TEXELS, accept_licence=True)["state"] == "done"
    assert [asked for _, asked in web.asked][:2] == [None, f"bytes={kept}-"]
    assert str(web.asked[2][1]).startswith("bytes=")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(server.home))
        np.testing.assert_array_equal(store.open_weights(TEXELS).tensor("texels512/vt"), TABLE)
    assert done(server, server.http.post(f"/v1/weights/{TEXELS}/verify"), TEXELS)["wrong"] == []


def test_what_a_server_refuses_is_told(server: Running, web: Served) -> None:
    address = catalog.entry(TEXELS).archive
    web.status[address] = 403
    ended = install(server, TEXELS, accept_licence=True)
    del web.status[address]
    assert (ended["state"], ended["error"]["code"]) == ("failed", "weights_error")
    assert ended["message"].startswith("files.is.tue.mpg.de answered 403")


def test_from_an_address(server: Running, web: Served, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in ringnet(tmp_path).iterdir():
            archive.write(file, file.name)
    web.files["http://mirror.example/ring.zip"] = packed.getvalue()
    assert install(server, "ringnet", url="http://mirror.example/ring.zip")["state"] == "done"
    assert problem(server.http.post("/v1/weights/ringnet/install", json={"url": "file:///etc/passwd"}))[0] == 422


def test_uploads_go_straight_to_disk(server: Running, tmp_path: Path) -> None:
    files = [(f"folder/{file.name}", file.read_bytes()) for file in ringnet(tmp_path).iterdir()]
    before = _most_memory(server)
    answer = send(server, *files, ("notes.bin", bytes(PAD)), accept_licence=True)
    assert done(server, answer, "ringnet")["state"] == "done"
    assert _most_memory(server) - before < PAD / 3e6
    assert entry(server, "ringnet")["installed"]


def _most_memory(server: Running) -> float:
    """Resident at the worst moment, MB."""
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("needs /proc")
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def test_one_archive_is_enough(server: Running, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in ringnet(tmp_path).iterdir():
            archive.write(file, f"model/{file.name}")
    assert done(server, send(server, ("any name.zip", packed.getvalue())), "ringnet")["state"] == "done"


@pytest.mark.parametrize("name", ["..", ".hidden", "a:b", "CON", "nul.txt", "a" * 300, "x ", "up/.."])
def test_names_that_are_none(server: Running, name: str) -> None:
    assert problem(send(server, (name, b"x")))[:2] == (422, "bad_name")


def test_forms_that_are_refused(server: Running) -> None:
    assert problem(send(server, ("a", b"1"), ("A", b"2")))[:2] == (422, "bad_name")
    assert problem(send(server, *((f"{i}.bin", b"") for i in range(33))))[:2] == (413, "too_many_files")
    assert problem(send(server, ("big.bin", bytes((MOST_MB + 2) << 20))))[:2] == (413, "upload_too_large")
    assert problem(send(server, ("a", b"1"), path="/etc"))[:2] == (422, "two_sources")
    assert problem(send(server, ("a", b"1"), more=1))[:2] == (422, "bad_settings")
    form = server.http.post("/v1/weights/ringnet/install", files=[("photos", ("a", b"1"))])
    assert problem(form)[:2] == (422, "unknown_field")


def test_a_file_that_wants_to_be_run_is_refused(server: Running) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, ("true",)

    import pickle

    answer = server.http.post(
        "/v1/weights/flame-2020/install", files=[("files", ("generic_model.pkl", pickle.dumps(Evil())))]
    )
    ended = done(server, answer, "flame-2020")
    assert ended["state"] == "failed"
    assert "was refused" in ended["error"]["message"]
    assert "system" in ended["error"]["message"]


@pytest.mark.parametrize("path", ["relative", "/nowhere/at/all", "/dev/null", "a\0b", ".."])
def test_paths_that_are_none(server: Running, path: str) -> None:
    answer = server.http.post("/v1/weights/ringnet/install", json={"path": path})
    assert problem(answer)[:2] == (422, "no_such_path")


def test_other_requests_that_are_refused(server: Running, tmp_path: Path) -> None:
    post, address = server.http.post, "/v1/weights/ringnet/install"
    assert problem(post("/v1/weights/../install", json={}))[0] == 404
    for name in ("nothing", "%2e%2e", "ringnet.lock", "a" * 300):
        assert problem(post(f"/v1/weights/{name}/install", json={}))[:2] == (404, "no_such_weights")
        assert problem(server.http.delete(f"/v1/weights/{name}"))[:2] == (404, "no_such_weights")
    assert problem(post(address, json={"path": "/a", "url": "http://b"}))[:2] == (422, "two_sources")
    assert problem(post(address, content=b"[" * 20_000))[:2] == (413, "settings_too_large")
    assert problem(post(address, content=b"{}", headers={"Content-Type": "text/plain"}))[:2] == (415, "wrong_type")
    assert httpx.post(server.about["url"] + address, trust_env=False).status_code == 401
    for passed_on in ("X-Forwarded-For", "Forwarded", "Via"):
        answer = post(address, json={"path": str(tmp_path)}, headers={passed_on: "127.0.0.1"})
        assert problem(answer)[:2] == (403, "not_here")
    assert problem(post("/v1/weights/vrn/cancel"))[:2] == (404, "no_task")


def test_another_machine_names_nothing_here(tmp_path: Path) -> None:
    async def look() -> dict[str, Any]:
        return {"weights": []}

    async def ask() -> None:
        app = FastAPI()
        installs = Installs(tmp_path / "weights", Workshop())
        app.include_router(weights_routes(installs, Folders(tmp_path), Limits(), look, lambda *_: {}))
        far = httpx.ASGITransport(app=app, client=("192.168.1.7", 4000))
        async with httpx.AsyncClient(transport=far, base_url="http://here") as client:
            for named in ({"path": str(tmp_path)}, {"url": "http://127.0.0.1:1/secret"}):
                with pytest.raises(Refused, match="own machine") as refusal:
                    await client.post("/v1/weights/ringnet/install", json=named)
                assert (refusal.value.status, refusal.value.code) == (403, "not_here")

    asyncio.run(ask())


def test_offline_fetches_nothing(tmp_path: Path, web: Served) -> None:
    web.asked.clear()
    with Running(tmp_path / "home", "--offline") as server:
        ended = install(server, TEXELS, accept_licence=True)
    assert ended["state"] == "failed"
    assert "switched off" in ended["message"]
    assert web.asked == []


def test_the_add_ons_client_sends_what_the_server_cannot_see(
    server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over a tunnel: the path is of another machine; and as with a server that is far away from the start."""
    client = Client(server.about["url"], server.about["token"])
    folder = ringnet(tmp_path / "mine")
    sent: list[float] = []
    for near in (True, False):
        monkeypatch.setattr("blender_addon.link.client.is_loopback", lambda _, near=near: near)
        monkeypatch.setattr(Client, "_begin", _not_seen)
        begun = client.give_weights("ringnet", [folder] if near else sorted(folder.iterdir()), sent.append)
        assert begun["action"] == "install"
        until(lambda: client.weight_task("ringnet")["state"] in ENDED, 20, "the install")
        assert client.weight_task("ringnet")["state"] == "done"
        assert sent == sorted(sent)
        assert sent.pop() == 1.0
        sent.clear()
    with pytest.raises(ServiceError, match=r"The file .*gone cannot be read") as error:
        client.give_weights("ringnet", [tmp_path / "gone"])
    assert error.value.code == "file"


def _not_seen(_: Client, name: str, source: dict[str, Any]) -> dict[str, Any]:
    raise ServiceError("The path is none of a file or folder.", "no_such_path", 422)
