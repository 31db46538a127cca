"""Every sampler on data whose best denoiser is known in closed form: what comes out must be the data again.

For Gaussian data the denoiser is affine, and so is every sampler. The map from the initial noise and the fresh noise
of each step to the result is then known exactly from one run on unit vectors, and with it the mean and the standard
deviation of the result: no Monte Carlo, and errors of a per cent are visible.
"""

import math
from itertools import product

import pytest
import torch

from framecast.core.seeding import MemberNoise
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.sampler import DDIM, DDPM, DPMSolverPP, Heun, UniPC, sample, trajectory
from framecast.diffusion.schedule import (
    ContinuousCosine,
    ContinuousLinear,
    Cosine,
    Karras,
    Linear,
    RectifiedFlow,
    ZeroTerminalSNR,
    broadcast,
)
from framecast.diffusion.times import (
    FastDDPM,
    FastDDPMNonUniform,
    FastDDPMUniform,
    Leading,
    Linspace,
    LogSNR,
    Quadratic,
    Trailing,
)
from framecast.generators.denoiser import Denoiser

pytestmark = pytest.mark.thorough

MEAN, STD = 1.5, 0.6

SCHEDULES = [
    Linear(),
    Cosine(),
    ZeroTerminalSNR(),
    ZeroTerminalSNR(base=Cosine()),
    ContinuousLinear(),
    ContinuousCosine(s=0.0),
    RectifiedFlow(),
    Karras(),
]
GRIDS = [
    Leading(),
    Linspace(),
    Trailing(),
    Quadratic(),
    LogSNR(),
    FastDDPMUniform(steps=100),
    FastDDPMNonUniform(steps=100),
]


def short(value):
    kind = getattr(value, "kind", value)
    options = [str(v) for k, v in getattr(value, "__dict__", {}).items() if k not in ("kind", "rows", "s", "clip")]
    return "-".join([str(kind), *(o if len(o) < 8 else "cosine" if "osine" in o else "" for o in options)]).strip("-")


def in_turn(samplers, others, every):
    """Return all pairs as parameters: of each sampler every so many-th one is for daily work, the others are slow."""
    return [
        pytest.param(sampler, other, marks=() if (k + i) % every == 0 else pytest.mark.slow, id=named(sampler, other))
        for k, sampler in enumerate(samplers)
        for i, other in enumerate(others)
    ]


def named(*values):
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return "-".join(map(short, parts))


def unused(k):
    raise AssertionError("a deterministic sampler asked for noise")


def defined(prediction, schedule):
    return not (prediction is Prediction.EPSILON and schedule.reaches_pure_noise)


def gaussian(schedule, prediction):
    """Return the denoiser of N(MEAN, STD²), by way of what the network would predict."""

    def denoise(x_t, t):
        scale = schedule(t)
        alpha, sigma = (broadcast(value, x_t) for value in scale)
        x0 = (MEAN * sigma**2 + alpha * STD**2 * x_t) / (alpha**2 * STD**2 + sigma**2)
        noise = sigma * (x_t - alpha * MEAN) / (alpha**2 * STD**2 + sigma**2)
        return prediction.x0(scale, x_t, prediction.target(scale, x0, noise))

    return denoise


def moments(denoise, sampler, schedule, times):
    """Return mean and standard deviation of the result, exactly, started from the true law at the first time."""
    draws = len(sampler.visits(times)) + 1
    unit = torch.eye(draws + 1, draws, dtype=torch.float64)  # one noise each, and a last row without any
    end = sample(denoise, sampler, schedule, times, unit[:, 0][None], lambda k: unit[:, k][None])[0]
    offset, gains = end[-1], end[:-1] - end[-1]
    start = schedule(times[0])
    mean = offset + gains[0] * start.alpha * MEAN
    variance = gains[0] ** 2 * (start.alpha**2 * STD**2 + start.sigma**2) + (gains[1:] ** 2).sum()
    return float(mean), float(variance.sqrt())


def error(sampler, prediction, schedule, grid, steps):
    """Return the larger of the errors of the mean and of the standard deviation."""
    mean, std = evaluate(sampler, prediction, schedule, grid, steps)
    return max(abs(mean - MEAN), abs(std - STD))


def evaluate(sampler, prediction, schedule, grid, steps):
    times = grid.times(schedule) if isinstance(grid, FastDDPM) else grid.times(schedule, sampler.nodes(steps))
    return moments(gaussian(schedule, prediction), sampler, schedule, times)


