"""Methods, heads and weights as the API tells of them. Runs in the worker: the lists come with torch."""

from __future__ import annotations

from typing import Any

from likeness.licences import strictest_first

__all__ = ["catalogue"]


def catalogue() -> dict[str, Any]:
    """``{"methods": [...], "heads": [...], "weights": [...]}``, JSON-serialisable; see `likeness.service.schema`."""
    return {"methods": _methods(), "heads": _heads(), "weights": _weights()}


def _methods() -> list[dict[str, Any]]:
    from likeness.methods.registry import list_methods

    found = []
    for m in list_methods():
        licences = {"code": m.licences.code, "weights": m.licences.weights, "model": m.licences.model}
        found.append(
            {
                "name": m.name,
                "title": m.title,
                "paper": m.paper,
                "year": m.year,
                "inputs": m.inputs,
                "ready": True,
                "status": "ready",
                "needs": list(m.needs),
                "licences": licences,
                "strictest": strictest_first(licences.values())[0],
            }
        )
    return found


def _heads() -> list[dict[str, Any]]:
    from likeness.heads.library import list_heads

    return [
        {
            "name": head.name,
            "title": head.title,
            "licence": head.licence,
            "ready": head.status.startswith("ready"),
            "status": head.status,
        }
        for head in list_heads()
    ]


def _weights() -> list[dict[str, Any]]:
    from likeness.weights import face_networks

    networks = {
        "name": "landmarks",
        "title": "Face networks",
        "installed": face_networks.path().is_file(),
        "licence": "Apache-2.0",
        "url": "https://pypi.org/project/mediapipe",
        "files": [face_networks.WHEEL.file],
    }
    return [networks]
