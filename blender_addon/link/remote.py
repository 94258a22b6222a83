# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on another computer, which the user named."""

from __future__ import annotations

from .client import Client, ServiceError
from .transport import Transport, is_loopback

__all__ = ["connect"]


def connect(url: str, token: str, ca_file: str | None = None, *, want_api: int = 1, timeout: float = 15.0) -> Client:
    """A client of the server at ``url``, which was asked whether it is one. No photo is sent. Blocking.

    Args:
        url: https, or http for this computer alone: photos and the token must not travel in the clear.
        token: the server's.
        ca_file: PEM file of the certificates to trust instead of the system's, or None.
        want_api: version of the HTTP API.
        timeout: seconds to wait for the next sign of life.

    Raises:
        ServiceError: the address is wrong or open to eavesdroppers, nothing or something else answers, the token is
            wrong, or the versions differ.
    """
    look = Transport(url, token)
    if not look.secure and not is_loopback(look.host):
        raise ServiceError(
            f"{url} would send photos unencrypted; use an address that starts with https, or a tunnel.", "address"
        )
    client = Client(url, token, timeout=timeout, ca_file=ca_file)
    health = client.health()
    if health.get("name") != "likeness":
        raise ServiceError(f"What answers at {url} is not a Likeness server; check the address.", "strange")
    if health.get("api") != want_api:
        newer = "server" if (health.get("api") or 0) < want_api else "add-on"
        raise ServiceError(f"The server at {url} is of version {health.get('version')}: update the {newer}.", "version")
    return client
