"""Time and memory of the commands a user runs, beside a fixed piece of work that shows how busy the machine is."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["busyness", "measure"]


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds, processor seconds of all threads, peak memory in GB of one process and its children."""

    wall: float
    processor: float
    peak_gb: float


def measure(photo: Path, size: int, head: str) -> dict[str, Any]:
    """Time `likeness reconstruct` (twice: the second run counts) and `likeness blend`, and the stages of the first."""
    with tempfile.TemporaryDirectory(prefix="likeness-bench-") as folder:
        package, blend = Path(folder) / "head.likeness", Path(folder) / "head.blend"
        command = [sys.executable, "-m", "likeness.cli", "reconstruct", str(photo), "-o", str(package), "--overwrite",
                   "--texture-size", str(size), "--head", head]  # fmt: skip
        _run(command)
        before = busyness()
        warm = _run(command)
        between = busyness()
        built = _run([sys.executable, "-m", "likeness.cli", "blend", str(package), "-o", str(blend), "--overwrite"])
        after = busyness()
        stages = json.loads(
            subprocess.run(
                [sys.executable, __file__, str(photo), str(size), head], check=True, capture_output=True
            ).stdout
        )
    return {
        "warm_seconds": warm.wall,
        "peak_gb": warm.peak_gb,
        "warm_processor_seconds": warm.processor,
        "warm_quiet_seconds": warm.wall / np.mean([before, between]),
        "blend_seconds": built.wall,
        "blend_processor_seconds": built.processor,
        "blend_quiet_seconds": built.wall / np.mean([between, after]),
        "blend_peak_gb": built.peak_gb,
        "busyness": float(np.mean([before, between, after])),
        "cores": os.cpu_count(),
        "stages": stages,
    }


def busyness(seconds: float = 1.5) -> float:
    """Wall-clock over processor time of steady work on one thread: 1 where nothing else runs."""
    wall, processor = time.perf_counter(), time.process_time()
    values = np.arange(200_000, dtype=np.float64)
    while time.process_time() - processor < seconds / 3 and time.perf_counter() - wall < 10 * seconds:
        values = np.sqrt(values + 1)
    return (time.perf_counter() - wall) / (time.process_time() - processor)


def _run(command: list[str]) -> Run:
    """Run a command to its end; raises RuntimeError with its last words where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{' '.join(command)} failed:\n{said.decode(errors='replace')[-2000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def _stages(photo: Path, size: int, head: str) -> dict[str, dict[str, float]]:
    """Seconds and the peak memory so far of each stage, everything loaded by a first run in the same process."""
    from likeness.methods.base import Settings
    from likeness.pipeline import reconstruct

    settings, spent = Settings(head=head, texture_size=size), {}
    for _ in range(2):
        spent.clear()
        state = {"at": time.perf_counter(), "stage": "faces"}

        def hear(stage: str, *_: object, state: dict[str, Any] = state) -> None:
            now = time.perf_counter()
            kept = spent.setdefault(state["stage"], {"seconds": 0.0, "peak_gb": 0.0})
            kept["seconds"] += now - state["at"]
            kept["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            state.update(at=now, stage=stage)

        reconstruct([photo], settings=settings, progress=hear)
        hear("end")
    return spent


if __name__ == "__main__":
    print(json.dumps(_stages(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
