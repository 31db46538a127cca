import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framecast.core.errors import ConfigError
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.schedule import (
    ContinuousCosine,
    Cosine,
    Karras,
    Linear,
    RectifiedFlow,
    Scale,
    Schedule,
    ZeroTerminalSNR,
    broadcast,
)

SCHEDULES = [Linear(), Cosine(s=0.0), ZeroTerminalSNR(), ContinuousCosine(), RectifiedFlow(), Karras()]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-3, torch.bfloat16: 0.3}


def defined(prediction: Prediction, schedule: Schedule) -> bool:
    return not (prediction is Prediction.EPSILON and schedule.reaches_pure_noise)


def mix(scale: Scale, x0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    return broadcast(scale.alpha, x0) * x0 + broadcast(scale.sigma, x0) * noise


@pytest.mark.thorough
@settings(deadline=None, max_examples=100)
@given(
    prediction=st.sampled_from(list(Prediction)),
    schedule=st.sampled_from(SCHEDULES),
    shape=st.lists(st.integers(1, 3), max_size=4),
    dtype=st.sampled_from(list(TOLERANCE)),
    seed=st.integers(0, 99),
)
def test_the_clean_video_and_the_noise_are_recovered(prediction, schedule, shape, dtype, seed):
    """Away from the ends every prediction gives back what was mixed, in every dtype and shape."""
    generator = torch.Generator().manual_seed(seed)
    t = 0.3 + 0.4 * torch.rand(2, dtype=torch.float64, generator=generator)
    x0, noise = torch.randn(2, 2, *shape, generator=generator, dtype=torch.float64).to(dtype)
    scale = schedule(t)
    x_t = mix(scale, x0, noise)
    F = prediction.target(scale, x0, noise)
    assert F.dtype == prediction.x0(scale, x_t, F).dtype == prediction.noise(scale, x_t, F).dtype == dtype
    # The linear schedule has alpha = 0.04 at t = 0.7: rounding grows by its inverse.
    atol = TOLERANCE[dtype] / float(scale.alpha.min())
    torch.testing.assert_close(prediction.x0(scale, x_t, F), x0, rtol=0, atol=atol)
    atol = TOLERANCE[dtype] / float(scale.sigma.min())
    torch.testing.assert_close(prediction.noise(scale, x_t, F), noise, rtol=0, atol=atol)


def test_the_targets_are_those_of_the_papers():
    alpha, sigma = torch.tensor(0.6, dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64)
    x0, noise = torch.tensor([2.0], dtype=torch.float64), torch.tensor([-1.0], dtype=torch.float64)
    expected = {"epsilon": -1.0, "v": 0.6 * -1 - 0.8 * 2, "x0": 2.0, "flow": -3.0}
    for prediction in Prediction:
        assert float(prediction.target(Scale(alpha, sigma), x0, noise)) == pytest.approx(expected[prediction.value])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("prediction", "schedule"), [(p, s) for p in Prediction for s in SCHEDULES if defined(p, s)], ids=repr
)
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_nothing_is_undefined_at_either_end(prediction, schedule, dtype):
    t = torch.tensor([0.0, 1e-12, schedule.earliest, 1.0], dtype=torch.float64)
    x0, noise = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    scale = schedule(t)
    x_t = mix(scale, x0, noise)
    F = prediction.target(scale, x0, noise)
    for value in (F, prediction.x0(scale, x_t, F), prediction.noise(scale, x_t, F)):
        assert torch.isfinite(value).all()
    if dtype == torch.float64:
        torch.testing.assert_close(prediction.x0(scale, x_t, F)[0], x0[0])


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES if s.reaches_pure_noise], ids=repr)
def test_epsilon_is_refused_where_alpha_reaches_zero(schedule):
    with pytest.raises(ConfigError, match=r"epsilon.*use prediction v, x0 or flow"):
        Prediction.EPSILON.check(schedule)
    for prediction in set(Prediction) - {Prediction.EPSILON}:
        prediction.check(schedule)


def test_epsilon_is_allowed_where_a_trace_of_signal_remains():
    for schedule in (Linear(), Cosine(), Karras()):
        Prediction.EPSILON.check(schedule)
