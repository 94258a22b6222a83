"""A mesh goes in over HTTP and comes out as a head that moves; what is no mesh, or too much of one, is refused."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import torch
import trimesh
from running import Running, until

from likeness import package

if TYPE_CHECKING:
    from likeness.heads.base import HeadModel

CANCELLED_WITHIN = 2.0
"""Seconds."""


@pytest.fixture(scope="module")
def server(home: Path) -> Any:
    with Running(home, "--max-mesh-mb", 8) as running:
        yield running


@pytest.fixture(scope="module")
def scan(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's face and eyeballs in millimetres, Z up."""
    some = 0.8 * torch.randn(1, len(anny_head.identity), generator=torch.Generator().manual_seed(7))
    vertices = 1000 * anny_head.shape(some)[0].double().numpy()[:, [0, 2, 1]] * (1, -1, 1)
    skin = anny_head.triangles[anny_head.region("skin")].numpy()
    face = skin[(anny_head.groups["face"].numpy() > 0.3)[skin].all(1)]
    eyes = anny_head.triangles[anny_head.region("eye.L", "eye.R")].numpy()
    path = tmp_path_factory.mktemp("scan") / "Ada Lovelace.ply"
    trimesh.Trimesh(vertices, np.concatenate([face, eyes]), process=False).export(path)
    return path


def send(server: Running, name: str, content: bytes, **settings: Any) -> httpx.Response:
    files = [("meshes", (name, content))]
    return server.http.post("/v1/jobs/mesh", files=files, data={"settings": json.dumps(settings)})


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert len(answer.json()["error"]["message"]) > 20, answer.text
    return answer.status_code, answer.json()["error"]["code"]


def test_a_mesh_becomes_a_head(server: Running, scan: Path, tmp_path: Path) -> None:
    answer = send(server, scan.name, scan.read_bytes(), texture_size=256, neutral=True)
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert (job["mesh"], job["photos"], job["method"]) == (scan.name, [], "rig")
    with server.http.stream("GET", f"/v1/jobs/{job['id']}/events", timeout=300) as events:
        told = [json.loads(line.removeprefix("data: ")) for line in events.iter_lines() if line.startswith("data: ")]
    assert told[-1]["state"] == "done", told[-1]
    assert {"head", "maps", "write"} <= {one["stage"] for one in told}
    totals = [one["total"] for one in told]
    assert totals == sorted(totals)
    assert server.http.get(f"/v1/jobs/{job['id']}/preview").content.startswith(b"\x89PNG")
    (tmp_path / "a.zip").write_bytes(server.http.get(f"/v1/jobs/{job['id']}/avatar").content)
    assert zipfile.is_zipfile(tmp_path / "a.zip")
    avatar = package.load(tmp_path / "a.zip")
    assert avatar.name == "Ada_Lovelace"
    assert avatar.provenance["details"]["unit"] == "mm"
    assert avatar.provenance["details"]["gap_mm"] < 0.3
    assert not (server.home / "service" / "jobs" / job["id"] / "photos").exists(), "the mesh is forgotten"


def test_it_is_cancelled_while_it_runs(server: Running, scan: Path) -> None:
    server.worker()
    job = send(server, scan.name, scan.read_bytes()).json()
    until(lambda: server.job(job)["stage"] == "head", 60, "the head to be laid on")
    start = time.monotonic()
    assert server.http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202
    until(lambda: server.job(job)["state"] == "cancelled", 30, "the job to be cancelled")
    assert time.monotonic() - start < CANCELLED_WITHIN
    assert not (server.home / "service" / "jobs" / job["id"]).exists()


def test_the_token_comes_first(server: Running, scan: Path) -> None:
    answer = httpx.post(f"{server.about['url']}/v1/jobs/mesh", files=[("meshes", (scan.name, b"ply\n"))])
    assert answer.status_code == 401


