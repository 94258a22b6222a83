"""An entry whose files come in a wheel of the package index: as a user without network puts it in place."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from made_weights import FILES, left, listed, made, right

from likeness.errors import WeightsError
from likeness.weights import store
from likeness.weights.catalog import Licence
from likeness.weights.wheel import Wheel


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    path = tmp_path / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("made/__init__.py", "raise SystemExit")
        for name, data in FILES.items():
            archive.writestr(f"made/models/{name}", data)
    pinned = Wheel("made", "1.0", "3.11", "any", path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    listed(monkeypatch, made(wheel=pinned, obtain="package", licence=Licence(weights="CC0-1.0")))
    return path


def test_its_files_come_out_of_the_wheel(wheel: Path) -> None:
    store.install("tables")
    right()
    assert left(wheel.parent) == ["tables.lock", "tables.safetensors"]
    assert wheel.is_file()


def test_what_another_process_installed_meanwhile_is_left_alone(wheel: Path) -> None:
    store.install("tables")
    before = store.stamp(["tables"])
    wheel.unlink()
    store.install("tables", again=False)
    assert store.stamp(["tables"]) == before


def test_another_wheel_is_refused(wheel: Path) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="is not the file this version was made for"):
        store.install("tables")
    assert not store.installed("tables")


def test_without_network_it_says_where_the_wheel_goes(wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(WeightsError, match=r"put made-1\.0-py3-none-any\.whl into LIKENESS_HOME yourself"):
        store.install("tables")


def test_the_wheel_can_be_given(wheel: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "downloads" / wheel.name
    elsewhere.parent.mkdir()
    wheel.rename(elsewhere)
    store.install("tables", elsewhere)
    right()
