"""Learn how the landmark network sees a head: ``python benchmarks/make_calibration.py --head anny --count 4000``.

Writes likeness/fitting/calibrations/NAME.safetensors; a render takes a tenth of a second. The renders' landmarks are
kept under --samples and used again, so that a run may be stopped, and several may run side by side with other --seed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from calibration.learn import Samples, learn
from calibration.sample import collect
from calibration.studio import SIZE
from likeness.fitting.calibration import FOLDER
from likeness.fitting.landmarks import landmark_model
from likeness.heads.library import open_head

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--head", default="auto")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--looks", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=Path, default=ROOT / "out" / "bench" / "calibration")
    parser.add_argument("--only-learn", action="store_true", help="render nothing, learn from all samples there are")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    head = open_head(options.head)
    folder = options.samples / head.name
    if not options.only_learn:
        folder.mkdir(parents=True, exist_ok=True)
        collect(head, folder / f"{options.seed:03d}.npz", options.count, options.looks, options.seed)
    parts = [dict(np.load(path)) for path in sorted(folder.glob("*.npz"))]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    calibration = learn(landmark_model(head), Samples(**joined, centre=np.array([SIZE / 2, SIZE / 2])))
    target = FOLDER / f"{head.name}.safetensors"
    calibration.save(target)
    known = 1 - np.diag(calibration.spread).mean()
    print(f"{len(joined['focal'])} renders; {100 * known:.0f} % of the identity's variance is seen; wrote {target}")
