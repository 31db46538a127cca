"""Scores know no scale: values of any power of ten have the same figures in their own unit."""

import numpy as np
import pytest

from framecast.verification.evaluation import score
from framecast.verification.quantities import QUANTITIES

TRUTH = np.random.default_rng(0).gamma(2, 1, (1, 3, 16, 16)).astype(np.float32)
MEMBERS = np.random.default_rng(1).gamma(2, 1, (5, 1, 3, 16, 16)).astype(np.float32)


@pytest.mark.thorough
@pytest.mark.parametrize("power", [-36, -20, 16, 27, 35])
def test_scores_are_the_same_at_any_power_of_ten(power: int) -> None:
    factor = np.float32(10.0**power)
    plain, scaled = (score(MEMBERS * k, TRUTH * k, quantities=QUANTITIES) for k in (np.float32(1), factor))
    for name in ("crps", "rmse", "mae", "energy_score", "mean_crps", "integral_crps"):
        np.testing.assert_allclose(scaled[name], plain[name] * 10.0**power, rtol=2e-5)
    for name in ("spread_skill", "ssim", "psnr", "power_ratio", "coverage"):
        np.testing.assert_allclose(scaled[name], plain[name], rtol=2e-4)
