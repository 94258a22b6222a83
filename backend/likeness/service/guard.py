"""Who is let in: requests for this host that carry the token."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

__all__ = ["Guard"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware, around everything.

    The Host header is checked because a web page can make its own name point at 127.0.0.1 and have a browser ask us;
    addresses cannot be bent like that, so they pass. The token keeps other users of the machine out.
    """

    def __init__(self, app: Application, token: str, hosts: Collection[str], open_paths: Collection[str] = ()) -> None:
        """``hosts`` are names without port; ``open_paths`` need no token."""
        self._app = app
        self._token = token.encode()
        self._hosts = {host.lower() for host in hosts}
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 or 401, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not self._serves(headers.get(b"host", b"").decode("latin-1")):
            sentence = "This service does not go by that host name; use the address it told, or --allow-host."
            await _refuse(send, 421, "wrong_host", sentence)
        elif scope["path"] not in self._open and not self._knows(headers.get(b"authorization", b"")):
            sentence = "Send the service's token as Authorization: Bearer TOKEN; it stands in service/server.json."
            await _refuse(send, 401, "wrong_token", sentence, (b"www-authenticate", b"Bearer"))
        else:
            await self._app(scope, receive, send)

    def _serves(self, host: str) -> bool:
        name = host.lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _knows(self, header: bytes) -> bool:
        scheme, _, token = header.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


async def _refuse(send: Send, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
