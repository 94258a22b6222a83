"""Render heads of known shape: ``python benchmarks/make_truth.py --set ict --count 20``."""

from __future__ import annotations

import argparse

from truth.sets import SETS, make_set, truth_folder

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=list(SETS), default="ict")
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    make_set(options.set, options.count)
    print(f"The pictures lie in {truth_folder() / options.set}.")
