"""`likeness methods` and `likeness weights …`: what there is, under which terms, and how it is put in place."""

from __future__ import annotations

import argparse
import os
from typing import Any

from likeness.console import reporter, say

__all__ = ["add_commands"]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands to the program's."""
    c = commands.add_parser("methods", help="the methods, whether they are ready, what they need, their licences")
    c.set_defaults(run=_methods)

    c = commands.add_parser("weights", help="list, install, verify and remove head models and weights")
    actions = c.add_subparsers(title="actions", required=True, metavar="ACTION")
    a = actions.add_parser("list", help="everything that can be installed")
    a.set_defaults(run=_list)
    a = actions.add_parser("info", help="one entry: files, where they are had, licences, what is installed")
    a.add_argument("name", metavar="NAME")
    a.set_defaults(run=_info)
    a = actions.add_parser("install", help="put an entry in place, from its authors or from files you have")
    a.add_argument("name", metavar="NAME", help="see `likeness weights list`")
    a.add_argument("--from", dest="source", metavar="PATH|URL", help="file, folder, archive, or an address of one")
    a.add_argument("--accept-licence", action="store_true", help="you have read the entry's terms and agree")
    a.add_argument("--offline", action="store_true", help="never use the network (as LIKENESS_OFFLINE=1)")
    a.set_defaults(run=_install)
    a = actions.add_parser("verify", help="check what is installed, number by number")
    a.add_argument("names", nargs="*", metavar="NAME", help="default: everything installed")
    a.set_defaults(run=_verify)
    a = actions.add_parser("remove", help="delete an installed entry")
    a.add_argument("name", metavar="NAME")
    a.set_defaults(run=_remove)


def _methods(_: argparse.Namespace) -> None:
    from likeness.licences import strictest_first
    from likeness.methods import registry
    from likeness.methods.base import OF_THE_HEAD

    for m in registry.describe():
        say(f"{m['name']}: {m['title']} ({m['year']}), from {m['inputs']}")
        say(f"    status   {'ready' if m['ready'] else 'needs ' + ', '.join(m['needs'])}")
        parts = [text for text in m["licences"].values() if text]
        listed = strictest_first(text for text in parts if text != OF_THE_HEAD)
        say(f"    licence  {', '.join(listed + [OF_THE_HEAD] * (OF_THE_HEAD in parts))}")
        say(f"    paper    {m['paper']}")
        for need in m["wanted"]:
            say(f"    needs    {need['title']} [{need['licence']}], {need['url']}")
            say(f"             {need['how']}")
            say(f"             {need['install']}")


def _list(_: argparse.Namespace) -> None:
    from likeness.weights import store

    entries = store.describe()
    width = max(len(e["name"]) for e in entries)
    for e in entries:
        say(f"{'*' if e['installed'] else ' '} {e['name']:{width}}  {e['title']}  [{e['licence']}]")
    say("* installed; `likeness weights info NAME` tells more")


def _info(a: argparse.Namespace) -> None:
    from likeness.weights import catalog, store

    entry = catalog.entry(a.name)
    say(f"{entry.name}: {entry.title}" + (f", {entry.edition}" if entry.edition else ""))
    for part in ("code", "weights", "model"):
        if text := getattr(entry.licence, part):
            say(f"    {part:8} {text}")
    say(f"    page     {entry.url}")
    say(f"    how      {entry.how}")
    say(f"    check    {entry.check}")
    say(f"    used by  {', '.join(entry.used_by)}")
    for file in entry.files:
        size = f", {file.size} bytes" if file.size else ""
        more = f", one of the group {file.any_of!r} will do" if file.any_of else ", optional" if file.optional else ""
        say(f"    file     {file.name}{size}{more}" + (f" ({file.note})" if file.note else ""))
        if file.url:
            say(f"             {file.url}")
    if not store.installed(entry.name):
        say("    status   not installed")
    elif entry.files:
        _say_installed(store.open_weights(entry.name).manifest)
        say(f"    in       {store.path(entry.name)}")
    else:
        say("    status   installed")


def _say_installed(manifest: dict[str, Any]) -> None:
    say(f"    status   installed {manifest['installed']}, {len(manifest['tensors'])} tensors")
    for source in manifest["sources"]:
        say(f"    source   {source['name']} sha256 {source['sha256']}")
    for note in manifest["notes"]:
        say(f"    note     {note}")


def _install(a: argparse.Namespace) -> None:
    from pathlib import Path

    import likeness.heads.library  # noqa: F401 - adds its builders to the store's
    from likeness.weights import store
    from likeness.weights.download import is_url

    if a.offline:
        os.environ["LIKENESS_OFFLINE"] = "1"
    source = a.source if a.source is None or is_url(a.source) else Path(a.source)
    with reporter() as progress:
        store.install(a.name, source, progress, accept_licence=a.accept_licence)


def _verify(a: argparse.Namespace) -> int:
    from likeness.weights import catalog, store

    names = a.names or [name for name in catalog.load() if store.installed(name)]
    bad = 0
    for name in names:
        wrong = store.verify(name)
        bad += bool(wrong)
        say(
            f"{name}: {'; '.join(wrong[:3]) + f'; install it again ({len(wrong)} in all)' if wrong else 'as installed'}"
        )
    if not names:
        say("nothing is installed")
    return 2 if bad else 0


def _remove(a: argparse.Namespace) -> None:
    from likeness.weights import store

    say(f"{a.name}: {'removed' if store.remove(a.name) else 'was not installed'}")
