"""Installing from the authors' own addresses: with consent, checked, and continued."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_weights import FILES, left, listed, made, packed, right
from served import Served, serving

from likeness.errors import WeightsError
from likeness.weights import download as download_module
from likeness.weights import store
from likeness.weights.catalog import Entry, Licence, SourceFile


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("LIKENESS_HOME", str(folder))
    monkeypatch.setattr(download_module, "WAIT", 0.01)
    return folder


@pytest.fixture
def web(home: Path) -> Iterator[Served]:
    with serving() as served:
        served.files |= {f"/{name}": data for name, data in FILES.items()}
        yield served


def hosted(web: Served, **changes: Any) -> Entry:
    files = tuple(
        SourceFile(
            name.split(".")[0],
            name,
            "pickle" if name.endswith("pkl") else "npy",
            url=f"{web.url}/{name}",
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
        )
        for name, data in FILES.items()
    )
    return made(files=files, obtain="download", **changes)


def test_fetched_with_consent(web: Served, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, hosted(web))
    with pytest.raises(
        WeightsError, match=r"non-commercial research\. Read them at .* install tables --accept-licence"
    ):
        store.install("tables")
    assert web.asked == []
    store.install("tables", accept_licence=True)
    right()
    assert left(home) == ["tables.lock", "tables.safetensors"]


def test_free_ones_need_no_consent(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, hosted(web, licence=Licence(code="MIT", weights="Apache-2.0")))
    store.install("tables")
    right()


def test_a_file_of_another_content_is_thrown_away(web: Served, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, hosted(web))
    web.files["/dynamic.npy"] = FILES["dynamic.npy"][:-1] + b"\1"
    with pytest.raises(WeightsError, match=r"dynamic\.npy is not the file this version was made for .* thrown away"):
        store.install("tables", accept_licence=True)
    assert not store.installed("tables")
    web.files["/dynamic.npy"] = FILES["dynamic.npy"]
    web.asked.clear()
    store.install("tables", accept_licence=True)
    assert [path for path, _ in web.asked] == ["/dynamic.npy"]  # the other was kept
    right()


def test_an_archive_from_its_authors(web: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/download"] = packed(tmp_path, "zip").read_bytes()
    listed(monkeypatch, made(archive=web.url + "/download"))
    store.install("tables", accept_licence=True)
    right()


def test_from_an_address_of_ones_own(monkeypatch: pytest.MonkeyPatch, web: Served, tmp_path: Path) -> None:
    listed(monkeypatch, made())
    web.files["/flame.zip"] = packed(tmp_path, "zip").read_bytes()
    store.install("tables", web.url + "/flame.zip")
    right()


def test_optional_files_may_be_gone(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = hosted(web)
    extra = SourceFile("extra", "extra.txt", "text", url=web.url + "/extra.txt", optional=True)
    listed(
        monkeypatch,
        made(files=(*entry.files, extra), obtain="download"),
    )
    store.install("tables", accept_licence=True)
    right()
    assert store.open_weights("tables").manifest["notes"] == ["without extra.txt"]


def test_one_of_a_group_is_enough(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tuple(
        SourceFile(name, f"{name}.npy", "npy", url=f"{web.url}/{name}.npy", any_of="size")
        for name in ("small", "dynamic")
    )
    web.files["/small.npy"] = FILES["dynamic.npy"]
    listed(monkeypatch, made(files=files, licence=Licence(weights="MIT")))
    store.install("tables")
    assert store.open_weights("tables").names() == ["small"]


def test_offline_means_offline(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, hosted(web))
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    with pytest.raises(WeightsError, match="which is switched off"):
        store.install("tables", accept_licence=True)
    assert web.asked == []


def test_a_checkpoints_files_come_together(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Index and data of a TensorFlow checkpoint lie in two folders, as a clone and a download do."""
    from test_readers_tensorflow import W, variable, write

    (tmp_path / "clone").mkdir()
    (tmp_path / "downloads").mkdir()
    write(tmp_path / "clone", [(b"w", variable((2, 3), W.tobytes(), 0))], [W.tobytes()])
    data = "model.data-00000-of-00001"
    (tmp_path / "clone" / data).rename(tmp_path / "downloads" / data)
    files = (SourceFile("model", "model.index", "tf-checkpoint"), SourceFile("data", data, "beside"))
    listed(monkeypatch, made(files=files))
    store.install("tables", tmp_path)
    np.testing.assert_array_equal(store.open_weights("tables").tensor("model/w"), W)
    assert len(store.open_weights("tables").sources) == 2