def test_what_is_too_much(server: Running, scan: Path) -> None:
    assert refused(send(server, "a.ply", scan.read_bytes() + bytes(8 << 20))) == (413, "mesh_too_large")
    two = [("meshes", (name, scan.read_bytes())) for name in ("a.ply", "b.ply")]
    assert refused(server.http.post("/v1/jobs/mesh", files=two)) == (413, "too_many_meshes")


NO_MESHES = {
    "empty.ply": b"",
    "photo.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "letter.obj": b"Dear Ada,\nthis is no mesh.\n",
    "noise.glb": b"glTF" + bytes(40),
    "longer.glb": b"glTF\x02\0\0\0\xff\0\0\0" + bytes(40),
    "cut.stl": bytes(80) + b"\xff\0\0\0" + bytes(50),
    "binary.off": b"OFF\n\0\0\0",
    "outside.gltf": b'{"asset": {"version": "2.0"}, "buffers": [{"uri": "/etc/passwd", "byteLength": 9}]}',
    "pickle.pkl": b"cos\nsystem\n(S'true'\ntR.",
    "scan": b"ply\nelement vertex 3\n",
}


@pytest.mark.parametrize("name", NO_MESHES)
def test_what_is_no_mesh_is_told_at_once(server: Running, name: str) -> None:
    answer = send(server, name, NO_MESHES[name])
    assert refused(answer) == (422, "mesh_unusable")
    assert name in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ('{"method": "open"}', "bad_settings"),
        ('{"texture_size": 255}', "bad_settings"),
        ('{"neutral": "perhaps"}', "bad_settings"),
        ('{"head": "../x"}', "bad_settings"),
        ("[]", "bad_settings"),
    ],
)
def test_settings_that_make_no_sense(server: Running, scan: Path, settings: str, code: str) -> None:
    files = [("meshes", (scan.name, scan.read_bytes()))]
    assert refused(server.http.post("/v1/jobs/mesh", files=files, data={"settings": settings})) == (422, code)


def test_forms_that_are_none(server: Running, scan: Path) -> None:
    assert refused(server.http.post("/v1/jobs/mesh", json={})) == (415, "not_multipart")
    photos = [("photos", (scan.name, scan.read_bytes()))]
    assert refused(server.http.post("/v1/jobs/mesh", files=photos)) == (422, "unknown_field")
    settings = server.http.post("/v1/jobs/mesh", files=[("settings", (None, "{}"))])
    assert refused(settings) == (422, "no_meshes")


LYING = {
    "huge.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 4000000000000\nproperty float x\n"
    b"property float y\nproperty float z\nelement face 9\nproperty list uchar int vertex_indices\nend_header\n",
    "far.obj": b"v 1 2 3\n" * 300 + b"f 1 2 999999999999\n" * 300,
    "nowhere.obj": b"v nan 0 0\nv 1e999 0 0\nv 0 0 1\n" + b"f 1 2 3\n" * 300,
    "ball.obj": None,
}


@pytest.mark.parametrize("name", LYING)
def test_what_is_found_out_later_fails_with_a_sentence(server: Running, name: str) -> None:
    content = LYING[name] or trimesh.creation.icosphere(subdivisions=3).export(file_type="obj").encode()
    job = send(server, name, content, texture_size=256).json()
    ended = server.wait(job)
    assert ended["state"] == "failed"
    assert ended["error"]["code"] in ("mesh_error", "head_error"), ended["error"]
    assert ended["error"]["message"].endswith(".")
    assert server.health()["worker"]["state"] == "ready", "the worker outlived it"


def test_a_mesh_that_waits_outlives_the_server(own_home: Path, scan: Path) -> None:
    server = Running(own_home)
    job = send(server, scan.name, scan.read_bytes(), texture_size=256).json()
    server.kill()
    server.start()
    with server:
        ended = server.job(job)
        assert ended["mesh"] == scan.name
        assert ended["state"] in ("queued", "running", "done"), ended
