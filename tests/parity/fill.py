"""Numbers that stand in for a published parameter, the same for everybody who knows its name."""

import zlib

import numpy as np


def fill(name: str, shape: tuple[int, ...], kind: str, seed: int = 0) -> np.ndarray:
    """float32 drawn from a generator that the parameter's official name seeds.

    kind: "weight" normal with variance 2 / fan-in, output channels first ("weight_tf": last); "bias" 0.01 normal;
    "scale" 1 + 0.1 normal; "mean" 0.1 normal; "var" 1 + 0.1 |normal|; "basis" normal; "uniform" in [0, 1).
    """
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()) ^ seed))
    if kind == "uniform":
        return random.random(shape).astype(np.float32)
    x = random.standard_normal(shape)
    if kind.startswith("weight"):
        outputs = shape[0] if kind == "weight" else shape[-1]
        x *= np.sqrt(2 / max(1.0, x.size / outputs))
    elif kind in ("scale", "var"):
        x = 1 + 0.1 * (x if kind == "scale" else np.abs(x))
    else:
        x *= {"bias": 0.01, "mean": 0.1, "basis": 1.0}[kind]
    return x.astype(np.float32)