# What each sampler may err by with 100 evaluations on trailing times, and on any grid, whose ends it has to jump.
BOUNDS = {
    DDPM(): (0.04, 0.06),
    DDPM(variance="large"): (0.012, 0.015),
    DDIM(): (0.018, 0.03),
    DDIM(eta=0.5): (0.022, 0.035),
    DDIM(eta=1.0): (0.04, 0.06),
    DPMSolverPP(order=1): (0.018, 0.03),
    DPMSolverPP(): (0.0015, 0.02),
    DPMSolverPP(stochastic=True): (0.01, 0.07),
    UniPC(order=1): (0.006, 0.012),
    UniPC(): (0.001, 0.02),
    UniPC(order=3): (0.004, 0.06),
    Heun(): (0.006, 0.006),
}
SAMPLERS = list(BOUNDS)


@pytest.mark.parametrize(("sampler", "schedule"), in_turn(SAMPLERS, SCHEDULES, every=4))
def test_gaussian_data_come_back(sampler, schedule):
    assert error(sampler, Prediction.V, schedule, Trailing(), 100) < BOUNDS[sampler][0]


@pytest.mark.parametrize(("sampler", "grid"), in_turn([DDPM(), DDIM(), DPMSolverPP(), UniPC()], GRIDS, every=2))
def test_gaussian_data_come_back_on_every_grid(sampler, grid):
    assert error(sampler, Prediction.EPSILON, Linear(), grid, 100) < BOUNDS[sampler][1]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES, ids=short)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=short)
def test_gaussian_data_come_back_in_every_combination(sampler, schedule):
    for prediction, grid in product(Prediction, GRIDS):
        if defined(prediction, schedule) and not (schedule.rows is None and isinstance(grid, FastDDPM)):
            assert error(sampler, prediction, schedule, grid, 100) < BOUNDS[sampler][1], (prediction, grid)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [Linear(), ZeroTerminalSNR(), RectifiedFlow()], ids=short)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=short)
def test_a_thousand_steps_are_exact_to_half_a_per_cent(sampler, schedule):
    assert error(sampler, Prediction.V, schedule, Trailing(), 1000) < 0.005


# -- a mixture of two Gaussians -----------------------------------------------------------------------------------

WEIGHTS, MEANS, STDS = (0.3, 0.7), (-2.0, 1.5), (0.3, 0.5)


def mixture(schedule, prediction):
    """Return the denoiser of the mixture, by way of what the network would predict."""

    def denoise(x_t, t):
        scale = schedule(t)
        alpha, sigma = (broadcast(value, x_t) for value in scale)
        logits, means = [], []
        for weight, mean, std in zip(WEIGHTS, MEANS, STDS, strict=True):
            variance = alpha**2 * std**2 + sigma**2
            logits.append(math.log(weight) - 0.5 * variance.log() - 0.5 * (x_t - alpha * mean) ** 2 / variance)
            means.append((mean * sigma**2 + alpha * std**2 * x_t) / variance)
        x0 = (torch.softmax(torch.stack(logits), 0) * torch.stack(means)).sum(0)
        noise = torch.where(sigma > 0, (x_t - alpha * x0) / sigma, 0.0)
        return prediction.x0(scale, x_t, prediction.target(scale, x0, noise))

    return denoise


CASES = [
    (Linear(), Prediction.EPSILON),
    (Cosine(), Prediction.X0),
    (ZeroTerminalSNR(), Prediction.V),
    (RectifiedFlow(), Prediction.FLOW),
    (Karras(), Prediction.V),
]


@pytest.mark.parametrize(("sampler", "case"), in_turn(SAMPLERS, CASES, every=len(CASES)))
def test_a_mixture_keeps_its_weights_and_shapes(sampler, case):
    schedule, prediction = case
    # Deterministic samplers are given the quantiles of the normal law: their result has no sampling error.
    n = 4000
    if sampler.needs_noise:
        noise = MemberNoise(1, torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), (n,))
        start, chance = noise(0).double(), 4.0
    else:
        u = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        start, noise, chance = torch.special.ndtri(u)[None], unused, 0.0
    times = Trailing().times(schedule, sampler.nodes(100))
    end = sample(mixture(schedule, prediction), sampler, schedule, times, start, noise)[0]
    for weight, mean, std, part in zip(WEIGHTS, MEANS, STDS, (end[end < -0.6], end[end >= -0.6]), strict=True):
        # 4 standard errors of chance for stochastic samplers, and 0.04 for the steps.
        assert abs(len(part) / n - weight) < 0.015 + chance * math.sqrt(0.21 / n)
        assert abs(float(part.mean()) - mean) < 0.04 + chance * std / math.sqrt(len(part))
        assert abs(float(part.std()) - std) < 0.04 + chance * std / math.sqrt(2 * len(part))


# -- a video that depends on its past -----------------------------------------------------------------------------

FRAMES, PAST, PIXELS, MEMORY = 5, 2, 2, 0.8


