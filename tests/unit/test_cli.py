"""The command line: one clear sentence and exit code 2 for whatever a user can mend, and nothing half-written."""

import errno
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import made_avatar
import numpy as np
import pytest
from drawn_face import drawn_face
from PIL import Image

from likeness import cli, console, package, photos, pipeline
from likeness.package import write
from likeness.progress import Progress

STARTING = ["Reading the photos", "Starting PyTorch"]


@dataclass
class Said:
    code: int
    lines: list[str]

    @property
    def error(self) -> str:
        """The last line, which must be the only one that is no progress."""
        assert [line for line in self.lines if line.startswith("likeness:")] == self.lines[-1:]
        return self.lines[-1]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*arguments: object) -> Said:
        capfd.readouterr()
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        return Said(code, capfd.readouterr().err.splitlines())

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reconstruction that takes no time."""

    def reconstruct(*_: Any, progress: Progress, **__: Any) -> Any:
        progress("fit", 0.5, "Fitting")
        return made_avatar.make()

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    monkeypatch.setattr(photos, "load_photos", lambda paths: paths)


def jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


BAD_PHOTOS = {
    "letter.jpg": (b"Dear diary", "is not a picture"),
    "cut.jpg": (jpeg(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8))[:9000], "cut short"),
    "pixel.jpg": (jpeg(np.zeros((1, 1, 3), np.uint8)), "has only 1 x 1 pixels"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "pip install pillow-heif"),
    "wall.jpg": (jpeg(np.full((200, 300, 3), 130, np.uint8)), "No face was found in wall.jpg"),
    "cartoon.jpg": (jpeg(drawn_face(512)), "seems to be drawn"),
    "missing.jpg": (None, "There is no photo at"),
}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_bad_photos(run: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    content, says = BAD_PHOTOS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = run("reconstruct", tmp_path / name, "-o", tmp_path / "out" / "a.likeness")
    assert said.code == 2
    assert says in said.error
    assert not (tmp_path / "out").exists()


def test_a_folder_as_photo(run: Callable[..., Said], tmp_path: Path) -> None:
    said = run("reconstruct", tmp_path, "-o", tmp_path / "a.likeness")
    assert (said.code, said.error) == (2, f"likeness: {tmp_path} is a folder; give a photo.")


def test_one_bad_photo_of_several_is_named(run: Callable[..., Said], tmp_path: Path, astronaut: Path) -> None:
    (tmp_path / "second.png").write_bytes(b"")
    said = run("reconstruct", astronaut, tmp_path / "second.png", "-o", tmp_path / "a.likeness")
    assert (said.code, said.error) == (2, "likeness: second.png is empty; copy the photo again.")


def test_a_face_that_is_not_there(run: Callable[..., Said], tmp_path: Path, astronaut: Path) -> None:
    said = run("reconstruct", astronaut, "--face", 1, "-o", tmp_path / "a.likeness")
    assert said.code == 2
    assert "astronaut.png shows one face" in said.error


def test_notes_on_a_photo_are_told(run: Callable[..., Said], tmp_path: Path) -> None:
    frames = [Image.new("RGB", (200, 200), c) for c in ("red", "green")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    said = run("reconstruct", tmp_path / "a.gif", "-o", tmp_path / "a.likeness")
    assert any(line.endswith("note  a.gif: only the first of its 2 frames is used") for line in said.lines)


def test_names_with_brackets_and_line_breaks_stay_one_plain_line(run: Callable[..., Said], tmp_path: Path) -> None:
    said = run("reconstruct", tmp_path / "[bold]a[/nothing]\nb.jpg", "-o", tmp_path / "a.likeness")
    assert said.code == 2
    assert "[bold]a[/nothing] b.jpg" in said.error


def test_unknown_method_and_head(run: Callable[..., Said], tmp_path: Path, astronaut: Path) -> None:
    said = run("reconstruct", astronaut, "-o", tmp_path / "a.likeness", "--method", "magic")
    assert (said.code, "There is no method 'magic'; choose one of: open" in said.error) == (2, True)
    said = run("reconstruct", astronaut, "-o", tmp_path / "a.likeness", "--head", "pumpkin")
    assert (said.code, 'There is no head "pumpkin"' in said.error) == (2, True)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--texture-size", "100", "100 is no number from 256 to 4096"),
        ("--texture-size", "big", "'big' is no whole number"),
        ("--face", "-1", "-1 is no number of at least 0"),
        ("--samples", "0", "0 is no number from 1"),
    ],
)
def test_numbers_out_of_range(run: Callable[..., Said], tmp_path: Path, option: str, value: str, says: str) -> None:
    said = run("reconstruct", "a.jpg", "-o", tmp_path / "a.likeness", f"{option}={value}")
    assert said.code == 2
    assert says in said.lines[-1]


def test_outputs_are_looked_at_before_the_work(
    run: Callable[..., Said], quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.blend").write_text("old")
    a = tmp_path / "a.likeness"
    for outputs, says in {
        (
            "-o",
            a,
            "--blend",
            tmp_path / "old.blend",
        ): "old.blend exists already; choose another name or add --overwrite",
        ("-o", tmp_path / "old.blend" / "a.likeness"): "is not a folder",
        ("-o", a, "--render", tmp_path / "p.png", "--compare", tmp_path / "p.png"): "Two outputs have the same path",
    }.items():
        said = run("reconstruct", "a.jpg", *outputs)
        assert (said.code, says in said.error) == (2, True)
        assert len(said.lines) == 1  # no work was begun
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)  # root may write everywhere
        said = run("reconstruct", "a.jpg", "-o", a)
    assert (said.code, f"you may not write to {tmp_path}" in said.error) == (2, True)
    assert [p.name for p in tmp_path.iterdir()] == ["old.blend"]


def test_a_package_is_written_and_only_replaced_when_asked(
    run: Callable[..., Said], quick: None, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "a.likeness"
    said = run("reconstruct", "a.jpg", "-o", out)
    assert said.code == 0
    assert [line.split("  ")[-1] for line in said.lines] == [*STARTING, "Fitting", f"Writing {out}", f"Wrote {out}"]
    assert package.load(out).name == "Egg"
    assert "exists already" in run("reconstruct", "a.jpg", "-o", out).error
    assert run("reconstruct", "a.jpg", "-o", out, "--overwrite").code == 0
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.likeness"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("name", ["a.likeness", "a.likeness.zip"])
def test_a_disk_that_fills_half_way(
    run: Callable[..., Said], quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    assert run("reconstruct", "a.jpg", "-o", tmp_path / name).code == 0
    before = package.load(tmp_path / name).views
    encode, left = write._encode, [3]

    def full(*arguments: Any) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(number, os.strerror(number))
        return encode(*arguments)

    monkeypatch.setattr(write, "_encode", full)
    said = run("reconstruct", "a.jpg", "-o", tmp_path / name, "--overwrite")
    assert said.code == 2
    assert os.strerror(number) in said.error
    assert "choose another folder" in said.error
    assert len(package.load(tmp_path / name).views) == len(before)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_full_disk_beneath_the_libraries(
    run: Callable[..., Said], quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")

    monkeypatch.setattr(package, "save", full)
    said = run("reconstruct", "a.jpg", "-o", tmp_path / "a.likeness")
    assert (said.code, said.error.startswith("likeness: No space left on device (/somewhere): free")) == (2, True)


def test_memory_that_runs_out_and_a_bug(
    run: Callable[..., Said], quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(error: BaseException) -> Callable[..., None]:
        def fail(*_: Any) -> None:
            raise error

        return fail

    monkeypatch.setattr(package, "save", raising(MemoryError()))
    assert "not enough memory" in run("reconstruct", "a.jpg", "-o", tmp_path / "a.likeness").error
    monkeypatch.setattr(package, "save", raising(KeyboardInterrupt()))
    said = run("reconstruct", "a.jpg", "-o", tmp_path / "a.likeness")
    assert (said.code, "Interrupted" in said.error) == (130, True)
    monkeypatch.setattr(package, "save", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):  # a bug of ours shows its traceback
        run("reconstruct", "a.jpg", "-o", tmp_path / "a.likeness")


def test_blend_of_what_is_no_package(run: Callable[..., Said], tmp_path: Path) -> None:
    said = run("blend", tmp_path / "none.likeness", "-o", tmp_path / "a.blend")
    assert (said.code, list(tmp_path.iterdir())) == (2, [])
    assert "none.likeness" in said.error


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["methods"]) == 0
    out = capsys.readouterr().out
    assert "open: " in out
    assert "    licence  Apache-2.0" in out
    assert cli.main(["heads"]) == 0
    assert re.search(
        r"^anny: Anny head\n    licence  .*CC0-1.0.*\n    status   ready", capsys.readouterr().out, re.MULTILINE
    )


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.reporter() as progress:
        progress("faces", 0.0, "Looking for [the] face")
        progress("note", 0.0, "a.gif: only the first of its 3 frames is used")
        progress("faces", 1.0, "Found [/it]")
        progress("fit", 0.5, "Fitting")
    console.fail("two\nlines")
    drawn = terminal.getvalue()
    for text in ("Found [/it]", "a.gif: only the first", "Fitting", "\x1b[31mlikeness:\x1b[0m two lines\n"):
        assert text in drawn


def test_starting_loads_nothing_heavy() -> None:
    code = (
        "import sys, likeness, likeness.cli; likeness.cli._parser(); "
        "print(*sorted({'torch', 'numpy', 'cv2', 'scipy', 'PIL', 'rich', 'warp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_public_names_are_there() -> None:
    import likeness

    assert set(likeness.__all__) == set(likeness._PLACES)
    for name in likeness.__all__:
        assert getattr(likeness, name) is not None
    assert set(likeness.__all__) <= set(dir(likeness))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = likeness.nonsense
