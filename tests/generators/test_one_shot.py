from dataclasses import replace

import numpy as np
import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.data.archive.reader import Archive
from framecast.generators.batch_random import BatchRandom
from framecast.generators.ensemble_loss import EnsembleLoss
from framecast.generators.one_shot import OneShot
from framecast.models.checkpoint import load, save_weights
from framecast.models.config import attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.training import TrainingState, fit
from framecast.training.objective import measure_loss
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe

pytestmark = [pytest.mark.portable, pytest.mark.thorough]

ONE_SHOT = ("diffusion=null", "one_shot.members=2", "sampling={precision: float32}")


@pytest.fixture(scope="module")
def archive(small_archive):
    return Archive.open(small_archive)


@pytest.fixture(scope="module")
def prepared(archive, small_changes):
    return prepare(load_recipe("tiny", [*small_changes, *ONE_SHOT]), archive)


@pytest.fixture(scope="module")
def forecaster(prepared):
    torch.manual_seed(0)
    network = build_network(prepared.model)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return Forecaster(prepared.model, attach(prepared.model, network))


@pytest.fixture(scope="module")
def past(archive):
    return torch.from_numpy(archive.read(archive.sequences[0], range(2)))


def test_members_are_the_same_however_they_are_drawn(forecaster, past):
    together = forecaster.forecast(past, members=5, seed=3)
    assert (together.attrs["sampler"], together.attrs["steps"]) == ("one-shot", 1)
    assert torch.equal(
        forecaster.draw(past, Draw(members=[3], options=forecaster.sampling, seed=3)),
        forecaster.draw(past, Draw(members=range(5), options=forecaster.sampling, seed=3, chunk=2))[3:4],
    )
    assert together.std("member").mean() > 0


NOISES = {
    "fields": ("one_shot.pixels=false", "one_shot.fields=3"),
    "vector": ("one_shot.pixels=false", "network.noise_vector=8"),
    "dropout": ("one_shot.pixels=false", "network.dropout=0.2"),
    "all": ("one_shot.fields=2", "network.noise_vector=32", "network.dropout=0.1"),
}


@pytest.mark.parametrize("name", NOISES)
def test_every_noise_is_a_function_of_seed_and_member(name, archive, past, small_changes, tmp_path):
    """Bit for bit, however the ensemble is cut and after the model was stored, and members do differ."""
    model = prepare(load_recipe("tiny", [*small_changes, *ONE_SHOT, *NOISES[name]]), archive).model
    torch.manual_seed(0)
    network = build_network(model)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_weights(tmp_path / "model", model, network.state_dict())
    forecaster = load(tmp_path / "model")
    whole = forecaster.draw(past, Draw(members=range(5), options=forecaster.sampling, seed=3))
    cut = forecaster.draw(past, Draw(members=range(5), options=forecaster.sampling, seed=3, chunk=2))
    assert torch.equal(whole, cut)
    alone = forecaster.draw(past, Draw(members=[3], options=forecaster.sampling, seed=3))
    assert torch.equal(whole[3:4], alone)
    assert whole.std(dim=0).mean() > 0
    other = forecaster.draw(past, Draw(members=[3], options=forecaster.sampling, seed=4))
    assert not torch.equal(other, alone)


def test_all_noises_are_trained(archive, small_changes):
    changes = [*small_changes, *ONE_SHOT, *NOISES["all"], "one_shot.loss={spectral: 0.1, modulus: 0.03}"]
    prepared = prepare(load_recipe("tiny", changes), archive)
    generator = attach(prepared.model, build_network(prepared.model))
    windows = prepared.dataset("train")
    measure_loss(generator, prepared.model.conditioning, windows, seed=0)
    state = TrainingState(generator.network, prepared.recipe.training)
    before = {name: value.clone() for name, value in generator.network.state_dict().items()}
    for _ in fit(state, generator, prepared.model.conditioning, windows, prepared.recipe.training):
        pass
    after = generator.network.state_dict()
    assert not torch.equal(before["noise.weight"], after["noise.weight"])
    assert not torch.equal(before["stem.weight"], after["stem.weight"])


def test_members_without_any_noise_are_refused(small_changes):
    with pytest.raises(ConfigError, match="no noise"):
        load_recipe("tiny", [*small_changes, *ONE_SHOT, "one_shot.pixels=false"])
    for change in ("network.noise_vector=8", "network.dropout=0.1"):
        with pytest.raises(ConfigError, match="noise of one-shot"):
            load_recipe("tiny", [*small_changes, change])


