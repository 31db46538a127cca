import math

import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.core.seeding import MemberNoise, generator
from framecast.diffusion.draws import LogNormalTimes, UniformTimes
from framecast.diffusion.guidance import Guidance, drop_labels
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.sampler import DDIM, DPMSolverPP, UniPC, sample
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import Cosine, Karras, Linear, RectifiedFlow, ZeroTerminalSNR
from framecast.diffusion.times import FastDDPMUniform, Trailing
from framecast.diffusion.weighting import EDMWeighting, MinSNR
from framecast.generators.denoiser import Denoiser
from framecast.videos.masks import FrameMasks, make_condition, observe_past

VIDEO = (2, 3, 4, 5)


class Recorder(torch.nn.Module):
    """A network of one weight that remembers what it was told."""

    def __init__(self, dtype=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))
        self.dtype = dtype
        self.calls = []

    def forward(self, x, time, past, label=None):
        self.calls.append((x, time, past, label))
        F = self.weight * x + past.mean() + (0 if label is None else label[:, None, None, None, None])
        return F if self.dtype is None else F.to(self.dtype)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(n=3):
    x0, noise, past = normal(n, *VIDEO), normal(n, *VIDEO, seed=1), normal(n, 1, 2, 4, 5, seed=2)
    return x0, noise, past, torch.linspace(0.2, 1.0, n, dtype=torch.float64)


@pytest.mark.parametrize("schedule", [Linear(), ZeroTerminalSNR(), RectifiedFlow()], ids=repr)
@pytest.mark.parametrize("prediction", list(Prediction))
def test_a_perfect_network_has_no_loss_and_recovers_x0(schedule, prediction):
    if prediction is Prediction.EPSILON and schedule.reaches_pure_noise:
        with pytest.raises(ConfigError, match="use prediction v, x0 or flow"):
            Denoiser(Recorder(), schedule, prediction)
        return
    x0, noise, past, t = batch()
    t = t * 0.6  # the linear schedule keeps enough signal there for float32
    scale = schedule(t)
    network = torch.nn.Module()
    network.forward = lambda x, time, past, label=None: prediction.target(scale, x0, noise)
    denoiser = Denoiser(network, schedule, prediction)
    assert denoiser.loss(x0, past, t=t, noise=noise).abs().max() < 1e-10
    x_t = torch.stack([a * x + s * z for a, s, x, z in zip(*scale, x0, noise, strict=True)]).float()
    torch.testing.assert_close(denoiser(x_t, t, past), x0, rtol=1e-3, atol=1e-3)


def test_the_network_is_told_the_row_in_float32_and_the_noisy_video():
    x0, noise, past, t = batch()
    network = Recorder()
    Denoiser(network, Linear(), "epsilon").loss(x0, past, t=t, noise=noise)
    x, time, seen, label = network.calls[0]
    assert time.dtype == torch.float32
    assert time.tolist() == [199.0, 599.0, 999.0]
    assert label is None
    assert seen is past
    alpha, sigma = Linear()(t)
    for i in range(3):
        torch.testing.assert_close(x[i], (alpha[i] * x0[i] + sigma[i] * noise[i]).float())


@pytest.mark.parametrize("prediction", [Prediction.EPSILON, Prediction.V])
def test_the_loss_is_the_mean_squared_error_of_the_prediction(prediction):
    x0, noise, past, t = batch()
    network = Recorder()
    loss = Denoiser(network, Linear(), prediction).loss(x0, past, t=t, noise=noise)
    x = network.calls[0][0]
    error = network.weight * x + past.mean() - prediction.target(Linear()(t), x0, noise)
    assert loss.shape == (3,)
    torch.testing.assert_close(loss, error.square().mean(dim=(1, 2, 3, 4)))


