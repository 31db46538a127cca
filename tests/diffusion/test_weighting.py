import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.schedule import Cosine, Karras, Linear, RectifiedFlow, ZeroTerminalSNR
from framecast.diffusion.weighting import EDMWeighting, MinSNR, UniformWeighting

T = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)


@pytest.mark.parametrize("schedule", [Linear(), Cosine(), Karras()], ids=repr)
def test_min_snr_is_what_the_paper_states_for_each_prediction(schedule):
    scale = schedule(T)
    snr, clipped = scale.snr, scale.snr.clamp(max=5.0)
    expected = {
        Prediction.EPSILON: clipped / snr,
        Prediction.V: clipped / (snr + 1),
        Prediction.X0: clipped,
        Prediction.FLOW: clipped / (1 + snr.sqrt()) ** 2,
    }
    for prediction, weight in expected.items():
        torch.testing.assert_close(MinSNR()(scale, prediction), weight)


@pytest.mark.parametrize("weighting", [MinSNR(gamma=2.0), EDMWeighting(sigma_data=0.5)], ids=repr)
@pytest.mark.parametrize("schedule", [Linear(), RectifiedFlow()], ids=repr)
def test_a_weight_means_the_same_x0_error_under_every_prediction(weighting, schedule):
    """The weighted squared error of F equals the x0 weight times the squared error of x0, whatever F is."""
    scale = schedule(T)
    x0, wrong, noise = torch.randn(3, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_t = scale.alpha * x0 + scale.sigma * noise
    wrong_noise = (x_t - scale.alpha * wrong) / scale.sigma
    loss = [
        weighting(scale, p) * (p.target(scale, wrong, wrong_noise) - p.target(scale, x0, noise)) ** 2
        for p in Prediction
    ]
    for value in loss:
        torch.testing.assert_close(value, loss[0], rtol=1e-6, atol=1e-9)


def test_edm_is_the_weight_of_karras_and_one_for_v():
    scale = Karras()(T)
    sigma = scale.sigma / scale.alpha
    kept = sigma > 1e-6
    expected = (sigma**2 + 0.25) / (sigma * 0.5) ** 2
    weight = EDMWeighting(sigma_data=0.5)(scale, Prediction.X0)
    torch.testing.assert_close(weight[kept], expected[kept], rtol=1e-6, atol=0)
    torch.testing.assert_close(EDMWeighting()(scale, Prediction.V), torch.ones_like(T))


@pytest.mark.parametrize("weighting", [UniformWeighting(), MinSNR(), EDMWeighting()], ids=repr)
@pytest.mark.parametrize("prediction", [Prediction.V, Prediction.X0, Prediction.FLOW])
def test_weights_are_finite_at_pure_noise(weighting, prediction):
    weight = weighting(ZeroTerminalSNR()(torch.tensor([0.001, 0.5, 1.0], dtype=torch.float64)), prediction)
    assert weight.isfinite().all()
    assert (weight >= 0).all()


def test_impossible_weights_are_refused():
    with pytest.raises(ConfigError, match="gamma"):
        MinSNR(gamma=0.0)
    with pytest.raises(ConfigError, match="sigma_data"):
        EDMWeighting(sigma_data=-1.0)
