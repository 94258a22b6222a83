"""The tab Likeness as a user meets it: buttons are found by moving the mouse over them, and clicked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from window import Window, until

EDGE = 9
"""Pixels at the top and the bottom where a button may be cut off; it is 20 high."""
CONTRAST = 48
"""Steps of grey from one pixel to the next where something is written; the text of what is greyed out has 50."""


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

    def lines(self) -> list[int]:
        """Where in height something is written in the sidebar, from the top, as a user sees at a glance."""
        left, top, width, tall = self.window.ask("place('UI')")
        self.window.point(left - 60, top + tall / 2)  # else a tip on what is under the mouse would hide others
        time.sleep(0.1)
        with Image.open(self.window.picture(self.window.room / "lines.png")) as shot:
            grey = np.asarray(shot.convert("L"), int)[top + EDGE : top + tall - EDGE, left + 12 : left + width - 36]
        written = (abs(np.diff(grey, axis=1)) > CONTRAST).any(axis=1)
        starts, ends = np.flatnonzero(np.diff(written, prepend=False, append=False)).reshape(-1, 2).T
        return [int(top + EDGE + middle) for middle in (starts + ends) // 2]

    def find(self, wanted: str, across: float = 0.4) -> Spot:
        """Where a button is whose Python contains ``wanted``; ``across`` is how far from the left, 0..1, to look."""
        self.scroll(-60)
        for _ in range(6):
            left, _, width, _ = self.window.ask("place('UI')")
            x = left + (width - 24) * across
            for y in self.lines():
                self.window.point(x, y)
                time.sleep(0.05)
                if wanted in self.window.ask("under_mouse()"):
                    return Spot(x, y)
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
        left, _, _, _ = self.window.ask("place('UI')")
        for y in reversed(self.lines()):
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
