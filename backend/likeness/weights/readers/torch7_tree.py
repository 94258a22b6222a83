"""What a Torch7 network does, as plain data: which module follows which, and the numbers that are not tensors.

Nothing of a method is named here: whatever the file says is built, by `likeness.networks.torch7`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from likeness.errors import WeightsError
from likeness.weights.readers.torch7 import DEEPEST, Module

__all__ = ["tree"]


def tree(network: Any) -> dict[str, Any]:
    """A network's modules as nested dicts, JSON-serialisable.

    Returns:
        "kind" (the class), "index" (place in `torch7.listed`, from 0; -1 for the network itself), "numbers" (fields
        that are numbers or flags), "children" (in their order). A graph has "nodes" besides, in the order in which
        they are run: "module" (index of a child, or None), "inputs" (indices of earlier nodes), "select" (which part
        of its input a node passes on, from 0, or None); the last one gives the result.

    Raises:
        WeightsError: there is no network, or its graph makes no sense.
    """
    if not isinstance(network, Module) or not network.kind:
        raise WeightsError("The file holds no Torch7 network.")
    return _Walk().of(network, 0)


class _Walk:
    def __init__(self) -> None:
        self.index = -1

    def of(self, module: Module, depth: int) -> dict[str, Any]:
        if depth > DEEPEST or self.index > 100_000:
            raise WeightsError("The network's modules are nested without end.")
        numbers = {
            name: value
            for name, value in module.items()
            if isinstance(name, str) and isinstance(value, bool | float) and np.isfinite(value)
        }
        found: dict[str, Any] = {"kind": module.kind, "index": self.index, "numbers": numbers}
        self.index += 1
        inner = module.get("modules")
        listed = [inner.get(i) for i in range(1, len(inner) + 1)] if isinstance(inner, dict) else []
        children = [child for child in listed if isinstance(child, Module)]
        if len(children) < len(listed):
            raise WeightsError(f"A {module.kind} holds something that is no module.")
        found["children"] = [self.of(child, depth + 1) for child in children]
        if module.kind == "nn.gModule":
            found["nodes"] = _nodes(module, children)
        return found


def _nodes(graph: Module, children: list[Any]) -> list[dict[str, Any]]:
    """The nodes of a graph in the order in which they are run."""
    try:
        listed = graph["forwardnodes"]
        datas = [listed[i]["data"] for i in range(1, len(listed) + 1)]
        number = {id(data): i for i, data in enumerate(datas)}
        own = {id(child): i for i, child in enumerate(children)}
        out = graph["outnode"]["data"]
        if number.get(id(out), len(datas) - 1) != len(datas) - 1:
            raise ValueError("its result is not what is run last")
        nodes = []
        for place, data in enumerate(datas):
            above = data["mapindex"]
            inputs = [number[id(above[i])] for i in range(1, 1 + sum(isinstance(key, int) for key in above))]
            if any(i >= place for i in inputs):
                raise ValueError("a node comes before its input")
            module, select = data.get("module"), data.get("selectindex")
            nodes.append(
                {
                    "module": None if module is None else own[id(module)],
                    "inputs": inputs,
                    "select": None if select is None else int(select) - 1,
                }
            )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsError(f"The file's graph of modules is damaged ({error!s:.80}).") from error
    return nodes
