"""A small entry of the weights catalogue, files that fit it, and what must come out of the store."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likeness.weights import catalog, store
from likeness.weights.catalog import Entry, Licence, SourceFile

STATIC = {"idx": np.arange(4, dtype=np.uint32), "bary": np.ones((4, 3))}
DYNAMIC = np.arange(6.0).reshape(2, 3)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


FILES = {"static.pkl": pickle.dumps(STATIC, 2), "dynamic.npy": npy(DYNAMIC)}


def made(**changes: Any) -> Entry:
    files = (
        SourceFile("static", "static.pkl", "pickle", expect={"idx": (4,), "bary": (-1, 3)}),
        SourceFile("dynamic", "dynamic.npy", "npy", also=("moving*.npy",), expect={"": (2, 3)}),
        SourceFile("extra", "extra.txt", "text", optional=True, note="for the extra"),
    )
    fields: dict[str, Any] = {
        "name": "tables",
        "title": "Landmark tables",
        "kind": "data",
        "edition": "2020",
        "used_by": ("flame",),
        "licence": Licence(code="MIT", model="non-commercial research"),
        "url": "https://example.org/tables",
        "archive": "",
        "obtain": "sign-up",
        "how": "sign up at example.org and give the zip with --from",
        "check": "",
        "marks": (),
        "leftovers": (),
        "files": files,
    }
    return Entry(**{**fields, **changes})


def listed(monkeypatch: pytest.MonkeyPatch, entry: Entry) -> None:
    monkeypatch.setattr(catalog, "load", lambda: {entry.name: entry})


def left(home: Path) -> list[str]:
    return sorted(str(p.relative_to(home / "weights")) for p in (home / "weights").rglob("*") if p.is_file())


def right() -> None:
    weights = store.open_weights("tables")
    assert weights.names() == ["dynamic", "static/bary", "static/idx"]
    np.testing.assert_array_equal(weights.tensor("dynamic"), DYNAMIC)
    np.testing.assert_array_equal(weights.tensors("static/")["idx"], STATIC["idx"])
    assert weights.tensors("static/").keys() == {"idx", "bary"}
    assert store.verify("tables") == []


def packed(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"FLAME2020.{kind}"
    members = {f"FLAME2020/{name}": data for name, data in FILES.items()} | {"FLAME2020/Readme.pdf": b"hello"}
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if kind == "tgz" else "w") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path
