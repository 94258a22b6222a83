"""Which heads there are, how they are installed, and what happens when that goes wrong."""

import time
from pathlib import Path

import numpy as np
import pytest

from likeness.errors import HeadError, LikenessError, WeightsError
from likeness.heads import embedding, library
from likeness.heads.base import HeadModel
from likeness.progress import Cancelled, Progress


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("LIKENESS_HOME", str(folder))
    return folder


def opened(monkeypatch: pytest.MonkeyPatch, head: HeadModel) -> list[str]:
    """Stand-ins for the slow steps; returns the list of what gets compiled."""
    made: list[str] = []

    def make(progress: Progress) -> HeadModel:
        made.append(head.name)
        return head

    monkeypatch.setattr(library.anny, "compile_anny", make)
    monkeypatch.setattr(embedding, "embed_landmarks", lambda head, progress: head)
    return made


def test_auto_is_anny_until_ict_is_installed(
    home: Path, monkeypatch: pytest.MonkeyPatch, anny_head: HeadModel, ict_home: Path
) -> None:
    opened(monkeypatch, anny_head)
    assert library.open_head("auto").name == "anny"
    monkeypatch.setenv("LIKENESS_HOME", str(ict_home))
    assert library.open_head("auto").name == "ict"


def test_the_list_says_what_is_ready_and_what_is_needed(
    home: Path, monkeypatch: pytest.MonkeyPatch, anny_head: HeadModel
) -> None:
    opened(monkeypatch, anny_head)
    first, second = library.list_heads()
    assert (first.name, second.name) == ("anny", "ict")
    assert "first use" in first.status
    assert "likeness weights install ict-facekit --from" in second.status
    assert "https://github.com/ICT-VGL/ICT-FaceKit" in second.status
    library.open_head("anny")
    ready = library.list_heads()[0]
    assert (ready.title, ready.licence, ready.status) == (anny_head.title, anny_head.licence, "ready")


def test_installed_ict_is_listed_first(monkeypatch: pytest.MonkeyPatch, ict_home: Path) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(ict_home))
    first = library.list_heads()[0]
    assert (first.name, first.licence, first.status) == ("ict", "MIT", "ready")


def test_loads_in_half_a_second(monkeypatch: pytest.MonkeyPatch, ict_home: Path) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(ict_home))
    start = time.perf_counter()
    head = library.open_head("ict")
    assert head.identity.sum() != 0
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("ict-facekit", None, "download https://github.com/ICT-VGL/ICT-FaceKit"),
        ("ict-facekit", "missing", "does not exist"),
        ("ict-facekit", "folder", "FaceXModel"),
        ("ict-facekit", "text.zip", "not a whole copy"),
        ("ict-facekit", "text.npz", "not a whole copy"),
        ("anny", "folder", "leave --from out"),
        ("landmarks", "folder", "is no file"),
        ("landmarks", "text.whl", "not the file"),
        ("flame", None, "choose one of: landmarks, anny, ict-facekit"),
    ],
)
def test_what_cannot_be_installed_is_told_in_one_sentence(
    home: Path, tmp_path: Path, name: str, source: str | None, words: str
) -> None:
    (tmp_path / "folder").mkdir()
    for file in ("text.zip", "text.npz", "text.whl"):
        (tmp_path / file).write_text("hello")
    with pytest.raises(LikenessError, match=words) as caught:
        library.install(name, tmp_path / source if source else None)
    assert "\n" not in str(caught.value)
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_unknown_and_absent_heads_are_told(home: Path) -> None:
    with pytest.raises(HeadError, match="no head"):
        library.open_head("skull")
    with pytest.raises(HeadError, match="not installed"):
        library.open_head("ict")


def test_an_interrupted_install_leaves_nothing(
    home: Path, ict_facekit: Path, ict_head: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(stage: str, fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        library.install("ict-facekit", ict_facekit, stop)
    assert not home.exists()

    def full(files: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(library.ict, "compile_ict", lambda files, progress: ict_head)
    monkeypatch.setattr(embedding, "embed_landmarks", lambda head, progress: head)
    monkeypatch.setattr(library, "pack_ict", full)
    with pytest.raises(HeadError, match="No space left"):
        library.install("ict-facekit", ict_facekit)
    assert not [path for path in home.rglob("*") if path.is_file()]
    with pytest.raises(HeadError, match="not installed"):
        library.open_head("ict")


def test_a_damaged_compiled_head_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch, anny_head: HeadModel
) -> None:
    made = opened(monkeypatch, anny_head)
    library.open_head("anny")
    library.open_head("anny")
    assert made == ["anny"]
    (compiled,) = (home / "heads").iterdir()
    compiled.write_bytes(compiled.read_bytes()[:1000])
    head = library.open_head("anny")
    assert made == ["anny", "anny"]
    assert np.allclose(head.template, anny_head.template)


def test_a_place_that_cannot_be_written_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, anny_head: HeadModel
) -> None:
    opened(monkeypatch, anny_head)
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file, not a folder")
    with pytest.raises(HeadError, match="LIKENESS_HOME"):
        library.open_head("anny")


def test_a_wrong_wheel_is_not_kept(home: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe.whl"
    wheel.write_bytes(b"PK")
    with pytest.raises(WeightsError):
        library.install("landmarks", wheel)
    assert not home.exists()
