"""Make the default head's prior of identity from ICT-FaceKit: ``python benchmarks/make_prior.py ICT -o FILE``.

ICT is the folder of https://github.com/ICT-VGL/ICT-FaceKit, or the same arrays packed in one npz.

1. Read both heads. Cast the landmark network's points on both (`prior.landmarks`).
2. Lay the base mesh's skin onto ICT's mean head, lips on lips, lids on lids, ears on ears (`prior.register`).
3. Read ICT's 100 modes at the corresponding points, take the head's posture out, keep lips closed and lids on the
   eyeballs, let mouth, eyes and lashes follow (`prior.carry`), and make the modes independent again.

It takes a minute or two. The file's sha256 and the figures printed here stand in the card beside the file.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch

from likeness.heads.prior import FILE, save_prior
from prior.carry import carry
from prior.floor import floor
from prior.heads import open_base, open_ict
from prior.register import register

__all__ = ["main"]


def main() -> None:
    """Read, register, carry over, write, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ict", type=Path, help="folder of ICT-FaceKit, or an npz of it")
    parser.add_argument("-o", "--output", type=Path, default=FILE, help="the file to write (default: the shipped one)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    base, ict = open_base(), open_ict(arguments.ict)
    print("Laying the base mesh onto ICT's mean head")
    fit = register(base, ict, print)
    print(f"  corresponding points known on {100 * fit.known.mean():.0f} % of the skin's vertices")
    prior = carry(base, ict, fit)
    save_prior(prior, base.mirror, arguments.output)

    weight = base.area * base.reach / (base.area * base.reach).sum()
    strength = 1e3 * np.sqrt((prior.modes**2).sum(2) @ weight)
    print(f"RMS over the head's skin, mm: all modes {np.sqrt((strength**2).sum()):.2f}; by mode "
          + " ".join(f"{v:.2f}" for v in strength[:10]) + " …")  # fmt: skip
    for kept in (40, 60, 80):
        print(f"  beyond the first {kept}: {np.sqrt((strength[kept:] ** 2).sum()):.2f} mm")
    print(f"  {(prior.parity > 0).sum()} symmetric modes; eyes of {1e3 * prior.eye_radius:.2f} mm")
    rest = floor(base, ict, fit, prior)
    print(f"Random heads of ICT fitted outright, NoW protocol: median {rest.median:.2f}, mean {rest.mean:.2f} mm "
          f"(mean head: {rest.mean_head_median:.2f} and {rest.mean_head_mean:.2f})")  # fmt: skip
    print(f"  RMS at corresponding points: {rest.rms:.2f} mm left of {rest.rms_of_identity:.2f}")
    digest = hashlib.sha256(arguments.output.read_bytes()).hexdigest()
    print(f"{arguments.output} {arguments.output.stat().st_size / 1e6:.2f} MB sha256 {digest}")


if __name__ == "__main__":
    main()
