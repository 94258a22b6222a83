# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to the Likeness server: one connection a request, and every failure one sentence."""

from __future__ import annotations

import ipaddress
import json
import math
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Answer", "ServiceError", "Transport", "is_loopback"]

MAX_JSON = 1 << 24


class ServiceError(Exception):
    """What went wrong between Blender and the server.

    Attributes:
        message: a sentence for people.
        code: the server's own code, or "unreachable" (nothing answers), "strange" (something else answers), "version",
            "certificate", "address", "token", "file" (on this side), "no_space", "start", "cancelled".
        status: of HTTP, None when there was no answer.
        retry_after: seconds after which the server suggests another try, or None.
    """

    def __init__(
        self, message: str, code: str = "unreachable", status: int | None = None, retry_after: float | None = None
    ) -> None:
        """Keep message, code, status and advice."""
        super().__init__(message)
        self.message, self.code, self.status, self.retry_after = message, code, status, retry_after


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this computer."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Answer:
    """What a server says to one request."""

    def __init__(self, answer: HTTPResponse, network: Callable[[], AbstractContextManager[None]]) -> None:
        """``network`` turns what goes wrong into a ServiceError."""
        self._answer, self._network = answer, network
        self.status = answer.status
        length = answer.headers.get("Content-Length", "")
        self.length = self._left = int(length) if length.isdecimal() else 0

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``; b"" at the end. Raises ServiceError."""
        with self._network():
            piece = self._answer.read(size)
            self._left -= len(piece)
            if self._left > 0 and len(piece) < size:
                raise ConnectionError
        return piece


class Transport:
    """Requests to one server. Safe to use from several threads.

    No proxy is asked: the token and the photos go to the address that the user named, and nowhere else.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 10.0, ca_file: str | None = None) -> None:
        """Look at the address; nothing is sent yet. Raises ServiceError for one that cannot be right.

        Args:
            url: http or https, host, port, perhaps a path.
            token: sent as a bearer token with every request.
            timeout: seconds to wait for the next sign of life.
            ca_file: PEM file of the certificates to trust instead of the system's, or None.
        """
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
            raise ServiceError(f"{url!r} is no server address: it should look like https://computer:8443.", "address")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ServiceError("The server's token is missing or has characters that no token has.", "token")
        self.url, self.host, self.secure = url.strip().rstrip("/"), host, parts.scheme == "https"
        self.timeout = timeout
        self._port, self._base = port, parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, */*", "Connection": "close"}
        self._tls = self._trust(ca_file) if self.secure else None

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Iterable[bytes] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """The object that a request answers with; {} for an answer without content. Raises ServiceError."""
        with self.open(method, path, body=body, headers=headers, timeout=timeout) as answer:
            return self._object(answer)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        body: Iterable[bytes] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Iterator[Answer]:
        """A successful answer, to be read inside the ``with`` block. Raises ServiceError."""
        timeout = timeout or self.timeout
        link = self._connection(timeout)

        def network() -> AbstractContextManager[None]:
            return self._network(timeout)

        raw: HTTPResponse | None = None
        try:
            with network():
                raw = self._ask(link, method, path, body, headers or {})
            answer = Answer(raw, network)
            if not 200 <= answer.status < 300:
                raise self._refusal(answer, raw.headers.get("Retry-After"))
            yield answer
        finally:
            if raw is not None:
                raw.close()
            link.close()

    @contextmanager
    def _network(self, timeout: float) -> Iterator[None]:
        """What goes wrong on the way, as one sentence."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise ServiceError(
                f"The certificate of {self.host} is not trusted ({error.verify_message.rstrip('.')}): "
                "name the server's certificate file, or let it have one for this name.",
                "certificate",
            ) from error
        except ssl.SSLError as error:
            raise ServiceError(f"{self.host} does not answer with TLS; check the address {self.url}.") from error
        except TimeoutError as error:
            raise ServiceError(f"The server at {self.url} did not answer within {timeout:.0f} seconds.") from error
        except (ConnectionError, IncompleteRead) as error:
            raise ServiceError(f"The server at {self.url} is not there or broke the connection.") from error
        except HTTPException as error:
            raise self._strange() from error
        except OSError as error:
            raise ServiceError(f"The server at {self.url} cannot be reached ({error.strerror or error}).") from error

    def _trust(self, ca_file: str | None) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise ServiceError(f"The certificate file {ca_file} cannot be read ({error}).", "file") from error

    def _connection(self, timeout: float) -> HTTPConnection:
        if self._tls is not None:
            return HTTPSConnection(self.host, self._port, timeout=timeout, context=self._tls)
        return HTTPConnection(self.host, self._port, timeout=timeout)

    def _ask(
        self, link: HTTPConnection, method: str, path: str, body: Iterable[bytes], headers: Mapping[str, str]
    ) -> HTTPResponse:
        link.connect()
        try:
            link.request(method, self._base + path, body=body or None, headers={**self._headers, **headers})
        except ConnectionError as error:
            # A server that refuses an upload answers before it has read all of it.
            with suppress(OSError, HTTPException):
                return link.getresponse()
            raise error
        return link.getresponse()

    def _object(self, answer: Answer) -> dict[str, Any]:
        content = answer.read(MAX_JSON + 1)
        if not content and answer.status in (202, 204):
            return {}
        try:
            value = json.loads(content) if len(content) <= MAX_JSON else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._strange(answer.status)
        return value

    def _refusal(self, answer: Answer, retry_after: str | None) -> ServiceError:
        try:
            told = self._object(answer)["error"]
            message, code = str(told["message"]), str(told["code"])
        except (ServiceError, KeyError, TypeError, IndexError):
            return self._strange(answer.status)
        if answer.status == 401:
            message = f"The server at {self.url} does not accept the token; check it in the add-on's preferences."
        return ServiceError(message, code, answer.status, _seconds(retry_after))

    def _strange(self, status: int | None = None) -> ServiceError:
        return ServiceError(
            f"What answers at {self.url} is not a Likeness server; check the address.", "strange", status
        )


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
