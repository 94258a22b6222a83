"""The tab Likeness as a user meets it: buttons are found by moving the mouse over them, and clicked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from window import Window, until

STEP = 9
"""Pixels between two looks; a button is 20 high."""


@dataclass(frozen=True)
class Spot:
    """A place on the screen, pixels."""

    x: float
    y: float


class Sidebar:
    """The sidebar of the 3D view, opened at the tab Likeness."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.open()

    def open(self) -> None:
        """Show the tab; Blender lets scripts choose it once it has been drawn."""
        self.window.do("with view3d() as c: c.space_data.show_region_ui = True")
        until(self._choose, 20, what="the tab Likeness")
        time.sleep(0.5)

    def _choose(self) -> bool:
        return bool(
            self.window.do(
                "with view3d('UI') as c:\n"
                "    try: c.region.active_panel_category = 'Likeness'\n"
                "    except Exception: pass\n"
                "    result = c.region.active_panel_category == 'Likeness'"
            )
        )

    def scroll(self, clicks: int) -> None:
        """Turn the wheel over the panel, down for positive."""
        left, top, width, _ = self.window.ask("place('UI')")
        self.window.point(left + width / 2, top + 12)  # below the panels, the wheel zooms the view
        self.window.xdotool("click", "--repeat", abs(clicks), "--delay", 20, 5 if clicks > 0 else 4)
        time.sleep(0.4)

    def find(self, wanted: str, across: float = 0.4) -> Spot:
        """Where a button is whose Python contains ``wanted``; ``across`` is how far from the left, 0..1, to look."""
        self.scroll(-60)
        for _ in range(6):
            left, top, width, tall = self.window.ask("place('UI')")
            x = left + (width - 24) * across
            hits = []
            for y in range(top + STEP, top + tall - STEP, STEP):
                self.window.point(x, y)
                time.sleep(0.05)
                if wanted in self.window.ask("under_mouse()"):
                    hits.append(y)
                elif hits:
                    break
            if hits:
                return Spot(x, sum(hits) / len(hits))
            self.scroll(12)
        raise AssertionError(f"no button {wanted} in the tab")

    def press(self, wanted: str, across: float = 0.4) -> None:
        """Find and click."""
        spot = self.find(wanted, across)
        self.window.click(spot.x, spot.y)

    def unfold(self, panel: str) -> None:
        """Click on a closed panel's title; it is where a click makes Blender draw the panel's inside."""
        drawn = f"drawn.get('{panel}.draw', 0)"
        self.scroll(60)
        left, top, _, tall = self.window.ask("place('UI')")
        for y in range(top + tall - STEP, top, -STEP):
            self.window.point(left + 50, y)
            time.sleep(0.05)
            if self.window.ask("under_mouse()"):
                continue
            before = self.window.ask(drawn)
            self.window.click(left + 50, y)
            if self.window.ask(drawn) > before:
                return
            self.window.click(left + 50, y)  # another panel's title
        raise AssertionError(f"no title of {panel}")

    def task(self) -> dict[str, Any]:
        """The reconstruction: which, state, text, progress; and the problem that the panel shows."""
        state: dict[str, Any] = self.window.do(
            "from bl_ext.user_default.likeness.ui.session import session\n"
            "now = session(); t = now.task\n"
            "result = {name: getattr(t, name, '') for name in ('state', 'text', 'error')}\n"
            "result |= {'which': id(t), 'total': t.total if t else 0, 'problem': now.problem}"
        )
        return state
