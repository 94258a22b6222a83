"""Hooks for schemathesis: which of the bodies that it makes are really sent as it takes them to be.

A list of several values is a form with several parts, and an empty one a form without any: settings that are an empty
list are settings that were left out, which is allowed.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Whether to send it."""
    return not (isinstance(body, dict) and isinstance(body.get("settings"), list) and not body["settings"])
