"""Progressive GANs: variables of the TensorFlow original become the same function, or are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from likeness.errors import WeightsError
from likeness.networks.pggan import PgGan, channels_at, from_variables

LATENT, SIDES, CHANNELS = 24, (8, 16, 32), {4: 16, 8: 16, 16: 16, 32: 8}


def variables(fused: bool) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)

    def layer(name: str, shape: tuple[int, ...], outputs: int) -> dict[str, NDArray[Any]]:
        return {f"{name}/weight": rng.normal(size=shape), f"{name}/bias": 0.1 * rng.normal(size=outputs)}

    made = layer("4x4/Dense", (LATENT, 16 * 16), 16) | layer("4x4/Conv", (3, 3, 16, 16), 16)
    made |= layer("ToRGB_lod3", (1, 1, 16, 3), 3) | {"lod": np.zeros(())}
    for number, side in enumerate(SIDES):
        before, after = CHANNELS[side // 2], CHANNELS[side]
        shape = (3, 3, after, before) if fused else (3, 3, before, after)
        made |= layer(f"{side}x{side}/Conv0{'_up' if fused else ''}", shape, after)
        made |= layer(f"{side}x{side}/Conv1", (3, 3, after, after), after)
        made |= layer(f"ToRGB_lod{2 - number}", (1, 1, after, 3), 3)
    return made


def reference(given: dict[str, NDArray[Any]], z: torch.Tensor) -> torch.Tensor:
    """The original's arithmetic, operation by operation, on its own variables."""
    tensors = {name: torch.from_numpy(np.asarray(value)).float() for name, value in given.items()}

    def norm(x: torch.Tensor) -> torch.Tensor:
        return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-8)

    def finish(x: torch.Tensor, name: str) -> torch.Tensor:
        return norm(functional.leaky_relu(x + tensors[f"{name}/bias"].reshape(1, -1, 1, 1), 0.2))

    def conv(x: torch.Tensor, name: str, gain: float = 2**0.5) -> torch.Tensor:
        weight = tensors[f"{name}/weight"]
        scale = gain / np.sqrt(np.prod(weight.shape[:3]))
        return functional.conv2d(x, scale * weight.permute(3, 2, 0, 1), padding=weight.shape[0] // 2)

    weight = tensors["4x4/Dense/weight"]
    x = (norm(z) @ weight * (2**0.5 / 4 / LATENT**0.5)).reshape(len(z), -1, 4, 4)
    x = finish(conv(finish(x, "4x4/Dense"), "4x4/Conv"), "4x4/Conv")
    for side in SIDES:
        name = f"{side}x{side}/Conv0_up"
        if f"{name}/weight" in tensors:
            weight = tensors[f"{name}/weight"]
            scale = 2**0.5 / np.sqrt(9 * weight.shape[3])
            wide = functional.pad(scale * weight.permute(3, 2, 0, 1), (1, 1, 1, 1))
            wide = wide[..., 1:, 1:] + wide[..., :-1, 1:] + wide[..., 1:, :-1] + wide[..., :-1, :-1]
            x = finish(functional.conv_transpose2d(x, wide, stride=2, padding=1), name)
        else:
            name = f"{side}x{side}/Conv0"
            x = finish(conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3), name), name)
        x = finish(conv(x, f"{side}x{side}/Conv1"), f"{side}x{side}/Conv1")
    return conv(x, "ToRGB_lod0", 1.0) + tensors["ToRGB_lod0/bias"].reshape(1, 3, 1, 1)


@pytest.mark.parametrize("fused", [True, False])
def test_variables_become_the_same_function(fused: bool) -> None:
    given = variables(fused)
    network = from_variables(given, "mine.npz")
    z = torch.randn(2, LATENT, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(z), reference(given, z), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(network(3 * z), network(z), atol=1e-4, rtol=1e-3)  # only the latent's direction counts


def test_the_published_size() -> None:
    with torch.device("meta"):
        network = PgGan()
        assert network(torch.empty(1, 512)).shape == (1, 3, 512, 512)
        assert network(torch.empty(1, 512), stop=256).shape == (1, 3, 256, 256)
    assert [channels_at(size) for size in (4, 16, 32, 64, 512)] == [512, 512, 512, 256, 32]
    assert network.same["512"].weight.shape == (32, 32, 3, 3)


def test_stopping_early_shows_that_resolutions_own_colours() -> None:
    torch.manual_seed(2)
    network = PgGan(32, LATENT, 128, 16)
    z = torch.randn(1, LATENT)
    seen: list[torch.Tensor] = []
    network.same["16"].register_forward_hook(lambda _, __, out: seen.append(out))
    early = network(z, stop=16)
    features = functional.leaky_relu(seen[0], 0.2)
    features = features * (features.square().mean(1, keepdim=True) + 1e-8).rsqrt()
    assert torch.equal(early, network.colours["16"](features))


def test_other_files_are_refused_by_name() -> None:
    with pytest.raises(WeightsError, match="is no progressive GAN"):
        from_variables({"G/x": np.zeros(3)}, "mine.npz")
    for name in ("16x16/Conv0_up/weight", "ToRGB_lod1/bias", "4x4/Conv/bias"):
        short = {k: v for k, v in variables(True).items() if k != name}
        with pytest.raises(WeightsError, match=r"mine\.npz lacks"):
            from_variables(short, "mine.npz")
    wrong = variables(True) | {"8x8/Conv1/bias": np.zeros(5)}
    with pytest.raises(WeightsError, match=r"same\.8\.bias has shape \(5,\)"):
        from_variables(wrong, "mine.npz")
    with pytest.raises(WeightsError, match="holds 16x16/Conv2/weight"):
        from_variables(variables(True) | {"16x16/Conv2/weight": np.zeros(5)}, "mine.npz")
