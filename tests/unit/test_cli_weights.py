"""The commands `methods` and `weights`, as a user types them."""

from pathlib import Path

import numpy as np
import pytest
import test_readers_tensorflow as made

from likeness import cli


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LIKENESS_OFFLINE", raising=False)
    return tmp_path / "home"


@pytest.fixture
def ringnet(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    made.write(folder, [(b"w", made.variable((2, 3), made.W.tobytes(), 0))], [made.W.tobytes()], "ring_6_68641")
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_life_in_the_store(ringnet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights", "install", "ringnet", "--from", str(ringnet)]) == 0
    said(capsys)
    assert cli.main(["weights", "list"]) == 0
    lines = said(capsys)[0].splitlines()
    assert [line.split()[1] for line in lines[:-1] if line.startswith("*")] == ["ringnet"]
    assert cli.main(["weights", "info", "ringnet"]) == 0
    out = said(capsys)[0]
    assert "status   installed" in out
    assert "1 tensors" in out
    assert "source   ring_6_68641.index sha256 " in out
    assert "https://ringnet.is.tue.mpg.de/download.php" in out
    assert cli.main(["weights", "verify"]) == 0
    assert said(capsys)[0] == "ringnet: as installed\n"
    assert cli.main(["weights", "remove", "ringnet"]) == 0
    assert said(capsys)[0] == "ringnet: removed\n"
    assert cli.main(["weights", "remove", "ringnet"]) == 0
    assert said(capsys)[0] == "ringnet: was not installed\n"
    assert cli.main(["weights", "verify"]) == 0


def test_damage_ends_with_an_error(ringnet: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["weights", "install", "ringnet", "--from", str(ringnet)])
    path = home / "weights" / "ringnet.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert cli.main(["weights", "verify", "ringnet"]) == 2
    assert "model/w is not as it was installed; install it again (1 in all)" in said(capsys)[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["install", "ringnet"], "sign up at ringnet.is.tue.mpg.de"),
        (["install", "deca"], "likeness weights install deca --accept-licence"),
        (["install", "flame"], "choose one of: landmarks"),
        (["install", "deca", "--from", "missing.tar"], "missing.tar does not exist"),
        (["install", "3ddfa_v2", "--offline"], "switched off"),
        (["install", "landmarks", "--offline"], "the network is switched off"),
        (["install", "anny", "--from", "https://example.org/anny.zip"], "not installed from an address"),
        (["info", "flame"], "choose one of: landmarks"),
        (["verify", "deca"], "is not installed"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_OFFLINE", "0")
    assert cli.main(["weights", *arguments]) == 2
    out, err = said(capsys)
    assert words in err
    assert len([line for line in err.splitlines() if line.startswith("likeness: ")]) == 1
    assert err.splitlines()[-1].startswith("likeness: ")
    assert out == ""


def test_methods_tell_their_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["methods"]) == 0
    out = said(capsys)[0]
    assert out.startswith("open: Open head (2026), from many photos\n    status   ready\n")
    assert np.all(["\n    licence  " in part for part in out.split("\n    status")[1:]])
