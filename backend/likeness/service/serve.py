"""`likeness serve`: one server a home, told to those who may use it, ended in order."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import secrets
import socket
import ssl
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

import uvicorn

from likeness import __version__
from likeness.errors import LikenessError, WeightsError
from likeness.service.api import API, DOCS, Service, application
from likeness.service.folders import Folders, write_private
from likeness.service.guard import Guard
from likeness.service.installs import Installs
from likeness.service.jobs import Jobs, now
from likeness.service.limits import Limits
from likeness.service.store import Store
from likeness.service.workshop import Workshop
from likeness.weights import leftovers
from likeness.weights.lock import locked
from likeness.weights.place import home

__all__ = ["Options", "ServeError", "serve"]

TOKEN_LENGTH = 16
LOG_BYTES = 1 << 20


class ServeError(LikenessError):
    """The service cannot be started like this."""


@dataclass(frozen=True)
class Options:
    """See `likeness serve --help`."""

    host: str = "127.0.0.1"
    port: int = 0
    token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    home: Path | None = None
    exit_with_stdin: bool = False
    offline: bool = False
    allow_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


def serve(options: Options) -> None:
    """Serve until told to stop. Raises ServeError, one sentence, where it cannot be done."""
    if options.home is not None:
        os.environ["LIKENESS_HOME"] = str(options.home.absolute())  # the worker's too
    if options.offline:
        os.environ["LIKENESS_OFFLINE"] = "1"
    _check(options)
    token = _token(options.token_file)
    folders = Folders(home())
    with _alone(folders), _listen(options) as listener:
        _log_to(folders.log)
        port = listener.getsockname()[1]
        scheme = "https" if options.tls_cert else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # told to this machine
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        about = {
            "url": url,
            "token": token,
            "pid": os.getpid(),
            "version": __version__,
            "api": API,
            "started": now(),
        }
        workshop = Workshop()
        jobs = Jobs(folders, Store(folders.index), workshop, options.limits)
        installs = Installs(home() / "weights", workshop)
        leftovers.sweep(home() / "weights")
        service = Service(
            folders, jobs, workshop, installs, options.limits, str(about["started"]), lambda: server.stop()
        )
        names = {"localhost", socket.gethostname(), options.host, *options.allow_hosts}
        config = uvicorn.Config(
            Guard(application(service), token, names, open_paths=[DOCS]),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who a request is from decides what it may name
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="on",
            timeout_graceful_shutdown=2,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
        )
        server = _Server(config, jobs, folders.server, about)
        if options.exit_with_stdin:
            threading.Thread(target=server.stop_with_stdin, daemon=True, name="stdin").start()
        with suppress(KeyboardInterrupt):  # uvicorn raises it again once everything is in order
            server.run([listener])


class _Server(uvicorn.Server):
    """Tells where it is once it can be reached, and takes that back at the end."""

    def __init__(self, config: uvicorn.Config, jobs: Jobs, told: Path, about: dict[str, object]) -> None:
        super().__init__(config)
        self._jobs, self._told, self._about = jobs, told, about

    def stop(self) -> None:
        self.should_exit = True

    def stop_with_stdin(self) -> None:
        with suppress(OSError, ValueError, AttributeError):  # sys.stdin is None where there is none
            while sys.stdin.buffer.read(1 << 12):
                pass
        self.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        write_private(self._told, json.dumps(self._about).encode())
        with suppress(OSError, ValueError):  # nobody has to read it
            line = json.dumps({"url": self._about["url"], "pid": self._about["pid"]})
            print(f"LIKENESS {line}", flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        with suppress(OSError):
            self._told.unlink()
        self._jobs.hush()
        await super().shutdown(sockets)


def _check(options: Options) -> None:
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ServeError("TLS needs both files; give --tls-cert and --tls-key.")
    if not _loopback(options.host) and (options.token_file is None or options.tls_cert is None):
        raise ServeError(
            f"{options.host} can be reached from other machines; "
            "give --token-file, --tls-cert and --tls-key, or leave --host out."
        )
    if options.tls_cert is not None and options.tls_key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(options.tls_cert, options.tls_key)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or "no pair of certificate and key in PEM format"
            raise ServeError(f"The TLS files cannot be used ({reason}); check --tls-cert and --tls-key.") from error


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(file: Path | None) -> str:
    if file is None:
        return secrets.token_urlsafe(32)
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(f"The token cannot be read from {file}; check the path and its permissions.") from error
    if len(token) < TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
        raise ServeError(f"The token in {file} must be {TOKEN_LENGTH} or more letters, digits or signs in one line.")
    return token


class _alone:  # noqa: N801 - used like a function
    """One server a home, by a lock that the operating system gives back when its holder dies."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._lock = locked(folders.lock, patience=0.0)

    def __enter__(self) -> None:
        try:
            self._lock.__enter__()
        except WeightsError:
            raise ServeError(f"A service runs already {self._where()}; use that one, or stop it first.") from None

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(None, None, None)

    def _where(self) -> str:
        try:
            about = json.loads(self._folders.server.read_text(encoding="utf-8"))
            return f"at {about['url']} (process {about['pid']})"
        except (OSError, ValueError, KeyError):
            return f"on {self._folders.root}"


def _listen(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # where another program could otherwise take over the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
    except OSError as error:
        listener.close()
        raise ServeError(
            f"{options.host} port {options.port} cannot be used ({error.strerror or error}); choose another --port."
        ) from error
    return listener


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=3, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
