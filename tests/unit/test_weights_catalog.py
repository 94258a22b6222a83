"""The catalogue says of every entry whose it is, where it is had and how it is read."""

import re

import pytest

from likeness.errors import WeightsError
from likeness.methods import registry
from likeness.weights import catalog, convert, store

ENTRIES = list(catalog.load().values())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_an_entry_is_whole(entry: catalog.Entry) -> None:
    assert re.fullmatch(r"[0-9a-z][0-9a-z_-]*", entry.name)
    assert entry.title
    assert entry.how
    assert entry.check
    assert entry.kind in ("head model", "weights", "data")
    assert entry.obtain in ("download", "sign-up", "package")
    assert entry.url.startswith(("https://", "http://"))
    assert entry.licence.parts(), "a licence is required"
    assert bool(entry.files) != bool(entry.marks)
    for text in (entry.how, entry.check):
        assert "\n" not in text
        assert not text.endswith(".")
    ids = [file.id for file in entry.files]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.files], ids=lambda e: e.name)
def test_its_files_can_be_read_and_checked(entry: catalog.Entry) -> None:
    for file in entry.files:
        assert file.format in {*convert.FORMATS, "beside"}
        assert not file.sha256 or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert not file.git or re.fullmatch("[0-9a-f]{40}", file.git)
        assert file.url == "" or file.url.startswith(("https://", "http://"))
        if file.url.startswith("https://raw.githubusercontent.com/"):
            assert re.search("/[0-9a-f]{40}/", file.url), "an address in a repository names its commit"
            assert file.sha256 or file.git, "what is fetched from a repository is pinned"
        if file.url.startswith("http://"):
            assert file.sha256, "what comes over an open line is pinned"
    if entry.obtain == "sign-up":
        assert not entry.archive
        assert not all(file.url for file in entry.files)
    elif entry.obtain == "download" and not entry.archive:
        assert all(file.url or file.any_of or file.optional for file in entry.files)


def test_terms_that_are_not_free_want_consent() -> None:
    consent = {e.name: e.consent for e in ENTRIES}
    assert consent["deca"]
    assert consent["bfm-2009"]
    assert consent["vrn"]
    assert consent["3ddfa-bfm"]
    assert not consent["dlib-face"]
    assert not consent["ict-facekit"]


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(WeightsError, match='There are no weights called "flame"; choose one of: landmarks, anny'):
        catalog.entry("flame")


def test_methods_name_entries_that_exist() -> None:
    for method in registry.list_methods():
        for need in method.needs:
            for name in need.split(" or "):
                assert name in catalog.load(), f"{method.name} needs {name}"


def test_everything_is_described(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    said = store.describe()
    assert [s["name"] for s in said] == [e.name for e in ENTRIES]
    assert not any(s["installed"] for s in said)
    for key in ("name", "title", "installed", "licence", "url", "files"):
        assert all(key in s for s in said)
