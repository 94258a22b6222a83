"""The process that installs, verifies or removes one entry of the weights catalogue, and ends.

It talks as the worker does, see `likeness.service.channel`, and is run by `likeness.service.installs`. A process of its
own: the server stays light, jobs go on, and it may be killed at any moment, since the store sees to it that an entry is
there whole or not at all.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from pathlib import Path

from likeness.errors import LikenessError
from likeness.progress import Cancelled, Progress, Received
from likeness.service.channel import Message, WorkerEnd
from likeness.service.worker import code_of, unforeseen, yield_to_others

__all__ = ["main"]

SHOWN = 20
"""Damaged tensors that are told by name."""
NO_MEMORY = "There was not enough memory; close other programs and try again."


def main() -> None:
    """Do what the one request says."""
    warnings.simplefilter("ignore")  # of the libraries beneath; ours are errors or notes
    yield_to_others()
    end = WorkerEnd({})
    message = end.next()
    number = int(message["number"])
    got: Message = {"done": 0, "total": 0}

    def received(done: int, total: int) -> None:
        got.update(done=done, total=total)

    try:
        progress = end.progress(number, got)
        end.send({"number": number, "event": "answer", "answer": _do(message, progress, received)})
    except Cancelled:
        end.send({"number": number, "event": "stopped"})
    except LikenessError as error:
        end.send(_failed(number, code_of(error), " ".join(str(error).split())))
    except MemoryError:
        end.send(_failed(number, "out_of_memory", NO_MEMORY))
    except Exception as error:
        traceback.print_exc()
        end.send(_failed(number, "internal", unforeseen(error)))


def _failed(number: int, code: str, message: str) -> Message:
    return {"number": number, "event": "failed", "code": code, "message": message}


def _do(message: Message, progress: Progress, received: Received) -> Message:
    from likeness.weights import catalog, store

    name, entry = message["name"], catalog.entry(message["name"])
    if message["do"] == "verify":
        progress("weights", 0.0, f"Checking {entry.title}")
        wrong = store.verify(name)
        return {"wrong": wrong[:SHOWN] + [f"and {len(wrong) - SHOWN} more"] * (len(wrong) > SHOWN)}
    if message["do"] == "remove":
        progress("weights", 0.0, f"Removing {entry.title}")
        return {"removed": store.remove(name)}
    if not entry.files:
        import likeness.heads.library  # noqa: F401 - adds its builders to the store's, and takes torch along
    progress("weights", 0.0, f"Installing {entry.title}")
    source = Path(message["path"]) if message["path"] else message["url"]
    store.install(name, source, progress, accept_licence=message["accept_licence"], received=received)
    return {}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
