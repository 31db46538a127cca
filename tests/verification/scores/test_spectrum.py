"""Radially averaged spectra: a wave stands in its ring, white noise is flat, smoothing takes small scales away."""

import math

import numpy as np
import torch

from framecast.verification.scores import power_spectrum


def test_a_plane_wave_stands_in_its_ring() -> None:
    x = torch.arange(64, dtype=torch.float64)
    for cycles in (4, 11):
        wave = torch.cos(2 * math.pi * cycles * x / 64).expand(64, 64)
        for image in (wave, wave.T):
            assert power_spectrum(image).argmax().item() + 1 == cycles


def test_rings_of_a_frame_that_is_not_square_are_cycles_per_pixel() -> None:
    x = torch.arange(96, dtype=torch.float64)
    image = torch.cos(2 * math.pi * x / 8).expand(32, 96)  # 8 pixels per wave: 4 cycles per 32 pixels
    spectrum = power_spectrum(image)
    assert spectrum.shape == (16,)
    assert spectrum.argmax().item() + 1 == 4


def test_white_noise_is_flat_at_its_variance() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).normal(scale=3.0, size=(400, 32, 32)))
    spectrum = power_spectrum(noise).mean(0)
    np.testing.assert_allclose(spectrum[1:], 9.0, rtol=0.06)


def test_smoothing_takes_away_small_scales_and_a_constant_has_none() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(64, 64)))
    smooth = torch.nn.functional.avg_pool2d(noise[None], 5, stride=1, padding=2)[0]
    ratio = power_spectrum(smooth) / power_spectrum(noise)
    assert ratio[:3].mean() > 0.5
    assert ratio[20:].mean() < 0.05
    assert torch.equal(power_spectrum(torch.full((8, 8), 5.0)), torch.zeros(4))


def test_an_image_with_a_hole_has_no_spectrum_and_the_others_keep_theirs() -> None:
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 16, 16)))
    images[0, 3, 3] = math.nan
    spectra = power_spectrum(images)
    assert spectra[0].isnan().all()
    assert torch.isfinite(spectra[1]).all()
