"""Installing: from files, folders, archives and servers; whole or not at all; what comes out is what went in."""

import errno
import hashlib
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_weights import FILES, left, listed, made, npy, packed, right

from likeness.errors import WeightsError
from likeness.progress import Cancelled
from likeness.weights import catalog, gather, store
from likeness.weights import download as download_module
from likeness.weights.catalog import Entry, SourceFile


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("LIKENESS_HOME", str(folder))
    monkeypatch.setattr(download_module, "WAIT", 0.01)
    return folder


@pytest.fixture
def tables(home: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    entry = made()
    listed(monkeypatch, entry)
    return entry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "mine" / "FLAME 2020"
    place.mkdir(parents=True)
    for name, data in FILES.items():
        (place / name).write_bytes(data)
    return place


def test_from_a_folder(tables: Entry, folder: Path, home: Path) -> None:
    said: list[str] = []
    path = store.install(
        "tables", folder.parent, lambda stage, _, message: said.append(message) if stage == "note" else None
    )
    right()
    assert path == home / "weights" / "tables.safetensors"
    assert left(home) == ["tables.lock", "tables.safetensors"]
    assert said == ["Landmark tables: without extra.txt (for the extra)"]
    weights = store.open_weights("tables")
    assert weights.sources == {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    assert (weights.edition, weights.manifest["conversion"]) == ("2020", 1)
    assert weights.manifest["licences"]["model"] == "non-commercial research"


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_from_an_archive(tables: Entry, tmp_path: Path, home: Path, kind: str) -> None:
    store.install("tables", packed(tmp_path, kind))
    right()
    assert left(home) == ["tables.lock", "tables.safetensors"]


def test_from_one_file_whose_companions_lie_beside(tables: Entry, folder: Path) -> None:
    store.install("tables", folder / "static.pkl")
    right()


def test_other_names_and_cases(tables: Entry, folder: Path) -> None:
    (folder / "dynamic.npy").rename(folder / "Moving_2.NPY")
    store.install("tables", folder)
    right()


def test_the_users_files_stay_as_they_are(tables: Entry, folder: Path) -> None:
    store.install("tables", folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == FILES


def test_a_single_file_may_have_any_name(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, made(files=(SourceFile("model", "generic_model.pkl", "pickle"),)))
    mine = tmp_path / "flame2020_mine.pickle"
    mine.write_bytes(FILES["static.pkl"])
    store.install("tables", mine)
    assert store.open_weights("tables").names() == ["model/bary", "model/idx"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"static.pkl": None}, r"static\.pkl could not be found; to install Landmark tables: sign up"),
        ({"static.pkl": None, "dynamic.npy": None}, r"static\.pkl, dynamic\.npy could not be found"),
        ({"dynamic.npy": npy(np.ones((3, 2)))}, r"dynamic\.npy: its array is 3 x 2 where 2 x 3 is expected"),
        ({"static.pkl": pickle.dumps({"idx": np.arange(4)})}, r"static\.pkl lacks bary"),
        ({"static.pkl": pickle.dumps({"x": "text"})}, r"static\.pkl holds none of the tensors"),
        ({"static.pkl": b"cos\nsystem\n(S'true'\ntR."}, r"static\.pkl was refused: .*os\.system"),
        ({"dynamic.npy": b""}, r"dynamic\.npy is damaged"),
        (
            {"copy/static.pkl": FILES["static.pkl"], "copy2/static.pkl": b"", "static.pkl": None},
            r"holds .* and .*static",
        ),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_left(
    tables: Entry, folder: Path, home: Path, change: dict[str, bytes | None], says: str
) -> None:
    for name, data in change.items():
        (folder / name).parent.mkdir(exist_ok=True)
        if data is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(data)
    with pytest.raises(WeightsError, match=says) as caught:
        store.install("tables", folder)
    assert "\n" not in str(caught.value)
    assert left(home) == ["tables.lock"]
    assert not store.installed("tables")


def test_sources_that_are_none(tables: Entry, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist; to install Landmark tables: sign up"):
        store.install("tables", tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(WeightsError, match=r"notes\.txt is none of static\.pkl, dynamic\.npy"):
        store.install("tables", tmp_path / "notes.txt")
    with pytest.raises(WeightsError, match="cannot be fetched by a program: sign up at"):
        store.install("tables")
    with pytest.raises(WeightsError, match='no weights called "flam"; choose one of: tables'):
        store.install("flam")


def test_an_archive_cannot_reach_out_or_swell(tables: Entry, tmp_path: Path, home: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../../static.pkl", FILES["static.pkl"])
        archive.writestr("/abs/dynamic.npy", FILES["dynamic.npy"])
        archive.writestr("moving:stream.npy", b"a name that is a place on some systems")
    store.install("tables", path)
    right()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.zip", "home"]

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("static.pkl", bytes(1 << 26))
        archive.writestr("dynamic.npy", FILES["dynamic.npy"])
    data = bytearray(path.read_bytes())
    for at in (22, data.index(b"PK\x01\x02") + 24):  # says that it is small
        data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    before = left(home)
    with pytest.raises(WeightsError, match=r"static\.pkl is damaged"):
        store.install("tables", path)
    assert left(home) == before

    link = tmp_path / "link.tar"
    with tarfile.open(link, "w") as tar:
        info = tarfile.TarInfo("static.pkl")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(WeightsError, match=r"static\.pkl, dynamic\.npy could not be found|is none of"):
        store.install("tables", link)


def test_a_bomb_is_not_unpacked(tables: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather.unpack, "MOST_RATIO", 10)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("static.pkl", bytes(1 << 24))
        archive.writestr("dynamic.npy", b"x")
    with pytest.raises(WeightsError, match="would unpack to 16777216 bytes"):
        store.install("tables", path)


def test_a_known_file_that_differs_is_noted(home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = FILES["dynamic.npy"]
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    for git, sha256, note in [(blob, "", False), ("0" * 40, "", True), ("", "0" * 64, True)]:
        file = SourceFile("dynamic", "dynamic.npy", "npy", sha256=sha256, git=git)
        listed(monkeypatch, made(files=(file,)))
        store.install("tables", folder)
        notes = store.open_weights("tables").manifest["notes"]
        assert bool(notes) == note
        assert not note or "another file than the published dynamic.npy" in notes[0]


def test_remove_verify_and_describe(tables: Entry, folder: Path, home: Path) -> None:
    assert store.remove("tables") is False
    with pytest.raises(WeightsError, match=r"Landmark tables is not installed \(non-commercial research\): sign up"):
        store.open_weights("tables")
    store.install("tables", folder)
    (said,) = store.describe()
    assert (said["name"], said["installed"], said["licence"]) == ("tables", True, "non-commercial research")
    assert said["files"][0] == {"name": "static.pkl", "size": None, "optional": False, "url": ""}
    path = store.path("tables")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (wrong,) = store.verify("tables")
    assert wrong.endswith(" is not as it was installed")
    path.write_bytes(data[:50])
    with pytest.raises(WeightsError, match=r"is damaged .*; run likeness weights install tables again"):
        store.verify("tables")
    assert store.remove("tables") is True
    assert left(home) == ["tables.lock"]
    assert store.describe()[0]["installed"] is False


def test_a_missing_tensor_is_named(tables: Entry, folder: Path) -> None:
    store.install("tables", folder)
    with pytest.raises(WeightsError, match="as installed lacks extra; install it again"):
        store.open_weights("tables").tensor("extra")


def test_a_newer_manifest_is_told(tables: Entry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FORMAT", 9)
    store.install("tables", folder)
    monkeypatch.setattr(store, "FORMAT", 1)
    with pytest.raises(WeightsError, match="installed by a newer version"):
        store.open_weights("tables")


@pytest.mark.parametrize("stop", [Cancelled(), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_an_interrupted_install_keeps_the_old_one(
    tables: Entry, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    store.install("tables", folder)

    def stopped(*_: Any) -> None:
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(store, "save_file", stopped)
        with pytest.raises(WeightsError if isinstance(stop, OSError) else type(stop)) as caught:
            store.install("tables", folder)
    if isinstance(stop, OSError):
        assert "No space left on device" in str(caught.value)
        assert "LIKENESS_HOME" in str(caught.value)
    assert left(home) == ["tables.lock", "tables.safetensors"]
    right()


def test_a_folder_that_cannot_be_made(
    tables: Entry, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(WeightsError, match=r"cannot be stored .* set LIKENESS_HOME to a folder you can write"):
        store.install("tables", folder)


INSTALL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import made_weights as made
from likeness.weights import catalog, store
entry = made.made()
catalog.load = lambda: {"tables": entry}
convert = store._convert
def logged(*a):
    with Path(sys.argv[3]).open("a") as log: log.write("in\\n")
    convert(*a)
    with Path(sys.argv[3]).open("a") as log: log.write("out\\n")
store._convert = logged
for _ in range(3):
    store.install("tables", Path(sys.argv[2]))
    store.open_weights("tables").tensor("dynamic")
"""


def test_two_processes_at_once(tables: Entry, folder: Path, home: Path, tmp_path: Path) -> None:
    here = Path(__file__).parent
    env = os.environ | {"PYTHONPATH": str(here.parent)}
    command = [sys.executable, "-c", INSTALL, str(here), str(folder), str(tmp_path / "log")]
    both = [subprocess.Popen(command, env=env) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "in\nout\n" * 6  # never two at a time
    right()


def test_what_a_killed_process_left_is_cleared_away(tables: Entry, folder: Path, home: Path) -> None:
    half = home / "weights" / ".tables.abc"
    half.mkdir(parents=True)
    (half / "half").write_bytes(b"half")
    store.install("tables", folder)
    assert left(home) == ["tables.lock", "tables.safetensors"]


def test_another_edition_of_the_same_name_is_told(home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FLAME's editions are all called generic_model.pkl."""
    sha256 = hashlib.sha256(FILES["static.pkl"]).hexdigest()
    file = SourceFile("model", "static.pkl", "pickle")
    old = made(name="model-2017", title="The model (2017)", kind="head model", files=(file,))
    new = made(name="model-2020", title="The model (2020)", kind="head model", files=(replace(file, sha256=sha256),))
    monkeypatch.setattr(catalog, "load", lambda: {entry.name: entry for entry in (old, new)})
    with pytest.raises(
        WeightsError, match=r"is The model \(2020\); install it with likeness weights install model-2020"
    ):
        store.install("model-2017", folder)
    store.install("model-2020", folder)
    assert store.open_weights("model-2020").manifest["notes"] == []
