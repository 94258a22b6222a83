"""A photo goes in over HTTP and a whole avatar comes out."""

import io
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from running import Running, memory_mb, until

from likeness import package


@pytest.fixture(scope="module")
def done(server: Running, astronaut: Path) -> dict[str, Any]:
    server.worker()
    return server.done(astronaut, texture_size=512, name="Eileen")


def events(server: Running, job: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    found = []
    with server.http.stream("GET", f"/v1/jobs/{job['id']}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind = number = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("id: "):
                number = line.removeprefix("id: ")
            elif line.startswith("data: "):
                assert kind == "job"
                found.append(json.loads(line.removeprefix("data: ")))
                assert found[-1]["revision"] == int(number)
    return found


def test_skin_maps_larger_than_the_textures(server: Running, astronaut: Path, tmp_path: Path) -> None:
    methods = {method["name"]: method for method in server.get("/v1/methods")["methods"]}
    assert (methods["avatarme"]["finest"], methods["open"]["finest"]) == (6144, 0)
    job = server.done(astronaut, method="avatarme", texture_size=256, fine_size=320)
    (tmp_path / "a.zip").write_bytes(server.http.get(f"/v1/jobs/{job['id']}/avatar").content)
    maps = package.load(tmp_path / "a.zip").materials["Skin"].maps
    assert maps["albedo"].pixels.shape == (320, 320, 3)
    wrong = server.http.post("/v1/jobs", files=[("photos", ("a.png", b""))], data={"settings": '{"fine_size": 9000}'})
    assert wrong.status_code == 422


def test_a_job_becomes_an_avatar(server: Running, done: dict[str, Any], tmp_path: Path) -> None:
    assert done["name"] == "Eileen"
    assert done["photos"] == ["astronaut.png"]
    assert (done["fraction"], done["total"], done["position"], done["error"]) == (1, 1, None, None)
    assert done["head"] == "anny"
    assert done["licences"]
    assert done["created"] <= done["started"] <= done["finished"]
    answer = server.http.get(f"/v1/jobs/{done['id']}/avatar")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="Eileen.likeness.zip"'
    assert int(answer.headers["content-length"]) == len(answer.content) == done["avatar_bytes"]
    (tmp_path / "a.zip").write_bytes(answer.content)
    avatar = package.load(tmp_path / "a.zip")  # checks every index, shape and path
    assert avatar.name == "Eileen"
    assert avatar.materials["Skin"].maps["albedo"].pixels.shape == (512, 512, 3)
    assert avatar.provenance["photos"][0]["name"] == "astronaut.png"
    assert avatar.provenance["licences"] == done["licences"]


def test_the_preview_shows_the_face(server: Running, done: dict[str, Any], astronaut: Path) -> None:
    answer = server.http.get(f"/v1/jobs/{done['id']}/preview")
    assert answer.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"), float)
    assert picture.shape == (256, 256, 3)
    # Where the eyes' joints are, a little below the top third, is skin of the photo's face.
    face = np.asarray(Image.open(astronaut).convert("RGB"), float)[100:150, 190:260].mean(axis=(0, 1))
    np.testing.assert_allclose(picture[90:170, 90:170].mean(axis=(0, 1)), face, atol=40)


def test_events_tell_every_stage_and_the_total_never_falls(server: Running, astronaut: Path) -> None:
    job = server.submit(astronaut, texture_size=256, name="Zoë Ö")
    told = events(server, job)
    stages = [entry["stage"] for entry in told]
    order = [s for i, s in enumerate(stages) if s and s not in stages[:i]]
    assert [s for s in order if s != "start"] == ["faces", "fit", "maps", "write"]
    totals = [entry["total"] for entry in told]
    assert totals == sorted(totals)
    assert all(entry["message"] for entry in told)
    revisions = [entry["revision"] for entry in told]
    assert revisions == sorted(set(revisions))
    assert told[-1]["state"] == "done"
    name = server.http.get(f"/v1/jobs/{job['id']}/avatar").headers["content-disposition"]
    assert name == "attachment; filename*=utf-8''Zo%C3%AB_%C3%96.likeness.zip"
    # Who comes late hears how each stage began, and the end; who has heard it is told not to come again.
    late = events(server, job)
    assert late[-1] == told[-1]
    assert [entry["stage"] for entry in late[:-1] if entry["stage"] != "start"] == ["faces", "fit", "maps", "write"]
    assert events(server, job, **{"Last-Event-ID": str(revisions[-2])})[-1] == told[-1]
    nothing = server.http.get(f"/v1/jobs/{job['id']}/events", params={"after": revisions[-1]})
    assert (nothing.status_code, nothing.content) == (204, b"")


def test_the_list_is_newest_first_and_deleting_leaves_nothing(server: Running, astronaut: Path) -> None:
    old, new = server.done(astronaut), server.done(astronaut)
    ids = [job["id"] for job in server.get("/v1/jobs")["jobs"]]
    assert ids.index(new["id"]) < ids.index(old["id"])
    folder = server.home / "service" / "jobs" / old["id"]
    assert sorted(path.name for path in folder.iterdir()) == ["about.json", "avatar.zip", "preview.png"]
    assert server.http.delete(f"/v1/jobs/{old['id']}").status_code == 204
    assert not folder.exists()
    for path in ("", "/events", "/avatar", "/preview"):
        answer = server.http.get(f"/v1/jobs/{old['id']}{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "no_such_job"
    assert server.http.delete(f"/v1/jobs/{old['id']}").status_code == 404
    assert server.job(new)["state"] == "done"


def test_jobs_wait_in_line(server: Running, astronaut: Path) -> None:
    jobs = [server.submit(astronaut, texture_size=256) for _ in range(3)]
    assert server.health()["queue"] >= 1
    last = server.job(jobs[-1])
    assert (last["state"], last["has_avatar"]) == ("queued", False)
    assert last["position"] == server.health()["queue"] - 1
    early = server.http.get(f"/v1/jobs/{last['id']}/avatar")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "not_done")
    ended = [server.wait(job) for job in jobs]
    assert [job["state"] for job in ended] == ["done"] * 3
    assert [job["position"] for job in ended] == [None] * 3
    assert ended[0]["finished"] <= ended[1]["started"]
    assert ended[1]["finished"] <= ended[2]["started"]


def test_faces_are_found_between_jobs(server: Running, astronaut: Path, tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "grey").save(tmp_path / "wall.png")
    cut = tmp_path / "cut.png"
    cut.write_bytes(astronaut.read_bytes()[:20_000])
    files = [("photos", (path.name, path.read_bytes())) for path in (astronaut, tmp_path / "wall.png", cut)]
    until(lambda: not server.health()["queue"] and server.health()["worker"]["state"] == "ready", 60, "a free worker")
    answer = server.http.post("/v1/faces", files=files)
    assert answer.status_code == 200, answer.text
    one, none, damaged = answer.json()["photos"]
    ((face,), width, height) = one["faces"], one["width"], one["height"]
    assert (one["name"], width, height, one["error"]) == ("astronaut.png", 512, 512, None)
    np.testing.assert_allclose(face["box"], (179, 68, 272, 178), atol=5)
    assert 0.9 < face["score"] <= 1
    assert (none["faces"], none["error"], none["width"]) == ([], None, 200)
    assert damaged["error"].startswith("cut.png is damaged")
    job = server.submit(astronaut, texture_size=1024)
    busy = server.http.post("/v1/faces", files=files[:1])
    assert (busy.status_code, busy.json()["error"]["code"]) == (503, "busy")
    assert int(busy.headers["retry-after"]) > 0
    server.wait(job)


def test_a_job_that_cannot_be_done_says_why(server: Running, tmp_path: Path) -> None:
    Image.new("RGB", (640, 480), "grey").save(tmp_path / "Wand über.png")
    job = server.wait(server.submit(tmp_path / "Wand über.png"))
    assert job["state"] == "failed"
    sentence = "No face was found in Wand über.png; use a photo that shows one from the front."
    assert job["error"] == {"code": "face_error", "message": sentence}
    assert job["message"] == sentence
    assert not (server.home / "service" / "jobs" / job["id"]).exists()


def test_a_head_that_there_is_not_is_told(server: Running, astronaut: Path) -> None:
    job = server.wait(server.submit(astronaut, head="nobody"))
    assert job["error"]["code"] == "head_error"
    assert '"nobody"' in job["error"]["message"]


def test_lists_of_methods_heads_and_weights(server: Running) -> None:
    method = next(m for m in server.get("/v1/methods")["methods"] if m["name"] == "open")
    assert method["ready"]
    assert method["licences"]["code"] == "Apache-2.0"
    heads = {head["name"]: head for head in server.get("/v1/heads")["heads"]}
    assert heads["anny"]["ready"]
    assert not heads["ict"]["ready"]
    weights = {entry["name"]: entry for entry in server.get("/v1/weights")["weights"]}
    assert weights["landmarks"]["installed"]
    assert not weights["ict-facekit"]["installed"]
    assert all(entry["licence"] and entry["how"] for entry in weights.values())


def test_the_server_is_light_and_the_worker_does_not_swell(server: Running, astronaut: Path) -> None:
    pid = server.health()["pid"]
    if not Path(f"/proc/{pid}/maps").exists():
        pytest.skip("needs /proc to see a process's memory")
    loaded = Path(f"/proc/{pid}/maps").read_text()
    assert not [name for name in ("torch", "cv2", "numpy", "scipy", "warp") if f"/{name}/" in loaded]
    assert memory_mb(pid) < 100
    worker = server.worker()
    server.done(astronaut)
    before = memory_mb(worker)
    for _ in range(4):
        server.done(astronaut)
    assert server.worker() == worker
    assert memory_mb(worker) < before + 100


def test_the_server_answers_while_a_job_runs(server: Running, astronaut: Path) -> None:
    job = server.submit(astronaut, texture_size=1024)
    slowest = 0.0
    while server.job(job)["state"] in ("queued", "running"):
        start = time.monotonic()
        server.health()
        server.get("/v1/jobs")
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.02)
    assert slowest < 1.0


def test_a_new_client_is_served_while_another_only_listens(server: Running, astronaut: Path) -> None:
    job = server.submit(astronaut, texture_size=256)
    with httpx.stream("GET", f"{server.about['url']}/v1/jobs/{job['id']}/events", headers=server.http.headers) as quiet:
        assert quiet.status_code == 200
        assert server.health()["name"] == "likeness"
        server.wait(job)
