"""`likeness compare`: what lacks weights is named and skipped; heads that were made are measured in Blender."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import made_avatar
import numpy as np
import pytest

from likeness import package, pipeline
from likeness.avatar import Avatar
from likeness.cli import main
from likeness.compare import Entry, compare, compare_in_blender, ready_methods
from likeness.errors import HeadError, MethodError
from likeness.methods.base import Settings
from likeness.progress import quiet


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A LIKENESS_HOME in which nothing is installed."""
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    return tmp_path


def test_what_needs_nothing_is_ready(home: Path) -> None:
    ready = ready_methods()
    assert "open" in ready
    assert "deca" not in ready


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--methods", "open,nothing"], "There is no method 'nothing'"),
        (["--methods", "deca,ringnet"], "nothing to compare"),
        (["--methods", "open,deca", "--reference", "vrn"], "not among the methods"),
    ],
)
def test_what_cannot_be_compared_is_told(
    home: Path, astronaut: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["compare", str(astronaut), "-o", str(home / "out"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (home / "out").exists()
    assert not list(home.glob(".out*"))


def test_nothing_is_overwritten(home: Path, astronaut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "out").mkdir()
    assert main(["compare", str(astronaut), "-o", str(home / "out")]) == 2
    assert "exists already" in capsys.readouterr().err


def swollen(avatar: Avatar) -> Avatar:
    """The same head, whose face stands out by up to 3 mm."""
    front = np.argmax(avatar.vertices[:, 2])
    away = np.linalg.norm(avatar.vertices - avatar.vertices[front], axis=1)
    vertices = avatar.vertices.copy()
    vertices[:, 2] += 0.003 * np.exp(-(away**2) / (2 * 0.015**2))
    return replace(avatar, name="swollen", vertices=vertices)


def test_methods_are_run_measured_and_shown(home: Path, astronaut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The methods' heads stand in; skipping, packages, the Blender process and the numbers are the real ones."""
    made = made_avatar.make()
    names: list[str] = []

    def reconstruct(_: object, method: str, settings: Settings, *, name: str, **__: object) -> Avatar:
        names.append(name)
        if method == "vrn":
            raise HeadError("What the method made does not lie on the face in the photo; try another photo.")
        return replace(swollen(made) if method == "genova" else made, name=f"a_{method}")

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    monkeypatch.setattr("likeness.compare.missing", lambda method: ["flame-2020"] if method.name == "deca" else [])
    heard: list[str] = []
    out = home / "out"
    wanted = ["open", "genova", "vrn", "deca"]
    told = compare(
        [astronaut],
        out,
        wanted,
        reference="open",
        samples=1,
        progress=lambda stage, _, text: heard.append(stage + text),
    )
    assert names == ["astronaut open", "astronaut genova", "astronaut vrn"]
    assert sorted(path.name for path in out.iterdir()) == [
        "compare.blend", "compare.json", "compare.png", "genova.likeness", "open.likeness",
    ]  # fmt: skip
    assert json.loads((out / "compare.json").read_text()) == told
    assert {s["method"] for s in told["skipped"]} == {"deca", "vrn"}
    assert any("deca is left out" in text for text in heard)
    first, second = told["heads"]
    assert (told["reference"], first["method"], second["method"]) == ("open", "open", "genova")
    assert "median_mm" not in first
    assert 0.01 < second["mean_mm"] < 1.5
    assert second["p90_mm"] > second["median_mm"]
    assert second["scale"] == pytest.approx(1, abs=0.02)
    assert (out / "compare.png").stat().st_size > 10_000


def test_a_head_alone_is_no_comparison(tmp_path: Path) -> None:
    path = package.save(made_avatar.make(), tmp_path / "a.likeness")
    with pytest.raises(MethodError, match="nothing to compare"):
        compare_in_blender([Entry("open", "open", path)], 0, tmp_path, progress=quiet)
