"""`likeness doctor` finds what is wrong and says what to do."""

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from likeness import cli, doctor
from likeness.weights import face_networks


def finding(name: str) -> doctor.Finding:
    (found,) = (f for f in doctor.examine() if f.name == name)
    return found


def test_a_machine_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    face_networks.install()
    states = {f.name: f.state for f in doctor.examine()}
    for name in ("Python", "PyTorch", "storage", "face networks", "head anny", "Blender"):
        assert states[name] == "ok", name
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == len(states)
    assert out[0].startswith(f"  ok  Python         {sys.version.split()[0]}")


def test_storage_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "file" / "home"))
    found = finding("storage")
    assert (found.state, found.advice) == ("bad", "set LIKENESS_HOME to a folder you can write")
    assert cli.main(["doctor"]) == 2
    assert " bad  storage" in capsys.readouterr().out


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=200 << 20))
    assert finding("storage").found.startswith("0.2 GB free")
    assert finding("storage").state == "bad"


def test_networks_that_are_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    assert "likeness weights install landmarks" in finding("face networks").advice
    face_networks.path().write_bytes(b"half a file")
    assert finding("face networks").state == "bad"
    assert "delete it and try again" in finding("face networks").found


def test_a_broken_installation_does_not_stop_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = finding("PyTorch")
    assert (found.state, found.found.startswith("ModuleNotFoundError")) == ("bad", True)
    assert found.advice == "install Likeness anew into a fresh environment"


def test_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert "OMP_NUM_THREADS to 1" in finding("PyTorch").advice


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        os, "sysconf", lambda name: 4096 if name == "SC_PAGE_SIZE" else 2 * 2**30 // 4096, raising=False
    )
    assert finding("memory") == doctor.Finding(
        "note", "memory", "2.0 GB", "use --texture-size 1024 or less, and close other programs"
    )