def test_masked_pixels_change_neither_the_loss_nor_its_gradient():
    x0, noise, past, t = batch()
    mask = normal(3, *VIDEO, seed=4) > 0
    mask[2] = False
    network = Recorder()
    denoiser = Denoiser(network, Linear(), "v")

    def loss_and_gradient(filler):
        network.zero_grad()
        loss = denoiser.loss(torch.where(mask, x0, filler), past, t=t, noise=noise, mask=mask)
        loss.sum().backward()
        return loss.detach(), network.weight.grad.clone()

    loss, gradient = loss_and_gradient(0.0)
    for filler in (7.0, math.nan, math.inf):
        other, other_gradient = loss_and_gradient(filler)
        assert torch.equal(other, loss)
        assert torch.equal(other_gradient, gradient)
    assert loss[2] == 0
    x = network.calls[0][0]
    target = Prediction.V.target(Linear()(t), torch.where(mask, x0, 0.0), noise)
    squared = (network.weight * x + past.mean() - target).square()[0]
    torch.testing.assert_close(loss[0], squared[mask[0]].mean().detach())
    image = torch.rand(3, 1, 1, 4, 5) > 0.5
    spread = denoiser.loss(x0, past, t=t, noise=noise, mask=image)
    torch.testing.assert_close(spread, denoiser.loss(x0, past, t=t, noise=noise, mask=image.expand_as(x0)))


def test_the_weighting_multiplies_the_loss():
    x0, noise, past, t = batch()
    network = Recorder()
    plain = Denoiser(network, Cosine(), "epsilon").loss(x0, past, t=t, noise=noise)
    for weighting in (MinSNR(), EDMWeighting()):
        weighted = Denoiser(network, Cosine(), "epsilon", weighting=weighting).loss(x0, past, t=t, noise=noise)
        factor = weighting(Cosine()(t), Prediction.EPSILON)
        torch.testing.assert_close(weighted, plain * factor.float())


def test_an_output_in_another_precision_is_returned_in_that_of_the_video():
    x0, noise, past, t = batch()
    denoiser = Denoiser(Recorder(torch.bfloat16), Linear(), "v")
    assert denoiser(x0, t, past).dtype == torch.float32
    assert denoiser.loss(x0, past, t=t, noise=noise).dtype == torch.float32


def test_guidance_asks_once_with_both_labels_and_combines_them():
    x0, _, past, t = batch()
    label = torch.tensor([0, 2, 1])
    network = Recorder()
    denoiser = Denoiser(network, RectifiedFlow(), "x0", classes=4)
    guided = denoiser(x0, t, past, label, guidance=Guidance(scale=3.0))
    assert len(network.calls) == 1
    assert network.calls[0][3].tolist() == [0, 2, 1, 4, 4, 4]
    # The recorder adds the label: unconditional + 3 (conditional - unconditional) adds 4 + 3 (label - 4).
    plain = denoiser(x0, t, past)
    added = (4 + 3 * (label - 4)).float()[:, None, None, None, None]
    torch.testing.assert_close(guided, plain + added)
    torch.testing.assert_close(denoiser(x0, t, past, label, guidance=Guidance()), denoiser(x0, t, past, label))


def test_guidance_without_labels_is_refused():
    x0, _, past, t = batch()
    for classes, label in ((0, torch.zeros(3, dtype=torch.int64)), (4, None)):
        with pytest.raises(ConfigError, match="needs a label"):
            Denoiser(Recorder(), Linear(), "v", classes=classes)(x0, t, past, label, guidance=Guidance(scale=2.0))


def test_times_are_drawn_as_configured():
    rows = Linear().network_time(Denoiser(Recorder(), Linear(), "v").draw_times(20000, generator(0)))
    assert {0.0, 999.0} <= set(rows.tolist())
    grid = FastDDPMUniform()
    fast = Denoiser(Recorder(), Linear(), "v", grid=grid)
    assert set(fast.draw_times(500, generator(0)).tolist()) == set(grid.times(Linear()).tolist())
    draw = LogNormalTimes()
    levels = Denoiser(Recorder(), Karras(), "v", draw=draw).draw_times(8, generator(1))
    assert torch.equal(levels, draw.times(Karras(), None, 8, generator(1)))


