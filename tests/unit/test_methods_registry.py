"""Methods say whether they are ready, and what they need with its licence and the way to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from likeness.methods import registry
from likeness.methods.base import Licences, Method
from likeness.weights import store


class Needy:
    """Stands in for a method over files that must be installed."""

    name, title, paper, year, inputs = "needy", "Needy", "none", 2026, "one photo"
    licences = Licences("MIT", "CC-BY-NC-SA-4.0", "CC-BY-4.0")
    needs = ("landmarks", "deca", "flame-2020 or flame-2023-open")


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Method]:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    return Needy  # type: ignore[return-value]


def put(name: str) -> None:
    store.path(name).parent.mkdir(parents=True, exist_ok=True)
    store.path(name).write_bytes(b"")


def test_what_is_missing_is_named(method: type[Method], monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.missing(method) == ["deca", "flame-2020"]
    assert registry.status(method).startswith("needs deca and flame-2020; likeness weights info NAME tells")
    monkeypatch.setattr(registry, "list_methods", lambda: [method])
    deca, flame = registry.describe()[0]["wanted"]
    assert deca["licence"] == "non-commercial research (Max Planck, DECA)"
    assert deca["url"] == "https://github.com/yfeng95/DECA"
    assert deca["install"] == "likeness weights install deca"
    assert "sign up at flame.is.tue.mpg.de" in flame["how"]
    assert flame["install"] == "likeness weights install flame-2020 --from PATH"


def test_one_of_several_will_do(method: type[Method]) -> None:
    put("deca")
    put("flame-2023-open")
    assert registry.missing(method) == []
    assert registry.status(method) == "ready"


def test_described_as_the_contract_has_it(method: type[Method], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "list_methods", lambda: [method])
    (said,) = registry.describe()
    assert (said["ready"], said["needs"], said["strictest"]) == (False, ["deca", "flame-2020"], "CC-BY-NC-SA-4.0")
    assert said["licences"] == {"code": "MIT", "weights": "CC-BY-NC-SA-4.0", "model": "CC-BY-4.0"}
    assert said["status"] == registry.status(method)


def test_the_order_is_that_of_the_list_whoever_was_imported_first() -> None:
    code = (
        "import likeness.methods.ringnet\n"
        "from likeness.methods import registry\n"
        "print([m.name for m in registry.list_methods()][:3])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['open', 'deca', 'ringnet']"


def test_the_open_method_is_always_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    said = {m["name"]: m for m in registry.describe()}
    assert said["open"]["ready"]
    assert said["open"]["status"] == "ready"
