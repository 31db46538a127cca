import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.data.archive.reader import Archive
from framecast.diffusion.guidance import Guidance
from framecast.diffusion.sampler import DDIM, Heun
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import Cosine, RectifiedFlow
from framecast.diffusion.times import FastDDPMUniform, LogSNR, Trailing
from framecast.models.config import attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw, chunk_size
from framecast.networks import PaletteVideo, VideoUNet
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe

pytestmark = pytest.mark.portable


@pytest.fixture(scope="module")
def labelled(small_archive, small_changes):
    """A forecaster with two classes and random weights, and a past."""
    archive = Archive.open(small_archive)
    prepared = prepare(load_recipe("tiny", small_changes), archive)
    model = replace(prepared.model, labels=("quiet", "flare"))
    torch.manual_seed(0)
    network = build_network(model)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    past = torch.from_numpy(archive.read(archive.sequences[0], range(2)))
    return Forecaster(model, attach(model, network)), past


def test_members_follow_their_label(labelled):
    forecaster, past = labelled
    drawn = {label: forecaster.forecast(past, label, members=1) for label in ("quiet", "flare", None)}
    assert drawn["quiet"].attrs["label"] == "quiet"
    assert "label" not in drawn[None].attrs
    assert len({value.values.tobytes() for value in drawn.values()}) == 3


def test_guidance_moves_members_away_from_the_unconditional_ones(labelled):
    forecaster, past = labelled
    options = forecaster.sampling

    def draw(label, scale):
        guided = replace(options, guidance=Guidance(scale=scale))
        return forecaster.draw(past, Draw(members=[0], seed=0, label=label, options=guided))

    torch.testing.assert_close(draw("flare", 0.0), draw(None, 1.0))
    assert not torch.allclose(draw("flare", 3.0), draw("flare", 1.0))


def test_an_unknown_label_names_the_known_ones(labelled):
    forecaster, past = labelled
    with pytest.raises(ConfigError, match=r"'storm' .* quiet, flare"):
        forecaster.forecast(past, "storm", members=1)


def test_steps_are_network_evaluations():
    schedule = Cosine()
    assert len(SamplingOptions(sampler=DDIM(), grid=Trailing(), steps=9).times(schedule, None)) == 9
    assert len(SamplingOptions(sampler=Heun(), grid=Trailing(), steps=9).times(schedule, None)) == 5
    assert len(SamplingOptions(steps=9).times(RectifiedFlow(), None)) == 9


def test_times_that_were_never_trained_are_refused():
    grid = FastDDPMUniform()
    assert len(SamplingOptions(grid=grid, steps=11).times(Cosine(), grid)) == 11
    with pytest.raises(ConfigError, match="not trained"):
        SamplingOptions(grid=LogSNR(), steps=8).times(Cosine(), grid)


def test_impossible_options_are_refused(labelled):
    forecaster, past = labelled
    with pytest.raises(ConfigError, match="at least one network evaluation"):
        SamplingOptions(steps=0)
    with pytest.raises(ConfigError, match="chunk is 0"):
        forecaster.forecast(past, members=1, chunk=0)


@pytest.mark.parametrize(
    ("config", "shape", "expected"),
    [
        # 2²⁷ bytes over 4 bytes × live values × frames × pixels
        (VideoUNet(width=32), (1, 6, 64, 64), 21),
        (PaletteVideo(width=32), (3, 6, 64, 64), 3),
        # less than one, but a single member is drawn beside its own copy
        (PaletteVideo(width=64), (1, 6, 128, 128), 2),
    ],
)
def test_wider_networks_and_larger_frames_are_drawn_fewer_at_once(config, shape, expected):
    with torch.device("meta"):
        network = config.build(past_channels=shape[0], future_channels=1)
    assert chunk_size(network, shape, torch.device("cpu")) == expected


COMPILED = """
import sys
import numpy as np
import torch
from torch._dynamo.utils import counters
from framecast.models.checkpoint import load

forecaster = load(sys.argv[1])
torch.manual_seed(0)
for parameter in forecaster.generator.parameters():
    torch.nn.init.normal_(parameter, std=0.1)
frames = forecaster.frames
past = 100 * torch.rand(len(frames.past_channels), frames.past, frames.height, frames.width)
expected = forecaster.forecast(past, members=7).values
forecaster.compile()
few = forecaster.forecast(past, members=6).values
compiled = counters["stats"]["unique_graphs"]
many = forecaster.forecast(past, members=7).values
assert counters["stats"]["unique_graphs"] == compiled >= 1, counters
np.testing.assert_allclose(many, expected, rtol=1e-3, atol=1e-3)
np.testing.assert_allclose(few, expected[:6], rtol=1e-3, atol=1e-3)
"""


@pytest.mark.slow
def test_a_compiled_network_draws_the_same_members_and_any_number_of_them(small_run):
    """One compilation serves another number of members; in a process of its own, where no hook checks shapes.

    Six and seven: below 16 frames in a batch PyTorch convolves by another path on a CPU, and compiles that too.
    """
    done = subprocess.run([sys.executable, "-c", COMPILED, str(small_run)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
