"""`likeness train …`: weights that the project makes itself, from a head model and nothing licensed."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from likeness.console import reporter, say
from likeness.errors import MethodError

__all__ = ["add_commands"]


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], whole: Callable[..., Callable[[str], int]]
) -> None:
    """Add the command to the program's; `whole` makes an argument type of whole numbers within limits."""
    c = commands.add_parser("train", help="train a method's weights on a head model")
    methods = c.add_subparsers(title="methods", required=True, metavar="METHOD")
    g = methods.add_parser("genova", help="a face's descriptor -> shape and colours, without labelled photos")
    g.add_argument("-o", "--output", type=Path, required=True, help="folder; a training that it holds is gone on with")
    g.add_argument(
        "--head", default="anny", help="see `likeness heads`, or an installed Basel Face Model (default: %(default)s)"
    )
    g.add_argument("--photos", type=Path, help="folder of faces for the unsupervised stage (default: rendered heads)")
    g.add_argument("--renders", type=whole(2), help="heads to render for the start, rounded up to whole files of 256")
    g.add_argument("--start-steps", type=whole(1), help="of learning from the renders")
    g.add_argument("--steps", type=whole(0), help="of the unsupervised stage")
    g.add_argument("--seed", type=whole(0), default=0, help="(default: %(default)s)")
    g.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda"), help="(default: cuda where there is one)"
    )
    g.add_argument("--use", action="store_true", help="when done, put the weights in place for --method genova")
    g.set_defaults(run=_genova)
    d = methods.add_parser("delight", help="what a light solver leaves of shadow and shine -> skin, on synthetic faces")
    d.add_argument("-o", "--output", type=Path, required=True, help="folder; a training that it holds is gone on with")
    d.add_argument("--head", default="anny", help="see `likeness heads` (default: %(default)s)")
    d.add_argument("--renders", type=whole(2), help="faces to render, rounded up to whole files of 64")
    d.add_argument("--steps", type=whole(1), help="of eight faces each")
    d.add_argument("--seed", type=whole(0), default=0, help="(default: %(default)s)")
    d.add_argument("--use", action="store_true", help="when done, put the weights in place")
    d.set_defaults(run=_delight)


def _genova(a: argparse.Namespace) -> None:
    with reporter() as progress:
        progress("start", 0.0, "Starting PyTorch")
        import torch

        from likeness.heads.morphable import open_morphable
        from likeness.methods.recognised import own_weights
        from likeness.networks.dlib_face import dlib_face
        from likeness.training.genova import Plan, train
        from likeness.training.samples import PIECE, photo_descriptors

        if a.device == "cuda" and not torch.cuda.is_available():
            raise MethodError("PyTorch sees no CUDA device here; leave --device out.")
        device = torch.device("cuda" if a.device != "cpu" and torch.cuda.is_available() else "cpu")
        plan = Plan(seed=a.seed)
        if a.renders is not None:
            plan = replace(plan, pieces=max(2, -(-a.renders // PIECE)))
        if a.start_steps is not None:
            plan = replace(plan, start_steps=a.start_steps)
        if a.steps is not None:
            plan = replace(plan, steps=a.steps)
        photos = photo_descriptors(a.photos, progress) if a.photos else None
        model = open_morphable(a.head, device, progress)
        path = train(model, dlib_face(device), a.output, plan, photos, progress)
        place = own_weights(model.name)
    _done(path, place, a.use)


def _delight(a: argparse.Namespace) -> None:
    with reporter() as progress:
        progress("start", 0.0, "Starting PyTorch")
        from likeness.heads.library import open_head
        from likeness.maps.delight import own_weights
        from likeness.training.delight import Plan, train
        from likeness.training.delight_samples import PIECE, Subject

        plan = Plan(seed=a.seed)
        if a.renders is not None:
            plan = replace(plan, pieces=max(2, -(-a.renders // PIECE)))
        if a.steps is not None:
            plan = replace(plan, steps=a.steps)
        path = train(Subject(open_head(a.head, progress)), a.output, plan, progress)
    _done(path, own_weights(), a.use)


def _done(path: Path, place: Path, use: bool) -> None:
    """Put trained weights in place, whole or not at all, and say where they are."""
    if use:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.part")
        shutil.copyfile(path, beside)
        beside.replace(place)
    say(f"{path}" + (f", in use from {place}" if use else "; add --use to put it in place"))
