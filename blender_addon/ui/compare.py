# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads against one of them: copies in the colours of their distances, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from .main import InTab
from .words import paragraph

if TYPE_CHECKING:
    from ..scene.head import Head

__all__ = ["CLASSES"]

ASIDE = 0.34
"""Metres from the heads to the first copy."""


class LIKENESS_OT_compare(bpy.types.Operator):
    """Show how far the selected heads are from the active one: copies at rest in the colours of their distances, in a
row beside them. With fewer than two heads selected, all of the scene are compared"""  # fmt: skip

    bl_idname = "likeness.compare"
    bl_label = "Compare Heads"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs two heads."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode first")
            return False
        enough = len(_meant(context)) > 1
        if not enough:
            cls.poll_message_set("Bring in two heads first")
        return enough

    def execute(self, context: bpy.types.Context) -> Any:
        """Measure, and set the copies up."""
        from ..scene.compare_row import line_up

        heads = _meant(context)
        active = context.view_layer.objects.active
        of_active = [i for i, head in enumerate(heads) if active in (head.mesh, head.rig)]
        reference = of_active[0] if of_active else 0
        start = max(head.rig.matrix_world.translation.x for head in heads) + ASIDE
        try:
            row = line_up(context.scene, heads, [head.mesh.name for head in heads], reference, start)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        told = [
            f"{head.mesh.name} {found.told()['median_mm']:.2f} mm"
            for head, found in zip(heads, row.measured, strict=True)
            if found is not None
        ]
        self.report({"INFO"}, f"Median distance from {heads[reference].mesh.name}: {', '.join(told)}")
        return {"FINISHED"}


def _meant(context: bpy.types.Context) -> list[Head]:
    """The selected heads, or all of the scene where fewer than two are selected."""
    from ..scene.find import head_of_object, heads_in

    chosen = {}
    for thing in context.view_layer.objects.selected:
        head = head_of_object(thing)
        if head is not None:
            chosen[head.mesh.name] = head
    return list(chosen.values()) if len(chosen) > 1 else heads_in(context.scene)


class LIKENESS_PT_compare(InTab, bpy.types.Panel):
    """Several heads"""

    bl_idname = "LIKENESS_PT_compare"
    bl_label = "Compare"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 2

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with two heads in the scene."""
        from ..scene.find import heads_in

        return len(heads_in(context.scene)) > 1

    def draw(self, context: bpy.types.Context) -> None:
        """Which heads are meant, and the button."""
        heads = _meant(context)
        active = context.view_layer.objects.active
        first = next((head for head in heads if active in (head.mesh, head.rig)), heads[0])
        column = self.layout.column(align=True)
        for head in heads:
            column.label(text=head.mesh.name, icon="PIVOT_CURSOR" if head is first else "USER", translate=False)
        paragraph(self.layout, context, f"Distances are measured from {first.mesh.name}, the active one.")
        self.layout.operator(LIKENESS_OT_compare.bl_idname, icon="MOD_DATA_TRANSFER")


CLASSES = (LIKENESS_OT_compare, LIKENESS_PT_compare)