class ClosedFormNetwork(torch.nn.Module):
    """The network of a Gaussian video in which each pixel is a stationary autoregression, known given its past."""

    def __init__(self, schedule, prediction):
        super().__init__()
        self.schedule, self.prediction = schedule, prediction
        k = torch.arange(FRAMES, dtype=torch.float64)
        covariance = MEMORY ** (k[:, None] - k).abs()
        seen, unseen = slice(0, PAST), slice(PAST, None)
        self.gain = covariance[unseen, seen] @ covariance[seen, seen].inverse()
        self.covariance = covariance[unseen, unseen] - self.gain @ covariance[seen, unseen]

    def mean(self, past):
        return torch.einsum("fp,bcpij->bcfij", self.gain, past.double())

    def forward(self, x, time, past, label=None):
        t = (time.double() + 1) / self.schedule.rows if self.schedule.rows else time.double() / 1000
        scale = self.schedule(t)
        alpha, sigma = scale.alpha[:, None, None], scale.sigma[:, None, None]
        mean, x = self.mean(past), x.double()
        shrink = alpha * self.covariance @ (alpha**2 * self.covariance + sigma**2 * torch.eye(FRAMES - PAST)).inverse()
        residual = x - broadcast(scale.alpha, x) * mean
        x0 = mean + torch.einsum("bfg,bcgij->bcfij", shrink, residual)
        noise = (x - broadcast(scale.alpha, x) * x0) / broadcast(scale.sigma, x)
        return self.prediction.target(scale, x0, noise).float()


@pytest.mark.parametrize(
    ("sampler", "case"), in_turn([DDPM(), DDIM(), DPMSolverPP(), UniPC(), Heun()], CASES, every=len(CASES))
)
def test_a_gaussian_video_is_forecast_with_its_conditional_law(sampler, case):
    """Denoiser, member noise and sampler together: mean given the past, and covariance over the frames."""
    schedule, prediction = case
    network = ClosedFormNetwork(schedule, prediction)
    denoiser = Denoiser(network, schedule, prediction)
    n = 1500
    one = torch.tensor([1.0, -0.5]).expand(1, 1, 1, PIXELS, PAST).movedim(-1, 2)
    past = one.expand(n, 1, PAST, 1, PIXELS)
    noise = MemberNoise(3, torch.zeros(n, dtype=torch.int64), torch.arange(n), (1, FRAMES - PAST, 1, PIXELS))
    times = Trailing().times(schedule, sampler.nodes(80))
    future = sample(lambda x, t: denoiser(x, t, past), sampler, schedule, times, noise(0), noise)
    assert future.dtype == torch.float32
    series = future[:, 0, :, 0].movedim(1, 2).reshape(-1, FRAMES - PAST).double()  # pixels are independent
    count = len(series)
    expected = network.mean(one)[0, 0, :, 0, 0]
    std = network.covariance.diagonal().sqrt()
    assert (series.mean(0) - expected).abs().max() < 0.03 + 4 * float(std.max()) / math.sqrt(count)
    assert (series.T.cov() - network.covariance).abs().max() < 0.05 + 4 * float(std.max() ** 2) * math.sqrt(2 / count)


# -- the order of convergence -------------------------------------------------------------------------------------

# Between which bounds the order lies. UniPC starts with a step of lower order, whose error falls with the third power
# and shows in the third order's own, smaller error on some schedules.
ORDERS = {
    DDIM(): (0.9, 1.1),
    DPMSolverPP(order=1): (0.9, 1.1),
    DPMSolverPP(): (1.8, 2.2),
    UniPC(order=1): (1.9, 2.1),
    UniPC(): (2.8, 3.5),
    UniPC(order=3): (2.6, 4.1),
    Heun(): (1.9, 2.2),
}


def error_of_the_flow(sampler, schedule, intervals):
    """Return the error at t = 0.2 of the flow from t = 0.9, whose solution for Gaussian data is a straight map."""
    times = torch.linspace(0.9, 0.2, intervals + 1, dtype=torch.float64)
    start = torch.tensor([[-1.0, 0.3, 2.0]], dtype=torch.float64)
    states = list(trajectory(gaussian(schedule, Prediction.V), sampler, schedule, times, start, unused))
    t, s = schedule(times[0]), schedule(times[-1])
    spread = [(scale.alpha**2 * STD**2 + scale.sigma**2).sqrt() for scale in (t, s)]
    exact = s.alpha * MEAN + spread[1] / spread[0] * (start - t.alpha * MEAN)
    return float((states[-2] - exact).abs().max())


@pytest.mark.parametrize(
    ("sampler", "schedule"), in_turn(ORDERS, [ContinuousCosine(), RectifiedFlow(), ContinuousLinear()], every=3)
)
def test_halving_the_step_divides_the_error_by_two_to_the_order(sampler, schedule):
    bounds = ORDERS[sampler]
    coarse, fine = (error_of_the_flow(sampler, schedule, n) for n in (80, 320))
    assert bounds[0] < math.log2(coarse / fine) / 2 < bounds[1], (coarse, fine)
