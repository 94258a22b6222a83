"""Imports only point down, the backend never sees bpy, and the add-on never sees the backend."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BACKEND = ROOT / "backend" / "likeness"

LAYERS = [
    {"errors", "progress", "camera", "avatar", "licences", "mesh_file", "photos", "scan", "weights"},
    {"render", "networks"},
    {"heads", "faces"},
    {"fitting"},
    {"methods", "maps", "video"},
    {"assemble", "package"},
    {"pipeline", "rig", "training"},
    {"blend", "compare", "sheet"},
    {"console", "doctor"},
    {"service", "cli_maps", "cli_weights", "cli_compare", "cli_train"},
    {"cli"},
]
"""From the bottom up; a module imports from its own layer or from below."""

# The embedding and the calibration of a head are made by showing its renders to the landmark network.
HEIGHT = {name: i for i, layer in enumerate(LAYERS) for name in layer}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "likeness" and len(parts) > 1 and parts[1] in HEIGHT else None


@pytest.mark.parametrize("path", sorted(BACKEND.rglob("*.py")), ids=lambda p: str(p.relative_to(BACKEND)))
def test_imports_point_down(path: Path) -> None:
    own = path.relative_to(BACKEND).parts[0].removesuffix(".py")
    names = list(imports(path))
    assert not [n for n in names if n.split(".")[0] == "bpy"], "the backend must not import bpy"
    if own == "__init__":
        return
    assert own in HEIGHT, f"{own} has no place in LAYERS"
    up = [n for n in names if (r := room(n)) and HEIGHT[r] > HEIGHT[own]]
    assert not up, f"{own} imports from above: {up}"


def test_add_on_does_not_import_the_backend() -> None:
    for path in (ROOT / "blender_addon").rglob("*.py"):
        bad = [n for n in imports(path) if n.split(".")[0] in ("likeness", "torch", "cv2", "scipy", "PIL")]
        assert not bad, f"{path.name} imports {bad}"


def test_link_does_not_import_bpy() -> None:
    for path in (ROOT / "blender_addon" / "link").rglob("*.py"):
        assert not [n for n in imports(path) if n.split(".")[0] in ("bpy", "mathutils")], path.name


def below(path: Path) -> Iterator[Path]:
    """The add-on's files that one imports, wherever in the file; what only a type checker reads does not count."""
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            yield from {found for alias in node.names if (found := file_of(place / alias.name) or file_of(place))}


def file_of(module: Path) -> Path | None:
    return next((f for f in (module.with_suffix(".py"), module / "__init__.py") if f.is_file()), None)


def running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from running(node)


def test_the_add_on_imports_in_no_circle() -> None:
    files = sorted((ROOT / "blender_addon").rglob("*.py"))
    graph = {file: set(below(file)) for file in files}
    assert sum(map(len, graph.values())) > len(files), "imports were not found"
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("import in a circle: " + " <- ".join(str(f.relative_to(ROOT)) for f in error.args[1]))


def test_every_room_is_small() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for folder in ("backend", "blender_addon", "tests", "benchmarks")
        for p in (ROOT / folder).rglob("*.py")
        if (n := len(p.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not long, f"split these files: {long}"
