"""Who gets in, and how the server starts, is found and ends."""

import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import COMMAND, ENVIRONMENT, Running, alive, until

ADDRESSES = [
    ("GET", "/v1/health"),
    ("GET", "/v1/methods"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs/x/events"),
    ("DELETE", "/v1/jobs/x"),
    ("POST", "/v1/jobs/x/cancel"),
    ("POST", "/v1/shutdown"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/nothing"),
]


def problem(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["message"].endswith(".")
    assert "\n" not in error["message"]
    return answer.status_code, error["code"]


@pytest.mark.parametrize(("verb", "path"), ADDRESSES)
def test_nothing_without_the_token(server: Running, verb: str, path: str) -> None:
    token = server.about["token"]
    for header in (None, "", "Bearer", f"Basic {token}", f"Bearer {token[:-1]}", f"Bearer {token}x", token):
        headers = {} if header is None else {"Authorization": header}
        answer = httpx.request(verb, server.about["url"] + path, headers=headers, trust_env=False)
        assert problem(answer) == (401, "wrong_token")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert server.health()["pid"] == server.process.pid


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_web_page_cannot_bend_its_name_to_us(server: Running, host: str) -> None:
    assert problem(server.http.get("/v1/health", headers={"Host": host})) == (421, "wrong_host")
    assert server.http.get("/v1/docs", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:99"])
def test_hosts_of_this_machine_are_served(server: Running, host: str) -> None:
    assert server.http.get("/v1/health", headers={"Host": host}).status_code == 200


def test_no_other_site_may_read(server: Running) -> None:
    origin = {"Origin": "https://evil.example"}
    answer = server.http.get("/v1/health", headers=origin)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    preflight = server.http.options("/v1/jobs", headers=origin | {"Access-Control-Request-Method": "POST"})
    assert problem(preflight) == (405, "wrong_verb")


def test_wrong_addresses_and_verbs_are_told_in_the_same_shape(server: Running) -> None:
    assert problem(server.http.get("/v2/health")) == (404, "not_found")
    assert problem(server.http.get("/v1/jobs/")) == (404, "not_found")
    assert problem(server.http.get("/v1/jobs/../../etc/passwd")) == (404, "not_found")
    assert problem(server.http.get("/v1/jobs/%2e%2e%2fjobs.sqlite3/avatar")) == (404, "not_found")
    assert problem(server.http.get("/v1/jobs/%2e%2e/avatar")) == (404, "no_such_job")
    wrong = server.http.put("/v1/jobs")
    assert problem(wrong) == (405, "wrong_verb")
    assert wrong.headers["allow"] == "GET, POST"
    assert problem(server.http.get("/v1/jobs/x/events", params={"after": "soon"})) == (422, "invalid")


def test_the_api_is_described(server: Running) -> None:
    described = server.get("/v1/openapi.json")
    assert {"/v1/health", "/v1/jobs", "/v1/jobs/{job}/avatar"} <= set(described["paths"])
    form = described["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"photos", "settings"}
    page = httpx.get(server.about["url"] + "/v1/docs", trust_env=False)
    assert page.headers["content-type"].startswith("text/html")
    assert "/v1/jobs/{job}/events" in page.text
    assert "<script" not in page.text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text)


def test_only_its_owner_can_read_where_the_server_is(server: Running) -> None:
    assert server.about["api"] == 1
    assert server.about["pid"] == server.process.pid
    assert server.about["url"].startswith("http://127.0.0.1:")
    if sys.platform != "win32":
        assert stat.S_IMODE(server.told.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.told.parent.stat().st_mode) == 0o700


def test_a_home_has_one_server(server: Running) -> None:
    again = subprocess.run(
        [*COMMAND, "--home", str(server.home)], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert again.returncode == 2
    assert server.about["url"] in again.stderr
    assert len(again.stderr.splitlines()) == 1
    assert json.loads(server.told.read_text()) == server.about
    assert server.health()["pid"] == server.process.pid


def refused(*options: object) -> str:
    command = [*COMMAND, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False)
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_beyond_this_machine_needs_a_token_and_tls(bare: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    assert "--tls-cert" in refused("--home", bare, "--host", "0.0.0.0")
    assert "--tls-cert" in refused("--home", bare, "--host", "0.0.0.0", "--token-file", token)
    assert "TLS needs both" in refused("--home", bare, "--tls-cert", token)
    assert "cannot be used" in refused("--home", bare, "--tls-cert", token, "--tls-key", token)
    assert not bare.exists()


def test_a_token_must_be_long_enough_and_readable(bare: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("secret")
    assert "16 or more" in refused("--home", bare, "--token-file", short)
    assert "cannot be read" in refused("--home", bare, "--token-file", tmp_path / "none")


def test_a_port_that_is_taken_is_told(bare: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert "choose another --port" in refused("--home", bare, "--port", other.getsockname()[1])


def test_https_beyond_this_machine(bare: Path, tmp_path: Path) -> None:
    cert, key, token = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "token"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=studio.example"]
    names = ["-addext", "subjectAltName=DNS:studio.example,IP:127.0.0.1"]
    try:
        subprocess.run([*make, *names, "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    token.write_text("a-token-of-my-own\n")
    options = ["--host", "0.0.0.0", "--token-file", token, "--tls-cert", cert, "--tls-key", key]
    with Running(bare, *options, "--allow-host", "studio.example") as server:
        assert server.about["url"].startswith("https://127.0.0.1:")
        url = server.about["url"] + "/v1/health"
        context = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(verify=context, trust_env=False) as client:
            headers = {"Authorization": "Bearer a-token-of-my-own"}
            assert client.get(url, headers=headers).json()["api"] == 1
            assert client.get(url, headers=headers | {"Host": "studio.example"}).status_code == 200
            assert client.get(url, headers=headers | {"Host": "evil.example"}).status_code == 421
            assert client.get(url).status_code == 401


def test_the_server_ends_with_its_standard_input(bare: Path) -> None:
    with Running(bare, "--exit-with-stdin") as server:
        worker = server.health()["worker"]["pid"]
        time.sleep(0.5)
        assert server.process.poll() is None
        server.close_stdin()
        assert server.process.wait(10) == 0
        until(lambda: not alive(worker), 5, "the worker to end")
        assert not server.told.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_in_order(bare: Path, name: str) -> None:
    import signal

    with Running(bare) as server:
        worker = server.health()["worker"]["pid"]
        server.process.send_signal(signal.Signals[name])
        assert server.process.wait(10) == 0
        assert not server.told.exists()
        until(lambda: not alive(worker), 5, "the worker to end")
        assert "Traceback" not in (bare / "service" / "service.log").read_text()


def test_it_ends_soon_although_somebody_listens(server: Running, home: Path, astronaut: Path) -> None:
    job = server.submit(astronaut)
    with httpx.stream("GET", f"{server.about['url']}/v1/jobs/{job['id']}/events", headers=server.http.headers) as quiet:
        lines = quiet.iter_lines()
        next(lines)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 5
    server.start()


def test_the_log_holds_no_token(server: Running) -> None:
    token = server.about["token"]
    server.get("/v1/jobs")
    for path in (server.home / "service").iterdir():
        if path.is_file() and path.name != "server.json":
            assert token.encode() not in path.read_bytes(), path.name


def test_a_damaged_list_is_put_aside(bare: Path) -> None:
    folder = bare / "service"
    folder.mkdir(parents=True)
    (folder / "jobs.sqlite3").write_bytes(b"This is no database, " * 100)
    with Running(bare) as server:
        assert server.get("/v1/jobs") == {"jobs": []}
        (aside,) = folder.glob("jobs.sqlite3.damaged-*")
        assert aside.read_bytes().startswith(b"This is no database")


def test_a_list_of_a_newer_version_is_left_alone(bare: Path) -> None:
    import sqlite3

    folder = bare / "service"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "jobs.sqlite3") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    assert "update Likeness" in refused("--home", bare)


def test_a_worker_that_cannot_start_is_told(tmp_path: Path) -> None:
    """An installation without PyTorch: the server lives, says so, and jobs fail with the sentence."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("raise ImportError('no torch here')")
    environment = ENVIRONMENT | {"PYTHONPATH": str(broken)}
    home = tmp_path / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("running.ENVIRONMENT", environment)
        with Running(home) as server:
            until(lambda: server.health()["worker"]["state"] == "failed", 60, "the worker to count as failed")
            assert "likeness doctor" in server.health()["worker"]["message"]
            answer = server.http.get("/v1/methods")
            assert problem(answer) == (503, "starting")
            photo = Path(__file__).parents[1] / "data" / "astronaut.png"
            job: dict[str, Any] = server.wait(server.submit(photo))
            assert job["error"]["code"] == "worker_failed"
            assert "likeness doctor" in job["message"]
    assert "no torch here" in (home / "service" / "service.log").read_text()


def test_the_worker_is_out_of_reach_of_ctrl_c(server: Running) -> None:
    worker = server.worker()
    if not hasattr(os, "getsid"):
        pytest.skip("sessions of POSIX")
    assert os.getsid(worker) != os.getsid(server.process.pid)