def test_what_does_not_fit_a_fast_ddpm_grid_is_refused():
    Denoiser(Recorder(), Linear(), "v", grid=FastDDPMUniform(), draw=UniformTimes(stratified=True))
    with pytest.raises(ConfigError, match="use a table"):
        Denoiser(Recorder(), RectifiedFlow(), "v", grid=FastDDPMUniform())
    with pytest.raises(ConfigError, match="uniform times"):
        Denoiser(Recorder(), Linear(), "v", grid=FastDDPMUniform(), draw=LogNormalTimes())


# -- frame masks --------------------------------------------------------------------------------------------------


def test_observed_frames_are_given_clean_and_do_not_count():
    x0, noise, _, t = batch()
    observed = torch.tensor([[True, True, False], [False, True, False], [False, False, False]])
    condition = make_condition(x0, observed)
    network = Recorder()
    denoiser = Denoiser(network, Linear(), "v", frame_masks=True)
    loss = denoiser.loss(x0, condition, t=t, noise=noise)
    x = network.calls[0][0]
    assert torch.equal(x[0, :, :2], x0[0, :, :2])
    assert torch.equal(x[1, :, 1], x0[1, :, 1])
    target = Prediction.V.target(Linear()(t), x0, noise)
    squared = (network.weight * x + condition.mean() - target).square()
    torch.testing.assert_close(loss[0], squared[0, :, 2].mean())
    torch.testing.assert_close(loss[2], squared[2].mean())
    estimate = denoiser(normal(3, *VIDEO, seed=9), t, condition)
    assert torch.equal(estimate[0, :, :2], x0[0, :, :2])


class Line(torch.nn.Module):
    """A small network over the frames alone, for videos of one pixel."""

    def __init__(self, frames):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3 * frames + 2, 96), torch.nn.SiLU(), torch.nn.Linear(96, 96), torch.nn.SiLU()
        )
        self.out = torch.nn.Linear(96, frames)

    def forward(self, x, time, past, label=None):
        angle = time[:, None] / 1000 * math.pi / 2
        flat = torch.cat([x.flatten(1), past.flatten(1), angle.sin(), angle.cos()], dim=1)
        return self.out(self.layers(flat)).reshape(x.shape)


@pytest.mark.slow
def test_one_network_trained_with_masks_forecasts_fills_runs_backward_and_generates():
    """A straight line of random height and slope: any two frames give the rest, one does not, none gives the law."""
    frames, past, n = 4, 2, 512
    torch.manual_seed(0)
    network = Line(frames)
    denoiser = Denoiser(network, ZeroTerminalSNR(base=Cosine()), "v", frame_masks=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    steps = torch.arange(frames) - 1.5

    def lines(seed):
        height, slope = normal(2, n, 1, seed=seed)
        return (height + 0.5 * slope * steps)[:, None, :, None, None]

    count = 4000
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, count)
    for k in range(count):
        random = generator(1, k)
        video = lines(10 + k)
        condition = make_condition(video, FrameMasks().draw(n, past, frames - past, random))
        noise = torch.randn(video.shape, generator=random)
        loss = denoiser.loss(video, condition, t=denoiser.draw_times(n, random), noise=noise).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

    def fill(video, observed):
        condition = make_condition(video, observed.expand(n, -1))
        noise = MemberNoise(0, torch.zeros(n, dtype=torch.int64), torch.arange(n), (1, frames, 1, 1))
        times = Trailing().times(denoiser.schedule, 30)
        with torch.no_grad():
            return sample(
                lambda x, t: denoiser(x, t, condition), DPMSolverPP(), denoiser.schedule, times, noise(0), noise
            )

    truth = lines(0)
    tasks = {
        "forecast": observe_past(past, frames - past),
        "backward": ~observe_past(past, frames - past),
        "gaps": torch.tensor([True, False, False, True]),
    }
    for name, observed in tasks.items():
        filled = fill(truth, observed)
        assert torch.equal(filled[:, :, observed], truth[:, :, observed]), name
        rmse = (filled - truth)[:, :, ~observed].square().mean().sqrt()
        assert rmse < 0.2, (name, rmse)  # the frames vary by 1.1
    free = fill(truth * math.nan, torch.zeros(frames, dtype=torch.bool))[:, 0, :, 0, 0]
    law = truth[:, 0, :, 0, 0]
    assert (free.T.cov() - law.T.cov()).abs().max() < 0.35
    assert free.mean(0).abs().max() < 0.2
    curvature = (free[:, 2:] - 2 * free[:, 1:-1] + free[:, :-2]).std()
    assert curvature < 0.25


