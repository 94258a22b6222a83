"""The OpenAPI description as one page of HTML for people: no script, nothing fetched from anywhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

__all__ = ["page"]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { background: #8882; padding: .1em .3em; border-radius: .2em }
pre { overflow: auto; padding: .6em }
"""


def page(description: dict[str, Any]) -> str:
    """HTML of an OpenAPI 3.1 description."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Likeness API</title><style>{STYLE}</style>",
        f"<h1>{escape(description['info']['title'])} {escape(description['info']['version'])}</h1>",
        "<p>Every request but this page needs <code>Authorization: Bearer TOKEN</code>. "
        "The same for programs: <code>/v1/openapi.json</code>.</p>",
    ]
    for path, verbs in description["paths"].items():
        for verb, operation in verbs.items():
            parts.append(f"<h2><code>{verb.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(operation.get('description', ''))}</p><ul>")
            parts += [_parameter(parameter) for parameter in operation.get("parameters", [])]
            parts += [_body(kind, body["schema"]) for kind, body in _content(operation.get("requestBody", {}))]
            parts += [_answer(status, answer) for status, answer in operation["responses"].items()]
            parts.append("</ul>")
    parts.append("<h2>Schemas</h2>")
    for name, schema in description["components"]["schemas"].items():
        parts.append(f"<h3 id={escape(name)}>{escape(name)}</h3><pre>{escape(json.dumps(schema, indent=2))}</pre>")
    return "\n".join(parts)


def _content(holder: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(kind, body) for kind, body in holder.get("content", {}).items() if "schema" in body]


def _parameter(parameter: dict[str, Any]) -> str:
    text = escape(parameter.get("description", ""))
    return f"<li><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])}) {text}"


def _body(kind: str, schema: dict[str, Any]) -> str:
    return f"<li>takes <code>{escape(kind)}</code><pre>{escape(json.dumps(schema.get('properties', schema)))}</pre>"


def _answer(status: str, answer: dict[str, Any]) -> str:
    names = [body["schema"].get("$ref", "").rpartition("/")[2] for _, body in _content(answer)]
    links = ", ".join(f"<a href=#{escape(name)}>{escape(name)}</a>" for name in names if name)
    return f"<li>{escape(status)} {escape(answer.get('description', ''))} {links}"
