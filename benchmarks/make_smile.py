"""Learn what a smile does to a calibration: ``python benchmarks/make_smile.py --head anny --shown ict``.

Adds the array "smile" to likeness/fitting/calibrations/NAME.safetensors; run it after make_calibration.py.
ICT-FaceKit's smiles come from scans of people, so it is what is best shown where it is installed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

from calibration.smiles import smile_seen
from likeness.fitting.calibration import FOLDER, Calibration
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--head", default="auto")
    parser.add_argument("--shown", help="the head whose smiles are rendered (default: the same)")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=501)
    options = parser.parse_args()
    torch.set_num_threads(1)
    head = open_head(options.head).with_expressions(ARKIT)
    shown = open_head(options.shown or options.head).with_expressions(ARKIT)
    calibration = Calibration.of(head)
    if calibration is None:
        parser.error(f"the head {head.name} has no calibration; make it first with make_calibration.py")
    smile = smile_seen(head, shown, options.count, options.seed)
    replace(calibration, smile=smile).save(FOLDER / f"{head.name}.safetensors")
    print(f"A full smile is taken for {np.linalg.norm(smile):.2f} standard deviations of identity.")