# -- brightness, and labels -----------------------------------------------------------------------------------------


class Classwise(torch.nn.Module):
    """A small network for videos of one pixel with a label."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3 + classes + 1, 64), torch.nn.SiLU(), torch.nn.Linear(64, 64), torch.nn.SiLU()
        )
        self.out = torch.nn.Linear(64, 1)

    def forward(self, x, time, past, label=None):
        angle = time[:, None] / 1000 * math.pi / 2
        which = torch.nn.functional.one_hot(label, self.classes + 1).float()
        inputs = [x.flatten(1), angle.sin(), angle.cos(), which]
        return self.out(self.layers(torch.cat(inputs, dim=1))).reshape(x.shape)


class MeanAndRest(torch.nn.Module):
    """A network that is linear in the image: one gain for its mean, one for the rest, both learnt over time.

    The mean is scaled to the size of its noise, and time is embedded in waves, as in any diffusion network.
    """

    def __init__(self, pixels):
        super().__init__()
        self.root = math.sqrt(pixels)
        self.register_buffer("waves", torch.logspace(0, -3.5, 24))
        self.gains = torch.nn.Sequential(torch.nn.Linear(48, 128), torch.nn.SiLU(), torch.nn.Linear(128, 2))

    def forward(self, x, time, past, label=None):
        phase = time[:, None] * self.waves
        gain = self.gains(torch.cat([phase.sin(), phase.cos()], dim=1))[:, :, None, None, None, None]
        mean = x.mean(dim=(1, 2, 3, 4), keepdim=True)
        return gain[:, 0] * mean * self.root + gain[:, 1] * (x - mean)


def train(denoiser, make, *, steps, rate=2e-3, seed=0):
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=rate)
    anneal = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for k in range(steps):
        random = generator(seed, k)
        x0, label = make(random)
        past, noise = torch.zeros_like(x0), torch.randn(x0.shape, generator=random)
        loss = denoiser.loss(x0, past, label, t=denoiser.draw_times(len(x0), random), noise=noise).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        anneal.step()


def draw_images(denoiser, n, shape, *, label=None, guidance=None, steps=100):
    noise = MemberNoise(1, torch.zeros(n, dtype=torch.int64), torch.arange(n), shape)
    past = torch.zeros(n, *shape)
    times = Trailing().times(denoiser.schedule, steps)
    with torch.no_grad():
        return sample(
            lambda x, t: denoiser(x, t, past, label, guidance=guidance),
            UniPC(),
            denoiser.schedule,
            times,
            noise(0),
            noise,
        )


@pytest.mark.slow
def test_zero_terminal_snr_with_v_reaches_brightnesses_that_linear_epsilon_cannot():
    """Constant images of any brightness (Lin et al. 2023, section 3).

    The last row of the linear schedule still holds 0.6 % of the image. In training the mean of x there has a standard
    deviation of 0.119, of which the noise makes 1/16; sampling starts from the noise alone, 0.52 times that, and so
    reaches half of the brightness that the data have. Where the schedule ends in pure noise, nothing is lost.
    """
    shape, brightness, n = (1, 1, 16, 16), 16.0, 500

    def images(random):
        return brightness * torch.randn(256, 1, 1, 1, 1, generator=random).expand(-1, *shape), None

    spread, far = {}, {}
    for name, schedule, prediction in (("plain", Linear(), "epsilon"), ("mended", ZeroTerminalSNR(), "v")):
        torch.manual_seed(0)
        denoiser = Denoiser(MeanAndRest(16 * 16), schedule, prediction)
        train(denoiser, images, steps=2000, rate=1e-2)
        means = draw_images(denoiser, n, shape).flatten(1).mean(dim=1)
        spread[name] = float(means.std()) / brightness
        far[name] = float((means.abs() > 1.5 * brightness).double().mean())
    # Of a normal law 13.4 % lies beyond 1.5 standard deviations.
    assert spread["mended"] == pytest.approx(1.0, abs=0.12), (spread, far)
    assert 0.08 < far["mended"] < 0.19, (spread, far)
    assert spread["plain"] < 0.7, (spread, far)
    assert far["plain"] < 0.04, (spread, far)


@pytest.mark.slow
def test_guidance_on_a_trained_network_sharpens_the_class():
    """Two classes whose laws overlap: more guidance moves the samples away from the other class."""
    shape = (1, 1, 1, 1)

    def images(random):
        label = torch.randint(0, 2, (512,), generator=random)
        value = (2 * label - 1) * 0.7 + 0.6 * torch.randn(512, generator=random)
        return value.reshape(-1, *shape), drop_labels(label, 2, random)

    torch.manual_seed(0)
    denoiser = Denoiser(Classwise(2), ZeroTerminalSNR(base=Cosine()), "v", classes=2)
    train(denoiser, images, steps=1500)
    label = torch.ones(2000, dtype=torch.int64)
    plain = draw_images(denoiser, 2000, shape, label=label)
    strong = draw_images(denoiser, 2000, shape, label=label, guidance=Guidance(scale=3.0))
    none = draw_images(denoiser, 2000, shape, label=label, guidance=Guidance(scale=0.0))
    assert abs(float(plain.mean()) - 0.7) < 0.1
    assert abs(float(plain.std()) - 0.6) < 0.1
    assert abs(float(none.mean())) < 0.12
    assert float(strong.mean()) > 1.0


def test_every_estimate_is_brought_within_the_bounds():
    """A network that says far too much: the steps go on from what is left of it, and so does the noise they carry."""
    denoiser = Denoiser(Recorder(), Linear(), Prediction.X0)
    denoiser.network.weight.data.fill_(50.0)
    noise, past = normal(3, *VIDEO), normal(3, 1, 2, 4, 5, seed=2)
    options = SamplingOptions(sampler=DDIM(), grid=Trailing(), steps=4)

    def draw(bounds):
        return denoiser.generate(past, noise=lambda k: noise, options=options, bounds=bounds)

    low, high = torch.full((1, 2, 1, 1, 1), -1.0), torch.tensor([2.0, torch.inf])[:, None, None, None]
    drawn = draw((low, high))
    assert (drawn.min(), drawn[:, 0].max()) == (-1.0, 2.0)
    assert drawn[:, 1].max() > 2
    states = [call[0] for call in denoiser.network.calls]
    t, s = (Linear()(time) for time in Trailing().times(Linear(), 4)[:2])
    x0 = (50 * states[0] + past.mean()).clamp(low, high)
    expected = s.alpha * x0 + s.sigma * (states[0] - t.alpha * x0) / t.sigma
    torch.testing.assert_close(states[1], expected.float())
    wide = torch.full((1, 1, 1, 1, 1), torch.inf)
    assert torch.equal(draw((-wide, wide)), draw(None))
