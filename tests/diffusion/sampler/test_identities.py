"""What must hold for any estimate of the clean video, right or wrong."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from framecast.core.errors import ConfigError
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.sampler import DDIM, DDPM, AnySampler, DPMSolverPP, Evaluation, Heun, UniPC, sample
from framecast.diffusion.schedule import ContinuousCosine, Cosine, Karras, Linear, RectifiedFlow, ZeroTerminalSNR
from framecast.diffusion.times import FastDDPMNonUniform, FastDDPMUniform, Leading, Linspace, Quadratic, Trailing

SAMPLERS = [
    DDPM(),
    DDPM(variance="large"),
    DDIM(),
    DDIM(eta=0.3),
    DDIM(eta=1.0),
    DPMSolverPP(order=1),
    DPMSolverPP(),
    DPMSolverPP(stochastic=True),
    UniPC(order=1),
    UniPC(),
    UniPC(order=3),
    Heun(),
]
SCHEDULES = [
    Linear(),
    Linear(rows=30, beta_end=0.4),
    Cosine(s=0.0, clip=1.0),
    ZeroTerminalSNR(),
    ContinuousCosine(),
    RectifiedFlow(),
    Karras(),
]
GRIDS = [Leading(), Linspace(), Trailing(), Quadratic()]


def draw(shape, dtype, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def run(sampler, schedule, times, dtype=torch.float64, shape=(2, 3), denoise=None, seed=0):
    """Sample with a smooth, wrong denoiser and counted noise."""

    def wrong(x_t, t):
        return torch.tanh(0.7 * x_t + 0.2).to(x_t.dtype)

    return sample(denoise or wrong, sampler, schedule, times, draw(shape, dtype, seed), lambda k: draw(shape, dtype, k))


@pytest.mark.thorough
@settings(deadline=None, max_examples=150)
@given(
    sampler=st.sampled_from(SAMPLERS),
    schedule=st.sampled_from(SCHEDULES),
    grid=st.sampled_from(GRIDS),
    steps=st.integers(1, 12),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_every_run_is_finite_and_keeps_shape_and_type(sampler, schedule, grid, steps, shape, dtype):
    end = run(sampler, schedule, grid.times(schedule, steps), dtype, tuple(shape))
    assert end.dtype == dtype
    assert end.shape == tuple(shape)
    assert end.isfinite().all()


@pytest.mark.thorough
@settings(deadline=None, max_examples=100)
@given(
    sampler=st.sampled_from(SAMPLERS),
    schedule=st.sampled_from(SCHEDULES),
    grid=st.sampled_from(GRIDS),
    steps=st.integers(1, 8),
)
def test_the_result_is_exactly_the_last_estimate(sampler, schedule, grid, steps):
    seen = []

    def denoise(x_t, t):
        seen.append((float(t[0]), torch.cos(x_t)))
        return seen[-1][1]

    times = grid.times(schedule, steps)
    assert torch.equal(run(sampler, schedule, times, denoise=denoise), seen[-1][1])
    assert [t for t, _ in seen] == sampler.visits(times).tolist()
    assert sorted({t for t, _ in seen}, reverse=True) == times.tolist()


@pytest.mark.thorough
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DDIM(eta=1.0), DDPM()),
        (DDIM(), DPMSolverPP(order=1)),
        (DDPM(), DPMSolverPP(order=1, stochastic=True)),
    ],
    ids=repr,
)
def test_the_same_method_under_two_names(one, other, schedule):
    for grid in GRIDS:
        times = grid.times(schedule, 9)
        torch.testing.assert_close(run(one, schedule, times), run(other, schedule, times), rtol=1e-12, atol=1e-12)


def test_the_predictor_of_unipc_is_dpm_solver_until_the_first_correction():
    schedule, x = Linear(), draw((2, 3), torch.float64, 5)
    times = Trailing().times(schedule, 2)
    assert torch.equal(run(UniPC(), schedule, times[:1]), run(DPMSolverPP(), schedule, times[:1]))
    t, s = (schedule(time) for time in times)
    step = [sampler.step(Evaluation(x, x.tanh(), t), s, [], None) for sampler in (UniPC(), DPMSolverPP())]
    assert torch.equal(*step)


@pytest.mark.thorough
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_every_prediction_of_one_estimate_gives_one_result(sampler, schedule):
    times = Trailing().times(schedule, 7)
    results = []
    for prediction in Prediction:
        if prediction is Prediction.EPSILON and schedule.reaches_pure_noise:
            continue

        def denoise(x_t, t, prediction=prediction):
            scale, x0 = schedule(t), torch.tanh(0.7 * x_t + 0.2)
            noise = (x_t - scale.alpha[:, None] * x0) / scale.sigma[:, None]
            return prediction.x0(scale, x_t, prediction.target(scale, x0, noise))

        results.append(run(sampler, schedule, times, denoise=denoise))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_member_does_not_depend_on_its_batch(sampler):
    schedule = ZeroTerminalSNR()
    times = Trailing().times(schedule, 6)
    x, fresh = draw((5, 3, 7), torch.float32, 0), [draw((5, 3, 7), torch.float32, k) for k in range(20)]

    def denoise(x_t, t):
        return x_t * 0.3 + 0.1

    together = sample(denoise, sampler, schedule, times, x, lambda k: fresh[k])
    alone = sample(denoise, sampler, schedule, times, x[3:4], lambda k: fresh[k][3:4])
    assert torch.equal(alone[0], together[3])


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_noise_is_asked_for_only_where_it_is_used(sampler):
    asked = []

    def noise(k):
        asked.append(k)
        return torch.zeros(2, 3, dtype=torch.float64)

    schedule = Linear()
    sample(lambda x, t: x, sampler, schedule, Trailing().times(schedule, 5), torch.zeros(2, 3).double(), noise)
    assert asked == ([1, 2, 3, 4] if sampler.needs_noise else [])


def test_how_often_the_network_is_evaluated():
    schedule = Linear()
    for sampler, evaluations in ((DDIM(), 4), (Heun(), 7)):
        asked = []

        def denoise(x, t, asked=asked):
            asked.append(t)
            return x

        sample(
            denoise, sampler, schedule, Trailing().times(schedule, 4), torch.zeros(1, 1), lambda k: torch.zeros(1, 1)
        )
        assert len(asked) == evaluations
    assert [Heun().nodes(n) for n in (1, 2, 3, 8, 9)] == [1, 1, 2, 4, 5]


def test_clipping_the_estimate_bounds_the_result_and_the_carried_noise_follows():
    schedule = Linear()
    t, s = (schedule(time) for time in Trailing().times(schedule, 2))
    x_t, x0 = torch.tensor([3.0], dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    noise = (x_t - t.alpha * x0) / t.sigma
    torch.testing.assert_close(DDIM().step(Evaluation(x_t, x0, t), s, [], None), s.alpha * x0 + s.sigma * noise)


@pytest.mark.parametrize("grid", [FastDDPMUniform(), FastDDPMNonUniform()], ids=repr)
def test_fast_ddpm_walks_its_list_whole(grid):
    visited = []

    def denoise(x_t, t):
        visited.append(int(Linear().network_time(t)[0]))
        return x_t

    run(DDIM(), Linear(), grid.times(Linear()), denoise=denoise)
    assert visited == grid.rows(1000).flip(0).tolist()


def test_impossible_samplers_are_refused():
    with pytest.raises(ConfigError, match=r"eta is 1\.5"):
        DDIM(eta=1.5)
    with pytest.raises(ConfigError, match="orders 1, 2 and 3"):
        UniPC(order=4)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_sampler_survives_its_configuration(sampler):
    adapter = TypeAdapter(AnySampler)
    assert adapter.validate_json(adapter.dump_json(sampler)) == sampler
