"""A layout that draws nothing, records everything, and complains about what the real one would show wrongly.

Blender without windows never draws panels; a misspelt property or icon would be seen by users only.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy

FUNCTIONS = bpy.types.UILayout.bl_rna.functions
ICONS = {item.identifier for item in FUNCTIONS["label"].parameters["icon"].enum_items}
ITEM = {"prop", "operator", "menu", "label", "popover", "prop_enum", "prop_search"}
CONTAINERS = {"row", "column", "box", "split", "column_flow", "grid_flow", "menu_pie"}
POSITIONAL = {
    "prop": ("data", "property"),
    "operator": ("operator",),
    "menu": ("menu",),
    "label": ("text",),
    "template_list": (
        *("listtype_name", "list_id", "dataptr", "propname", "active_dataptr", "active_propname"),
        *("item_dyntip_propname", "rows", "maxrows"),
    ),
}


class OperatorProperties:
    """What an operator's button is given; only what the operator has."""

    def __init__(self, name: str) -> None:
        module, _, function = name.partition(".")
        assert hasattr(bpy.types, f"{module.upper()}_OT_{function}"), f"no operator {name}"
        object.__setattr__(self, "_known", getattr(getattr(bpy.ops, module), function).get_rna_type().properties)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self._known, f"the operator has no property {name}"


class Layout:
    """Stands in for UILayout: same functions, same arguments, same properties."""

    def __init__(self, record: list[tuple[str, dict[str, Any]]] | None = None) -> None:
        object.__setattr__(self, "record", [] if record is None else record)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in bpy.types.UILayout.bl_rna.properties, f"a layout has no {name}"

    def __getattr__(self, name: str) -> Any:
        assert name in FUNCTIONS, f"a layout has no {name}"

        def call(*args: Any, **kwargs: Any) -> Any:
            known = FUNCTIONS[name].parameters
            given = dict(zip(POSITIONAL.get(name, ()), args, strict=False)) | kwargs
            strange = [k for k in kwargs if k not in known]
            assert not strange, f"{name} takes no {strange}"
            assert given.get("icon", "NONE") in ICONS, f"no icon {given['icon']}"
            self.record.append((name, given))
            return self._answer(name, given)

        return call

    def _answer(self, name: str, given: dict[str, Any]) -> Any:
        if name in CONTAINERS:
            return Layout(self.record)
        if name == "panel":
            return Layout(self.record), Layout(self.record)
        if name in ("prop", "prop_enum", "prop_search"):
            properties = given["data"].bl_rna.properties
            custom = given["property"].startswith('["')
            assert custom or given["property"] in properties, f"{given['data']} has no {given['property']}"
        elif name == "operator":
            return OperatorProperties(given["operator"])
        elif name == "menu":
            assert hasattr(bpy.types, given["menu"]), f"no menu {given['menu']}"
        elif name == "template_list":
            assert hasattr(bpy.types, given["listtype_name"])
            for data, prop in (("dataptr", "propname"), ("active_dataptr", "active_propname")):
                assert given[prop] in given[data].bl_rna.properties
        return None

    @property
    def texts(self) -> list[str]:
        """What can be read."""
        return [str(given["text"]) for _, given in self.record if given.get("text")]

    @property
    def said(self) -> str:
        """The same in one piece: sentences are broken into lines."""
        return " ".join(self.texts)

    @property
    def operators(self) -> list[str]:
        """What can be pressed."""
        return [given["operator"] for name, given in self.record if name == "operator"]


def draw(cls: Any, **more: Any) -> Layout:
    """What a panel or menu draws now; empty where its poll says no."""
    layout = Layout()
    if not hasattr(cls, "poll") or cls.poll(bpy.context):
        stand_in = SimpleNamespace(layout=layout, **more)
        if hasattr(cls, "draw_header_preset"):
            cls.draw_header_preset(stand_in, bpy.context)
        cls.draw(stand_in, bpy.context)
    return layout


def draw_item(cls: Any, data: Any, item: Any) -> Layout:
    """What a list draws for an item."""
    layout = Layout()
    cls.draw_item(SimpleNamespace(layout_type="DEFAULT"), bpy.context, layout, data, item, 0, data, "", 0, 0)
    return layout


def panels(kind: str = "LIKENESS_PT_") -> list[Any]:
    """The add-on's panels (or menus, …) as Blender knows them."""
    return [getattr(bpy.types, name) for name in sorted(dir(bpy.types)) if name.startswith(kind)]
