"""One-shot members refined by a diffusion, on a Gaussian whose best denoiser is known, and in a forecast."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from framecast.core.errors import ConfigError
from framecast.data.archive.reader import Archive
from framecast.diffusion.sampler import DPMSolverPP
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import Cosine
from framecast.generators.denoiser import Denoiser
from framecast.generators.ensemble_loss import EnsembleLoss
from framecast.generators.kinds import OneShotOptions
from framecast.generators.one_shot import OneShot
from framecast.generators.refined import Refined
from framecast.models.checkpoint import load
from framecast.models.config import attach
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw

MEAN, STD = 0.8, 0.6
SHAPE = (1, 1, 8, 8)


class Exact(nn.Module):
    """The best v-prediction for N(MEAN, STD²) in every pixel."""

    def forward(self, x, time, past, label):
        alpha, sigma = (v.to(x)[:, None, None, None, None] for v in Cosine()((time.double() + 1) / 1000))
        x0 = (MEAN * sigma**2 + alpha * STD**2 * x) / (alpha**2 * STD**2 + sigma**2)
        noise = sigma * (x - alpha * MEAN) / (alpha**2 * STD**2 + sigma**2)
        return alpha * noise - sigma * x0


class Wrong(nn.Module):
    """Members with the right mean and a wrong spread: MEAN + 0.3 · noise."""

    def forward(self, x, time, past, label):
        return MEAN + 0.3 * x


def drawn(log_snr, *, steps=8, count=200):
    one = OneShot(Wrong(), loss=EnsembleLoss(), members=2)
    refined = Refined(one, Denoiser(Exact(), Cosine(), "v"), log_snr=log_snr)
    random = torch.Generator().manual_seed(0)
    noise = {k: torch.randn(count, *SHAPE, generator=random) for k in (0, *range(64, 80))}
    options = SamplingOptions(sampler=DPMSolverPP(), steps=steps)
    return refined.generate(torch.zeros(count, *SHAPE), noise=noise.__getitem__, options=options)


def test_the_noisier_the_more_it_is_the_diffusion_s_law():
    """Noised almost not at all the members keep their spread; noised wholly they have the diffusion's."""
    spreads = [drawn(log_snr).std().item() for log_snr in (3.9, 1.0, -4.0)]
    assert spreads[0] == pytest.approx(0.3, abs=0.04)
    assert spreads[2] == pytest.approx(STD, abs=0.04)
    assert spreads[0] < spreads[1] < spreads[2]
    assert drawn(0.0).mean().item() == pytest.approx(MEAN, abs=0.02)


@pytest.fixture(scope="module")
def pair(small_run):
    """A diffusion, and a one-shot model with its weights."""
    diffusion = load(small_run)
    options = OneShotOptions(diffusion=diffusion.config.generator)
    config = replace(diffusion.config, name="one", generator=options, sampling=SamplingOptions(precision="float32"))
    return Forecaster(config, attach(config, load(small_run).generator.network)), diffusion


@pytest.mark.thorough
def test_members_are_the_same_however_they_are_drawn(pair, small_archive):
    one, diffusion = pair
    refined = one.refined(diffusion, steps=2, log_snr=-1.0)
    archive = Archive.open(small_archive)
    past = torch.from_numpy(archive.read(archive.sequences[0], range(2)))
    whole = refined.forecast(past, members=4, seed=1)
    assert whole.attrs["steps"] == 3
    assert whole.attrs["model"] == "one+tiny"
    assert (whole == refined.forecast(past, members=4, seed=1, chunk=2)).all()
    alone = refined.draw(past, Draw(members=[2], options=refined.sampling, seed=1))
    assert (alone[0].numpy() == whole[2].transpose("channel", "lead_time", "y", "x").values).all()
    assert refined.options(steps=4).steps == 4


@pytest.mark.thorough
def test_only_a_one_shot_model_is_refined_by_a_diffusion_like_it(pair):
    one, diffusion = pair
    with pytest.raises(ConfigError, match="refined by a diffusion"):
        diffusion.refined(diffusion)
    with pytest.raises(ConfigError, match="refined by a diffusion"):
        one.refined(one)
    other = Forecaster(replace(diffusion.config, frames=replace(diffusion.frames, cadence=1.0)), diffusion.generator)
    with pytest.raises(ConfigError, match="differ"):
        one.refined(other)
