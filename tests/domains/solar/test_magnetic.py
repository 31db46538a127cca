"""What is made of a magnetogram: flux, its balance, and the gradient at the neutral line."""

import numpy as np
import pytest
import torch

from framecast.domains.solar.magnetic import (
    MAGNETIC_QUANTITIES,
    neutral_line_gradient,
    unsigned_flux,
)
from framecast.verification.quantities import measure

FUNCTIONS = {quantity.name: quantity.function for quantity in MAGNETIC_QUANTITIES}


def bipole(*, gap: int, strength: float, noise: float = 0.0) -> torch.Tensor:
    """``[time 2, 32, 32]``: two polarities of 6 rows, ``gap`` columns apart; twice as strong in the second frame."""
    field = np.random.default_rng(0).normal(0, noise, (2, 32, 32))
    field[:, 10:16, 10:14] += strength
    field[:, 10:16, 14 + gap : 18 + gap] -= strength
    return torch.from_numpy(field * np.array([1.0, 2.0])[:, None, None])


def test_the_neutral_line_is_where_polarities_meet():
    """Six rows of a step from +100 to -100 are 1200 along the line; a gap of empty pixels has none."""
    together = bipole(gap=0, strength=100.0, noise=1.0)
    np.testing.assert_allclose(neutral_line_gradient(together), [1200, 2400], rtol=0.02)
    np.testing.assert_allclose(FUNCTIONS["peak_gradient"](together, 0.0), 2400, rtol=0.02)
    assert neutral_line_gradient(bipole(gap=3, strength=100.0, noise=1.0)).max() < 0.2 * 1200


def test_noise_has_next_to_no_neutral_line_and_the_unit_does_not_matter():
    noise = torch.from_numpy(np.random.default_rng(1).normal(0, 5, (4, 64, 64)))
    every = (noise[:, 1:] - noise[:, :-1]).abs().sum((-2, -1)) + (noise[..., 1:] - noise[..., :-1]).abs().sum((-2, -1))
    assert (neutral_line_gradient(noise) < 0.01 * every).all()
    together = bipole(gap=0, strength=100.0, noise=1.0)
    torch.testing.assert_close(neutral_line_gradient(1e-3 * together), 1e-3 * neutral_line_gradient(together))


def test_fluxes_of_a_balanced_region():
    field = bipole(gap=2, strength=50.0)
    np.testing.assert_allclose(unsigned_flux(field), [2 * 24 * 50, 2 * 24 * 100])
    assert FUNCTIONS["peak_unsigned_flux"](field, 0.0) == pytest.approx(4800)


@pytest.mark.parametrize("quantity", MAGNETIC_QUANTITIES, ids=lambda quantity: quantity.name)
def test_every_quantity_is_measured_on_the_judged_pixels_alone(quantity):
    """Beyond the limb there is no field: pixels that are not judged change nothing, and reversed poles only a sign."""
    video = bipole(gap=0, strength=100.0, noise=2.0)[None]
    valid = torch.ones_like(video, dtype=torch.bool)
    valid[..., :6] = False
    spoilt = torch.where(valid, video, 1e6)
    found, kept = measure(quantity, spoilt, valid, 3600.0), measure(quantity, video, valid, 3600.0)
    torch.testing.assert_close(found, kept)
    assert found.shape == ((1, 2) if quantity.by_lead else (1,))
    torch.testing.assert_close(measure(quantity, -video, valid, 3600.0).abs(), kept.abs())
