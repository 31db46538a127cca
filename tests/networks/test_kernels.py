"""The fused operators against the formulas they stand for, and what decides whether they are used."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from framecast.networks.kernels import fuses, linear, linear_add, linear_silu, temporal_convolution

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def video(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def double(layer, x):
    """The plain map in float64."""
    return functional.linear(x.double(), layer.weight.double(), layer.bias.double())


@pytest.mark.parametrize("shape", [(2, 6, 8, 8), (1, 3, 4, 6), (5, 1, 2, 2)])
@pytest.mark.parametrize("inference", [True, False])
def test_linear_maps_with_what_follows_them(shape, inference):
    torch.manual_seed(0)
    layer, x, other = nn.Linear(24, 40), video(*shape, 24), video(*shape, 40, seed=1)
    with torch.set_grad_enabled(not inference):
        results = linear(x, layer), linear_silu(x, layer), linear_add(x, layer, other)
    exact = double(layer, x)
    for result, expected in zip(results, (exact, functional.silu(exact), other + exact), strict=True):
        torch.testing.assert_close(result, expected.float(), **CLOSE)
        assert result.is_contiguous()


def test_large_values_keep_their_silu():
    layer = nn.Linear(1, 8)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    x = torch.tensor([-1e4, -100.0, -20.0, 0.0, 20.0, 100.0, 1e4])[:, None]
    with torch.no_grad():
        torch.testing.assert_close(linear_silu(x, layer), functional.silu(x).expand(-1, 8), rtol=1e-5, atol=1e-30)


def test_the_input_of_a_residual_stays_as_it_was():
    layer, x, other = nn.Linear(8, 8), video(2, 3, 4, 4, 8), video(2, 3, 4, 4, 8, seed=1)
    before = other.clone()
    with torch.inference_mode():
        linear_add(x, layer, other)
    assert torch.equal(other, before)


def test_nothing_is_fused_where_gradients_types_or_precision_forbid_it():
    x = video(2, 8)
    with torch.enable_grad():
        assert not fuses(x)
    with torch.no_grad():
        assert not fuses(x.double())
        with torch.autocast("cpu", torch.bfloat16):
            assert not fuses(x)
            layer = nn.Linear(8, 8)
            assert linear_silu(x, layer).dtype == torch.bfloat16


@pytest.mark.parametrize(("batch", "time"), [(1, 6), (3, 4), (2, 1)])
def test_the_gradients_of_a_temporal_convolution_are_those_of_conv2d(batch, time):
    image = video(batch, time, 20, 5).permute(0, 3, 1, 2)
    weight = video(7, 5, 3, 1, seed=1).contiguous(memory_format=torch.channels_last)
    direction = video(batch, time, 20, 7, seed=2).permute(0, 3, 1, 2)

    def gradients(function, kind):
        inputs = image.to(kind).requires_grad_(), weight.to(kind).requires_grad_()
        result = function(*inputs)
        return result, *torch.autograd.grad(result, inputs, direction.to(kind))

    plain = gradients(lambda x, w: functional.conv2d(x, w, padding=(1, 0)), torch.float64)
    for ours, expected in zip(gradients(temporal_convolution, torch.float32), plain, strict=True):
        torch.testing.assert_close(ours, expected.float(), rtol=1e-4, atol=1e-4)
