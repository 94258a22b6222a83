"""Strict loading: all of a network or none of it."""

import numpy as np
import pytest
import torch

from likeness.errors import WeightsError
from likeness.weights.strict import load_into


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))


def tensors() -> dict[str, np.ndarray]:
    return {name: np.asarray(value.numpy() * 0 + 0.5, np.float32) for name, value in network().state_dict().items()}


def test_everything_fits() -> None:
    one = network()
    load_into(one, tensors(), "made.pth")
    assert all(bool((value == 0.5).all()) for name, value in one.state_dict().items() if "tracked" not in name)


def test_counters_may_be_missing_or_too_much() -> None:
    given = tensors()
    del given["1.num_batches_tracked"]
    load_into(network(), given, "made.pth")
    load_into(network(), tensors() | {"fc_lm.weight": np.ones(3)}, "made.pth", ignored=("fc_lm.*",))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"0.weight": None}, r"made\.pth lacks 0\.weight; it is not the file"),
        ({"0.weight": None, "1.bias": None}, r"lacks 0\.weight and 1 more"),
        ({"0.weight": np.ones((3, 3))}, r"0\.weight has shape \(3, 3\) where \(3, 2\) is needed"),
        ({"0.bias": np.array([1, np.nan, 1], np.float32)}, r"0\.bias holds numbers that are not finite"),
        ({"2.weight": np.ones(1)}, r"holds 2\.weight, which this network does not know"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(change: dict[str, np.ndarray | None], says: str) -> None:
    one = network()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    given = {name: value for name, value in (tensors() | change).items() if value is not None}
    with pytest.raises(WeightsError, match=says):
        load_into(one, given, "made.pth")
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
