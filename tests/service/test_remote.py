"""A server that the user names: over TLS with its own certificate, with the right token, or not at all."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from blender_addon.link import process, server_file  # noqa: E402
from blender_addon.link.client import ServiceError  # noqa: E402
from blender_addon.link.remote import connect  # noqa: E402

TOKEN = "a-token-that-the-server-was-given"


@dataclass
class Remote:
    """A server with TLS, its certificate, and one for another name."""

    url: str
    certificate: str
    other: str


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl to make a certificate")
    room = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate(room, "own", "DNS:localhost,IP:127.0.0.1")
    other, _ = make_certificate(room, "other", "DNS:elsewhere.example")
    (room / "token").write_text(TOKEN)
    command = [sys.executable, "-m", "likeness.cli", "serve", "--home", str(room / "home"), "--exit-with-stdin"]
    command += ["--token-file", str(room / "token"), "--tls-cert", certificate, "--tls-key", key]
    with (room / "log").open("wb") as log:
        server = process.spawn(command, room, stdin=subprocess.PIPE, stdout=log)
    try:
        end = time.monotonic() + 60
        while (found := server_file.read(room / "home")) is None:
            assert server.poll() is None, (room / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        yield Remote(found.url, certificate, other)
    finally:
        process.end(server, 10)


def make_certificate(room: Path, name: str, names: str) -> tuple[str, str]:
    certificate, key = str(room / f"{name}.pem"), str(room / f"{name}.key")
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    options += ["-addext", f"subjectAltName={names}", "-out", certificate, "-keyout", key]
    subprocess.run(["openssl", "req", *options], check=True, capture_output=True)
    return certificate, key


def refusal(url: str, token: str = TOKEN, ca_file: str | None = None) -> ServiceError:
    with pytest.raises(ServiceError) as error:
        connect(url, token, ca_file, timeout=2)
    return error.value


def test_with_its_certificate(remote: Remote) -> None:
    assert remote.url.startswith("https://")
    client = connect(remote.url, TOKEN, remote.certificate)
    assert client.is_secure
    assert client.jobs() == []
    assert client.methods()[0]["name"] == "open"
    by_name = remote.url.replace("127.0.0.1", "localhost") + "/"
    assert connect(by_name, TOKEN, remote.certificate).health()["name"] == "likeness"


def test_a_certificate_that_nobody_vouches_for(remote: Remote) -> None:
    for ca_file in (None, remote.other):
        error = refusal(remote.url, ca_file=ca_file)
        assert error.code == "certificate"
        assert "127.0.0.1 is not trusted" in error.message


def test_wrong_token(remote: Remote) -> None:
    error = refusal(remote.url, "wrong", remote.certificate)
    assert (error.status, error.code) == (401, "wrong_token")
    assert "does not accept the token" in error.message


def test_without_tls_on_a_port_with_it(remote: Remote) -> None:
    assert refusal(remote.url.replace("https", "http")).code in ("strange", "unreachable")


def test_with_tls_on_a_port_without_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        error = refusal(f"https://127.0.0.1:{server.getsockname()[1]}")
    assert error.code == "unreachable"


@pytest.mark.parametrize("url", ["http://192.0.2.7:8443", "http://computer.example"])
def test_photos_do_not_travel_in_the_clear(url: str) -> None:
    error = refusal(url)
    assert (error.code, error.status) == ("address", None)
    assert "unencrypted" in error.message


@pytest.mark.parametrize(
    "url", ["", "computer:8443", "ftp://computer", "https://", "https://u:p@computer", "https://c:x"]
)
def test_no_address(url: str) -> None:
    assert refusal(url).code == "address"


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "schlüssel"])
def test_no_token(token: str) -> None:
    assert refusal("https://127.0.0.1:1", token).code == "token"


def test_nothing_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = refusal(f"https://127.0.0.1:{port}")
    assert (error.code, error.status) == ("unreachable", None)


def test_no_certificate_file(tmp_path: Path) -> None:
    assert refusal("https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem")).code == "file"
    (tmp_path / "text.pem").write_text("hello")
    assert refusal("https://127.0.0.1:1", ca_file=str(tmp_path / "text.pem")).code == "file"
