"""The views of the one memory layout against PyTorch's own three-dimensional operators."""

import pytest
import torch
from torch.nn import functional

from framecast.networks.layout import (
    SpaceTimeConv,
    SpatialConv,
    TemporalConv,
    VideoNorm,
    as_frames,
    as_video,
    double,
    halve,
    join,
    split,
)


def video(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def inside(x):
    """[B, C, T, H, W] as the networks hold it."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def outside(x):
    return x.permute(0, 4, 1, 2, 3)


@pytest.mark.parametrize("batch", [1, 3])
def test_convolutions_are_conv3d(batch):
    x = video(batch, 4, 5, 6, 10)
    spatial, temporal, full = SpatialConv(4, 7, bias=True), TemporalConv(4, 7), SpaceTimeConv(4, 7)
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(
        outside(spatial(inside(x))),
        functional.conv3d(x, spatial.weight.unsqueeze(2), spatial.bias, padding=(0, 1, 1)),
        **close,
    )
    torch.testing.assert_close(
        outside(temporal(inside(x))),
        functional.conv3d(x, temporal.weight.unsqueeze(4), padding=(1, 0, 0)),
        **close,
    )
    weight = full.weight.unflatten(1, (3, 4)).transpose(1, 2)
    torch.testing.assert_close(outside(full(inside(x))), functional.conv3d(x, weight, padding=1), **close)


def test_the_norm_runs_over_channels_time_and_space_together():
    x = video(2, 4, 5, 6, 10) * 3 + 1
    norm = VideoNorm(4)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    mean, var = x.mean(dim=(1, 2, 3, 4), keepdim=True), x.var(dim=(1, 2, 3, 4), keepdim=True, correction=0)
    expected = (x - mean) / (var + 1e-5).sqrt() * norm.weight.view(4, 1, 1, 1) + norm.bias.view(4, 1, 1, 1)
    torch.testing.assert_close(outside(norm(inside(x))), expected, rtol=1e-5, atol=1e-5)


def test_the_norm_for_a_gpu_is_the_same_function():
    x = inside(video(2, 4, 5, 6, 10) * 3 + 1).requires_grad_()
    norm = VideoNorm(4)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    inputs, direction = (x, norm.weight, norm.bias), torch.randn(x.shape)
    outputs = norm(x), norm.by_moments(x)
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(output, inputs, direction) for output in outputs]
    for native, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, native, rtol=1e-4, atol=1e-4)
    rounded = norm.by_moments(x.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), outputs[0], rtol=0.02, atol=0.05)


def test_halving_and_doubling_are_pooling_and_trilinear_interpolation():
    x = video(2, 4, 3, 6, 10)
    assert torch.equal(outside(halve(inside(x))), functional.max_pool3d(x, (1, 2, 2)))
    expected = functional.interpolate(x, scale_factor=(1, 2, 2), mode="trilinear", align_corners=True)
    torch.testing.assert_close(outside(double(inside(x))), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_no_operator_copies_or_leaves_the_layout(batch):
    x = inside(video(batch, 8, 3, 8, 8))
    assert as_frames(x).data_ptr() == x.data_ptr()
    assert as_frames(x).is_contiguous(memory_format=torch.channels_last)
    assert as_video(as_frames(x), 3).data_ptr() == x.data_ptr()
    for operator in (SpatialConv(8, 8), TemporalConv(8, 8), VideoNorm(8), halve, double):
        result = operator(x)
        assert result.is_contiguous()
        # a batch of one must not leave strides from which PyTorch would guess another layout
        assert result.stride(0) == result[0].numel()


def test_join_and_split_are_inverse_for_equal_lengths():
    future, past = video(2, 1, 4, 6, 10), video(2, 3, 4, 6, 10) + 1
    joined = join(future, past)
    assert joined.is_contiguous()
    assert torch.equal(split(joined, 4), torch.cat([past, future], dim=1))
