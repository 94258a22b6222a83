"""StyleGAN2's generator: the public checkpoint's layout, its arithmetic by another road, and the early stop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from likeness.errors import WeightsError
from likeness.networks.stylegan2 import Generator, StyledConv, channels_at
from likeness.weights.strict import load_into


@pytest.fixture(scope="module")
def small() -> Generator:
    torch.manual_seed(0)
    network = Generator(64, base=512, most=32).eval().requires_grad_(False)
    for name, value in network.named_parameters():
        if name.endswith("noise_strength"):
            value.fill_(0.3)
        if name.endswith("bias"):
            value.add_(0.1 * torch.randn(value.shape))
    return network


def test_the_layout_is_that_of_the_public_generators() -> None:
    with torch.device("meta"):
        state = Generator().state_dict()
    assert len(state) == 182
    assert sum(value.numel() for value in state.values()) == 33_167_164
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert shapes["mapping.w_avg"] == (512,)
    assert shapes["mapping.fc7.weight"] == (512, 512)
    assert shapes["synthesis.b4.const"] == (512, 4, 4)
    assert shapes["synthesis.b128.conv0.weight"] == (256, 512, 3, 3)
    assert shapes["synthesis.b128.conv0.noise_const"] == (128, 128)
    assert shapes["synthesis.b128.conv0.noise_strength"] == ()
    assert shapes["synthesis.b1024.conv1.affine.weight"] == (32, 512)
    assert shapes["synthesis.b1024.torgb.weight"] == (3, 32, 1, 1)
    assert shapes["synthesis.b8.resample_filter"] == (4, 4)
    assert [channels_at(size) for size in (4, 64, 128, 1024)] == [512, 512, 256, 32]


def reference(layer: StyledConv, x: Tensor, w: Tensor) -> Tensor:
    """The layer as its paper writes it: weights scaled, then a plain convolution of the enlarged map."""
    style = layer.affine(w)[0]
    weight = layer.weight * style[None, :, None, None]
    weight = weight * (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
    if layer.doubles:
        spread = torch.zeros(1, x.shape[1], 2 * x.shape[2], 2 * x.shape[3])
        spread[:, :, ::2, ::2] = x
        taps = (4 * layer.resample_filter).expand(x.shape[1], 1, 4, 4)
        x = functional.conv2d(functional.pad(spread, (3, 2, 3, 2)), taps, groups=x.shape[1])
        y = functional.conv2d(x, weight.flip(2, 3))
    else:
        y = functional.conv2d(x, weight, padding=1)
    y = y + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
    return (2**0.5 * functional.leaky_relu(y, 0.2)).clamp(-256, 256)


@pytest.mark.parametrize("double", [False, True])
def test_a_layer_is_a_modulated_convolution(double: bool) -> None:
    torch.manual_seed(1)
    layer = StyledConv(6, 5, 16 if double else 8, double=double)
    layer.noise_strength.data.fill_(0.5)
    x, w = torch.randn(1, 6, 8, 8), torch.randn(1, 512)
    torch.testing.assert_close(layer(x, w), reference(layer, x, w), atol=2e-5, rtol=1e-4)


def test_what_ends_early_is_the_full_networks_smaller_picture(small: Generator) -> None:
    ws = torch.randn(1, small.styles, 512, generator=torch.Generator().manual_seed(2))
    seen: list[Tensor] = []
    handle = small.synthesis.b32.register_forward_hook(lambda _, __, out: seen.append(out[1]))
    whole = small.synthesis(ws)
    handle.remove()
    early = small.synthesis(ws, stop=32)
    assert whole.shape == (1, 3, 64, 64)
    assert early.shape == (1, 3, 32, 32)
    assert torch.equal(early, seen[0])
    other = ws.clone()
    other[:, 2 * 4 :] += 1  # what only larger blocks look at
    assert torch.equal(small.synthesis(other, stop=32), early)
    assert not torch.equal(small.synthesis(other), whole)


def test_gradients_reach_the_styles_of_every_block(small: Generator) -> None:
    ws = torch.randn(1, small.styles, 512, generator=torch.Generator().manual_seed(3)).requires_grad_()
    small.synthesis(ws).square().mean().backward()
    assert ws.grad is not None
    assert (ws.grad.abs().sum((0, 2)) > 0).all()


def test_statistics_are_those_of_the_mapping(small: Generator) -> None:
    mean, spread = small.statistics(6000)
    torch.manual_seed(4)
    others = small.mapping(torch.randn(4000, 512))
    assert mean.shape == spread.shape == (512,)
    assert (others.mean(0) - mean).abs().mean() < 0.1 * spread.mean()
    assert torch.equal(small.statistics(6000)[0], mean)


def test_a_file_of_another_network_is_named(small: Generator) -> None:
    tensors = {name: value.numpy() for name, value in small.state_dict().items()}
    again = Generator(64, base=512, most=32)
    load_into(again, tensors, "mine.pth")
    assert torch.equal(again.synthesis.b16.conv0.weight, small.synthesis.b16.conv0.weight)
    del tensors["synthesis.b16.conv0.affine.bias"]
    with pytest.raises(WeightsError, match=r"mine\.pth lacks synthesis\.b16\.conv0\.affine\.bias"):
        load_into(again, tensors, "mine.pth")
