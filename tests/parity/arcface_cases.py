"""What arcface_torch's own network was given: numbers in its layout, made from the parameters' names alone, and a face.

``python tests/parity/arcface_cases.py IRESNET.py`` writes data/arcface.npz with that file of the original; see
data/README.md.
"""

from pathlib import Path

import numpy as np
from fill import fill
from PIL import Image

HERE = Path(__file__).parent
DATA = HERE / "data" / "arcface.npz"
ASTRONAUT = HERE.parent / "data" / "astronaut.png"
DEPTHS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
WIDTHS = (64, 128, 256, 512)
STEP = 997
"""Every so many numbers of a stage are kept."""


def layout(depth: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and kind of every parameter by its official name, in the file's order."""
    found: dict[str, tuple[tuple[int, ...], str]] = {}

    def conv(name: str, outputs: int, inputs: int, size: int) -> None:
        found[f"{name}.weight"] = ((outputs, inputs, size, size), "weight")

    def norm(name: str, count: int) -> None:
        kinds = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "var"}
        found.update({f"{name}.{part}": ((count,), kind) for part, kind in kinds.items()})
        found[f"{name}.num_batches_tracked"] = ((), "count")

    conv("conv1", 64, 3, 3)
    norm("bn1", 64)
    found["prelu.weight"] = ((64,), "uniform")
    inputs = 64
    for stage, (width, blocks) in enumerate(zip(WIDTHS, DEPTHS[depth], strict=True), 1):
        for number in range(blocks):
            name = f"layer{stage}.{number}"
            norm(f"{name}.bn1", inputs)
            conv(f"{name}.conv1", width, inputs, 3)
            norm(f"{name}.bn2", width)
            found[f"{name}.prelu.weight"] = ((width,), "uniform")
            conv(f"{name}.conv2", width, width, 3)
            norm(f"{name}.bn3", width)
            if not number:
                conv(f"{name}.downsample.0", width, inputs, 1)
                norm(f"{name}.downsample.1", width)
            inputs = width
    norm("bn2", 512)
    found["fc.weight"], found["fc.bias"] = ((512, 512 * 49), "weight"), ((512,), "bias")
    norm("features", 512)
    return found


def state(depth: int) -> dict[str, np.ndarray]:
    """A backbone's numbers. What a block adds is made small, as training makes it: a hundred sums would overflow."""
    found = {}
    for name, (shape, kind) in layout(depth).items():
        if kind == "count":
            found[name] = np.zeros(shape, np.int64)
        else:
            found[name] = fill(f"arcface/{name}", shape, kind) * np.float32(0.3 if ".bn3.weight" in name else 1)
    return found


def faces() -> np.ndarray:
    """(2, 3, 112, 112) float32 in -1..1: the astronaut's, cut without care, and noise."""
    picture = np.asarray(Image.open(ASTRONAUT).convert("RGB"))[60:172, 168:280]
    cut = (picture.transpose(2, 0, 1).astype(np.float32) - 127.5) / 127.5
    return np.stack([cut, 2 * fill("arcface/noise", cut.shape, "uniform") - 1])


def main() -> None:
    """Descriptors and stages by the original's own class."""
    import importlib.util
    import sys

    import torch

    spec = importlib.util.spec_from_file_location("original", sys.argv[1])
    assert spec
    assert spec.loader
    original = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(original)
    arrays = {}
    for depth in DEPTHS:
        network = getattr(original, f"iresnet{depth}")().eval()
        network.load_state_dict({name: torch.from_numpy(value) for name, value in state(depth).items()}, strict=True)
        with torch.no_grad():
            arrays[f"{depth}/descriptor"] = network(torch.from_numpy(faces())).numpy()
            x = network.prelu(network.bn1(network.conv1(torch.from_numpy(faces()))))
            for number in range(1, 5):
                x = getattr(network, f"layer{number}")(x)
                arrays[f"{depth}/layer{number}"] = x.numpy().reshape(-1)[::STEP]
    np.savez_compressed(DATA, **arrays)


if __name__ == "__main__":
    main()
