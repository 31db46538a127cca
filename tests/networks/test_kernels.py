"""The fused operators against the formulas they stand for, and what decides whether they are used."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from framecast.networks.kernels import fuses, linear, linear_silu, norm, temporal_convolution

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
        results = linear(x, layer), linear_silu(x, layer), linear(x, layer, other)
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
        linear(x, layer, other)
    assert torch.equal(other, before)


def test_nothing_is_fused_where_types_or_precision_forbid_it():
    x = video(2, 8)
    with torch.no_grad():
        assert not fuses(x.double())
        with torch.autocast("cpu", torch.bfloat16):
            assert not fuses(x)
            layer = nn.Linear(8, 8)
            assert linear_silu(x, layer).dtype == torch.bfloat16


@pytest.mark.parametrize("bias", [True, False])
def test_the_gradients_of_a_linear_map_are_those_of_its_formula(bias):
    torch.manual_seed(0)
    layer, x, other, direction = nn.Linear(6, 10, bias=bias), video(2, 3, 6), video(2, 3, 10), video(2, 3, 10, seed=2)
    x.requires_grad_()
    other.requires_grad_()
    inputs = (x, other, *layer.parameters())
    ours = torch.autograd.grad(linear(x, layer, other), inputs, direction)
    plain = torch.autograd.grad(layer(x) + other, inputs, direction)
    for result, expected in zip(ours, plain, strict=True):
        torch.testing.assert_close(result, expected, **CLOSE)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("mean", [0.0, 3.0, 1000.0])
def test_the_norm_and_its_gradients_by_finite_differences(samples, mean):
    x = (video(2, 3, 4, 5, 6).double() + mean).requires_grad_()
    weight, bias = (video(samples, 1, 1, 1, 6, seed=s).double().requires_grad_() for s in (1, 2))
    expected = functional.layer_norm(x.flatten(1), (360,), eps=1e-5).view(x.shape) * weight + bias
    torch.testing.assert_close(norm(x, weight, bias, eps=1e-5), expected)
    assert torch.autograd.gradcheck(lambda *inputs: norm(*inputs, eps=1e-5), (x, weight, bias), fast_mode=True)


@pytest.mark.parametrize("mean", [0.0, 10.0, 1e4])
def test_the_norm_in_float32_keeps_a_small_variance_beside_a_large_mean(mean):
    x, one, zero = video(2, 3, 8, 8, 4) + mean, torch.ones(1, 1, 1, 1, 4), torch.zeros(1, 1, 1, 1, 4)
    with torch.inference_mode():
        normed = norm(x, one, zero, eps=1e-5)
    expected = functional.layer_norm(x.double().flatten(1), (768,), eps=1e-5).view(x.shape)
    torch.testing.assert_close(normed.double(), expected, rtol=1e-5, atol=1e-6 * max(1.0, 2 * mean))


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
