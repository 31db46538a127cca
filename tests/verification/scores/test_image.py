"""SSIM and MS-SSIM against scikit-image, torchmetrics and values worked by hand."""

import math

import numpy as np
import pytest
import scoringrules
import torch
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as torchmetrics_ms_ssim

from framecast.verification.scores import power_spectrum, similarities, threshold_weighted_crps, variogram_score
from framecast.verification.scores.image import scales


def ssim(*images: torch.Tensor, data_range: float) -> torch.Tensor:
    return similarities(*images, data_range=data_range)[0]


def ms_ssim(*images: torch.Tensor, data_range: float) -> torch.Tensor:
    return similarities(*images, data_range=data_range)[1]


def _pair(height: int, width: int, noise: float = 8.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth image of about 0 to 100 and a noisy copy, in double precision."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    image = 50 + 30 * np.sin(x / 9) * np.cos(y / 7) + 20 * np.exp(-((x - 20) ** 2 + (y - 12) ** 2) / 60)
    return torch.from_numpy(image + random.normal(size=image.shape) * noise), torch.from_numpy(image)


@pytest.mark.parametrize("size", [(40, 56), (64, 64), (11, 30), (7, 9)])
@pytest.mark.parametrize("data_range", [100.0, 30.0])
def test_scikit_image_agrees(size: tuple[int, int], data_range: float) -> None:
    forecast, truth = _pair(*size)
    window = min(11, (min(size) - 1) // 2 * 2 + 1)
    if window == 11:
        expected = structural_similarity(
            truth.numpy(), forecast.numpy(), data_range=data_range, gaussian_weights=True, use_sample_covariance=False
        )
        assert ssim(forecast, truth, data_range=data_range).item() == pytest.approx(expected, rel=1e-9)
    assert -1 <= ssim(forecast, truth, data_range=data_range) < 1


def test_torchmetrics_agrees_on_five_scales_but_for_its_padded_border() -> None:
    forecast, truth = (image.float()[None, None] for image in _pair(200, 256))
    expected = torchmetrics_ms_ssim(forecast, truth, data_range=100.0, normalize="relu")
    assert ms_ssim(forecast, truth, data_range=100.0).item() == pytest.approx(expected.item(), abs=0.01)


def test_scales_follow_the_size() -> None:
    assert [scales(n, 500) for n in (8, 21, 22, 43, 44, 88, 175, 176, 1024)] == [1, 1, 2, 2, 3, 4, 4, 5, 5]
    forecast, truth = _pair(16, 20)
    torch.testing.assert_close(ms_ssim(forecast, truth, data_range=50.0), ssim(forecast, truth, data_range=50.0))


def test_hand_worked_values() -> None:
    flat, lifted = torch.full((12, 12), 4.0), torch.full((12, 12), 6.0)
    c1 = (0.01 * 10) ** 2
    expected = (2 * 4 * 6 + c1) / (16 + 36 + c1)  # contrasts are alike: both zero
    assert ssim(lifted, flat, data_range=10.0).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("score", [ssim, ms_ssim])
def test_an_image_is_most_like_itself_and_order_does_not_matter(score) -> None:
    forecast, truth = _pair(48, 48)
    assert score(truth, truth, data_range=100.0).item() == pytest.approx(1.0)
    there, back = score(forecast, truth, data_range=100.0), score(truth, forecast, data_range=100.0)
    torch.testing.assert_close(there, back)
    noisier = score(_pair(48, 48, noise=20)[0], truth, data_range=100.0)
    assert noisier < there < 1
    scaled = score(forecast * 1000, truth * 1000, data_range=1e5)  # another unit
    torch.testing.assert_close(scaled, there)
    turned = score(forecast.flip(-1), truth.flip(-1), data_range=100.0)
    torch.testing.assert_close(turned, there)


def test_unknown_pixels_and_leading_axes() -> None:
    forecast, truth = _pair(32, 40)
    hole = truth.clone()
    hole[:16] = torch.nan  # no window crosses the middle
    torch.testing.assert_close(
        ssim(forecast, hole, data_range=100.0), ssim(forecast[16:], truth[16:], data_range=100.0)
    )
    stack = torch.stack([truth, forecast, torch.full_like(truth, torch.nan)]).reshape(3, 1, 32, 40)
    many = ssim(stack, truth.expand(3, 1, 32, 40), data_range=100.0)
    assert many.shape == (3, 1)
    assert many[0, 0] == pytest.approx(1.0)
    assert many[1, 0] == ssim(forecast, truth, data_range=100.0)
    assert math.isnan(many[2, 0])


def test_ssim_can_be_learnt_from() -> None:
    forecast, truth = _pair(24, 24)
    forecast.requires_grad_()
    before = ssim(forecast, truth, data_range=100.0)
    before.backward()
    step = 20 * forecast.grad / forecast.grad.norm()
    assert ssim(forecast.detach() + step, truth, data_range=100.0) > before


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


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_two_pixels_as_scoringrules_has_it(power):
    members, truth = torch.randn(6, 1, 2).double(), torch.randn(1, 2).double()
    expected = scoringrules.vs_ensemble(truth.numpy()[0], members.numpy()[:, 0], p=power)
    # There each pair is counted in both orders, and a pixel with itself, which adds nothing.
    assert 2 * float(variogram_score(members, truth, power=power)) == pytest.approx(float(expected))


def test_many_pairs_are_averaged_and_unknown_ones_left_out():
    members, truth = torch.randn(4, 3, 5), torch.randn(3, 5)
    truth[0, 0] = torch.nan
    pairs = []
    for lag in (1, 2):
        for a in np.ndindex(3, 5):
            for b in ((a[0] + lag, a[1]), (a[0], a[1] + lag)):
                if b[0] < 3 and b[1] < 5:
                    expected = (members[:, *a] - members[:, *b]).abs().sqrt().mean()
                    pairs.append(float(((truth[a] - truth[b]).abs().sqrt() - expected) ** 2))
    assert float(variogram_score(members, truth, lags=(1, 2))) == pytest.approx(np.nanmean(pairs), rel=1e-5)


def test_white_noise_of_the_right_spread_scores_worse_than_smooth_members():
    def smooth(*shape):
        return torch.nn.functional.avg_pool2d(torch.randn(*shape, 40, 40), 9, stride=1) * 9

    truth, members = smooth(1)[0], smooth(20)
    assert variogram_score(members, truth) < 0.7 * variogram_score(torch.randn(20, 32, 32), truth)


def test_the_crps_above_a_threshold_as_scoringrules_has_it():
    members, truth = torch.randn(8, 100).double(), torch.randn(100).double()
    expected = scoringrules.twcrps_ensemble(truth.numpy(), members.numpy().T, a=0.4, estimator="fair")
    assert threshold_weighted_crps(members, truth, 0.4).numpy() == pytest.approx(expected)
    assert float(threshold_weighted_crps(members, truth, 99.0).abs().max()) == 0
