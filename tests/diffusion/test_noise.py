import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from framecast.core.errors import ConfigError
from framecast.diffusion.noise import coloured, smooth_fields, smooth_fields_by_matrices, smoothing
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import Cosine, broadcast
from framecast.generators.denoiser import Denoiser
from framecast.generators.kinds import DiffusionOptions


def white(size=(32, 32), count=400):
    return torch.randn(count, 1, 6, *size, generator=torch.Generator().manual_seed(0))


def test_slope_1_is_white_noise_untouched():
    noise = white(count=2)
    assert coloured(noise, 1.0) is noise


@pytest.mark.parametrize("slope", [0.5, 0.9])
def test_the_standard_deviation_falls_with_scale_as_it_should(slope):
    noise = coloured(white(), slope)
    assert noise.var().item() == pytest.approx(1.0, abs=0.02)
    for side in (2, 4, 8, 16):
        means = functional.avg_pool3d(noise, (1, side, side))
        assert means.std().item() == pytest.approx(side**-slope, rel=0.08)


def test_slope_0_moves_whole_videos_as_much_as_pixels():
    noise = coloured(white(), 0.0)
    assert noise.var().item() == pytest.approx(1.0, abs=0.05)
    octaves = [functional.avg_pool3d(noise, (1, side, side)) for side in (1, 2, 4, 8, 16, 32)]
    variances = [octave.var().item() for octave in octaves]
    lost = [fine - coarse for fine, coarse in pairwise(variances)]
    assert max(lost) < 1.25 * min(lost)
    assert noise.mean(dim=(2, 3, 4)).var().item() == pytest.approx(max(lost) / 0.75, rel=0.3)


@pytest.mark.parametrize("size", [(16, 24), (20, 12)])
def test_a_rim_without_whole_squares_is_still_noisy(size):
    noise = coloured(white(size), 0.0)
    assert 0.7 < noise.var().item() < 1.1
    assert noise[..., -1, -1].var().item() > 0.3


class Oracle(nn.Module):
    """The best v-prediction for data that are ``scale`` times the noise: v = α σ (1 - s²) x / (α² s² + σ²)."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x, time, past, label=None):
        alpha, sigma = Cosine()((time.double() + 1) / 1000)
        factor = alpha * sigma * (1 - self.scale**2) / (alpha**2 * self.scale**2 + sigma**2)
        return broadcast(factor, x) * x


@pytest.mark.thorough
def test_sampling_gives_back_data_that_are_as_coloured_as_the_noise():
    """The brightness of whole frames included."""
    denoiser = Denoiser(Oracle(0.3), Cosine(), "v", noise_slope=0.5)
    noise = white()
    drawn = denoiser.generate(noise[:, :, :1], noise=lambda _: noise, options=SamplingOptions(steps=25))
    expected = 0.3 * coloured(noise, 0.5)
    for side in (1, 4, 32):
        means, right = (functional.avg_pool3d(video, (1, side, side)) for video in (drawn, expected))
        assert means.std().item() == pytest.approx(right.std().item(), rel=0.03)


def test_a_slope_outside_its_range_is_refused():
    with pytest.raises(ConfigError, match=r"noise_slope is 1\.5"):
        DiffusionOptions(noise_slope=1.5)


def test_smooth_fields_have_their_variance_length_and_persistence():
    """Variance 1, correlation exp(-r²/(2 l²)) at distance r for l = 2, 4, 8, and 0.7 from frame to frame."""
    white = torch.randn(250, 3, 2, 64, 48, generator=torch.Generator().manual_seed(0))
    fields = smooth_fields(white)
    assert fields.shape == white.shape
    for k, length in enumerate((2, 4, 8)):
        own = fields[:, k]
        assert own.square().mean().item() == pytest.approx(1.0, rel=0.05)
        for distance in (1, length, 2 * length):
            expected = math.exp(-(distance**2) / (2 * length**2))
            assert (own[..., distance:] * own[..., :-distance]).mean().item() == pytest.approx(expected, abs=0.05)
            assert (own[..., distance:, :] * own[..., :-distance, :]).mean().item() == pytest.approx(expected, abs=0.05)
        assert (own[:, 0] * own[:, 1]).mean().item() == pytest.approx(0.7, abs=0.05)
    assert (fields[:, 0] * fields[:, 1]).mean().abs() < 0.05
    assert torch.equal(smooth_fields(white[5:7]), fields[5:7])


@pytest.mark.parametrize("size", [(16, 24), (15, 8), (33, 64)])
def test_smoothing_by_matrices_is_that_by_spectra(size):
    white = torch.randn(2, 4, 3, *size, generator=torch.Generator().manual_seed(0))
    fields = smooth_fields_by_matrices(white, smoothing(4, size[0]), smoothing(4, size[1]))
    torch.testing.assert_close(fields, smooth_fields(white), rtol=1e-5, atol=1e-5)