def test_rollouts_work_block_by_block(archive, small_changes):
    changes = [*small_changes, *ONE_SHOT, 'data.future_channels=["94", "193", "211"]']
    model = prepare(load_recipe("tiny", changes), archive).model
    forecaster = Forecaster(model, attach(model, build_network(model)))
    past = torch.from_numpy(archive.read(archive.sequences[0], range(2)))
    blocks = list(forecaster.rollout(past, blocks=2, members=2))
    assert [block.sizes["lead_time"] for block in blocks] == [3, 3]


def test_members_can_be_kept_within_bounds(forecaster, past):
    free = forecaster.forecast(past, members=3)
    high = float(free.sel(channel="94").quantile(0.5))
    clipped = forecaster.forecast(past, members=3, clip={"94": (0.0, high)})
    np.testing.assert_allclose(
        clipped.sel(channel="94"), free.sel(channel="94").clip(max=high), rtol=1e-4, atol=1e-4 * high
    )


@pytest.mark.parametrize("change", [{"steps": 3}, {"guidance": 2.0}])
def test_what_only_diffusion_has_is_refused(forecaster, past, change):
    with pytest.raises(ConfigError, match="one network evaluation"):
        forecaster.forecast(past, members=1, **change)


def test_recipes_have_one_of_both(small_changes):
    with pytest.raises(ConfigError, match="diffusion and one_shot"):
        load_recipe("tiny", [*small_changes, "one_shot.members=2"])
    with pytest.raises(ConfigError, match="compares at least two"):
        load_recipe("tiny", ["diffusion=null", "one_shot.members=1"])


def test_a_folder_gives_back_the_same_model(forecaster, prepared, past, tmp_path):
    save_weights(tmp_path / "model", prepared.model, forecaster.generator.network.state_dict())
    again = load(tmp_path / "model")
    assert isinstance(again.generator, OneShot)
    assert torch.equal(
        again.draw(past, Draw(members=[1], options=again.sampling, seed=0)),
        forecaster.draw(past, Draw(members=[1], options=forecaster.sampling, seed=0)),
    )


@pytest.mark.slow
def test_training_lowers_the_score_and_members_differ(prepared):
    options = replace(prepared.recipe.training, steps=60, learning_rate=5e-3)
    torch.manual_seed(0)
    generator = attach(prepared.model, build_network(prepared.model))
    state = TrainingState(generator.network, options)
    windows = prepared.dataset("train")
    losses = [p.loss for p in fit(state, generator, prepared.model.conditioning, windows, options)]
    assert sum(losses[-20:]) / 20 < 0.95 * sum(losses[:10]) / 10
    forecaster = Forecaster(prepared.model, generator)
    drawn = forecaster.draw(windows.sample(0).past, Draw(members=range(4), options=forecaster.sampling, seed=0))
    assert (drawn.std(dim=0) > 0).float().mean() > 0.9


def test_the_deterministic_network_says_the_same_every_time(prepared, past):
    generator = OneShot(build_network(prepared.model), loss=EnsembleLoss(kind="mse"), members=1)
    with torch.no_grad():
        generator.network.last.weight.normal_()
    x0 = torch.randn(3, 2, 3, 16, 24)
    condition = torch.randn(3, 3, 2, 16, 24)
    first, second = (generator.training_loss(x0, condition, random=BatchRandom(k, total=3)) for k in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("size", [(16, 16), (24, 40), (37, 61)])
def test_tiles_are_blended_without_a_seam(size):
    """A network that works pixel by pixel says in tiles what it says of the whole frame."""

    class Local(torch.nn.Module):
        divisor = 4

        def forward(self, x, time, past, label):
            assert max(x.shape[-2:]) <= 16
            return 2 * x + past[:, :1, -1:]

    class Whole(Local):
        def forward(self, x, time, past, label):
            return 2 * x + past[:, :1, -1:]

    x, past = torch.randn(2, 1, 3, *size), torch.randn(2, 1, 2, *size)
    drawn = [
        OneShot(network(), loss=EnsembleLoss(), members=2).output(x, torch.zeros(2), past, None, tile=tile)
        for network, tile in ((Local, 16), (Whole, None))
    ]
    torch.testing.assert_close(*drawn)
