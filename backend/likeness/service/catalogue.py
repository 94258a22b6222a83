"""Methods, heads and weights as the API tells of them. Runs in the worker: the lists come with torch."""

from __future__ import annotations

from typing import Any

__all__ = ["catalogue"]


def catalogue() -> dict[str, Any]:
    """``{"methods": [...], "heads": [...], "weights": [...]}``, JSON-serialisable; see `likeness.service.schema`."""
    from likeness.heads.library import list_heads
    from likeness.methods import registry
    from likeness.weights import catalog, store

    def needs(head: str) -> list[str]:
        return [e.name for e in catalog.load().values() if e.kind == "head model" and e.name.startswith(f"{head}-")]

    heads = [
        {
            "name": head.name,
            "title": head.title,
            "licence": head.licence,
            "ready": head.status.startswith("ready"),
            "status": head.status,
            "needs": [] if head.status.startswith("ready") else needs(head.name),
        }
        for head in list_heads()
    ]
    return {"methods": registry.describe(), "heads": heads, "weights": store.describe()}
