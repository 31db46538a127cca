"""Starting from another model: weights by channel name, what is inherited, what differs, what is refused."""

from dataclasses import replace

import pytest
import torch

from framecast.cli import run
from framecast.core.errors import ConfigError
from framecast.data.archive.reader import Archive
from framecast.diffusion.schedule import Cosine
from framecast.generators.denoiser import Denoiser
from framecast.generators.one_shot import OneShot
from framecast.models.checkpoint import load
from framecast.models.config import attach, build_network
from framecast.models.header import find_model
from framecast.networks import PaletteVideo, VideoUNet
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe
from framecast.training.start import load_start
from framecast.training.train import run_training

pytestmark = pytest.mark.thorough

OPEN = ("data.future_channels=[94, 193]", "training.steps=2", "training.batch=4", "training.validation_windows=4")


@pytest.fixture(scope="module")
def archive(small_archive):
    return Archive.open(small_archive)


def fine_tune(small_run, *changes):
    return load_recipe("fine-tune", [*OPEN, f"training.start={small_run}", *changes])


def loaded(prepared):
    """The network of ``prepared`` with the weights that it starts from."""
    torch.manual_seed(1)
    network = build_network(prepared.model)
    load_start(network, prepared.model, prepared.start)
    return network.eval()


def test_what_the_recipe_leaves_open_is_the_model_s(small_run, archive):
    prepared, before = prepare(fine_tune(small_run), archive), load(small_run)
    assert prepared.model.network == before.config.network
    assert prepared.model.generator == before.config.generator
    assert prepared.model.sampling.steps == before.sampling.steps == 3
    assert (prepared.model.frames.past, prepared.model.frames.future) == (2, 3)
    assert prepared.origin.endswith("different: nothing")
    x, past = torch.randn(2, 2, 3, 16, 24), torch.randn(2, 3, 2, 16, 24)
    ours, theirs = (net(x, torch.ones(2), past, None) for net in (loaded(prepared), before.generator.network))
    assert torch.equal(ours, theirs)


def test_channels_are_matched_by_name_and_new_ones_have_no_effect(small_run, archive):
    changes = ("data.past_channels=[211, 94]", "data.future_channels=[211, 94]")
    prepared = prepare(fine_tune(small_run, *changes), archive)
    network, before = loaded(prepared), load(small_run).generator.network
    past = torch.randn(1, 3, 2, 16, 24)  # 193, 211, 94: the archive's
    past[:, 0] = 0
    x = torch.randn(1, 2, 3, 16, 24)  # 94, 193: what the model forecasts
    x[:, 1] = 0
    theirs = before(x, torch.ones(1), past, None)[:, 0]
    ours = network(torch.stack([torch.randn(1, 3, 16, 24), x[:, 0]], dim=1), torch.ones(1), past[:, 1:], None)
    torch.testing.assert_close(ours[:, 1], theirs)
    assert not ours[:, 0].any()
    assert "past channels" in prepared.origin
    assert "future channels" in prepared.origin


def test_channels_of_other_names_are_matched_by_their_order(small_run, archive):
    prepared = prepare(fine_tune(small_run), archive)
    renamed = {name: f"{name}x" for name in ("193", "211", "94")}
    frames = replace(
        prepared.model.frames,
        past_channels=tuple(renamed[name] for name in prepared.model.frames.past_channels),
        future_channels=tuple(renamed[name] for name in prepared.model.frames.future_channels),
    )
    stretches = {renamed[name]: own for name, own in prepared.model.normaliser.stretches.items()}
    model = replace(prepared.model, frames=frames, normaliser=replace(prepared.model.normaliser, stretches=stretches))
    network = build_network(model)
    load_start(network, model, prepared.start)
    for name, value in load(small_run).generator.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


@pytest.mark.parametrize("config", [VideoUNet(width=4), VideoUNet(width=4, patch=1), PaletteVideo(width=4)])
def test_networks_say_which_slices_belong_to_which_channel(config):
    """Every tensor whose shape depends on the numbers of channels or classes is among them, with a name for each."""
    small = config.build(past_channels=1, future_channels=1, classes=2)
    large = config.build(past_channels=3, future_channels=2, classes=4)
    slices = large.channel_slices(past="abc", future="bc", classes="wxyz")
    differ = {n for n, v in large.state_dict().items() if v.shape != small.state_dict()[n].shape}
    assert differ == set(slices)
    for name, (axis, names) in slices.items():
        assert len(set(names)) == len(names) == large.state_dict()[name].shape[axis]


def test_a_diffusion_becomes_a_one_shot_generator_that_begins_with_its_mean(small_run, archive):
    changes = ("one_shot.members=2", "one_shot.loss={spectral: 0.1, modulus: 0.03, differences: 0.1}")
    prepared = prepare(fine_tune(small_run, *changes), archive)
    assert prepared.recipe.one_shot.diffusion == load(small_run).config.generator
    assert "diffusion → one-shot" in prepared.origin
    generator = attach(prepared.model, loaded(prepared))
    assert isinstance(generator, OneShot)
    noise, past = torch.randn(2, 2, 3, 16, 24), torch.randn(2, 3, 2, 16, 24)
    denoiser = Denoiser(generator.network, Cosine(), "v")
    t = torch.ones(2, dtype=torch.float64)
    expected = denoiser(noise * denoiser.schedule(t).sigma[:, None, None, None, None].float(), t, past)
    torch.testing.assert_close(generator(noise, past), expected)


def test_a_run_that_was_started_so_resumes_to_the_same_bytes(small_run, archive, tmp_path):
    changes = ("one_shot.members=2", "one_shot.loss={spectral: 0.1, differences: 0.1}", "training.checkpoint_every=1")
    prepared = prepare(fine_tune(small_run, *changes), archive)
    list(run_training(prepared, tmp_path / "whole"))
    list(run_training(prepared, tmp_path / "cut", stop=lambda: True))
    list(run_training(prepared, tmp_path / "cut"))
    first, second = (load(tmp_path / name).generator.network.state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    start = load(tmp_path / "whole").config.training["start"]
    assert start["weights_sha256"] == load(small_run).config.weights_sha256


def test_the_command_takes_the_model_to_start_from(small_run, small_archive, tmp_path, capsys):
    arguments = ["train", "fine-tune", "--data", str(small_archive), "--out", str(tmp_path / "mine")]
    assert run([*arguments, "--start", str(small_run), *OPEN]) == 0
    assert "different: nothing" in " ".join(capsys.readouterr().err.split())
    mine = load(tmp_path / "mine").config
    assert (mine.name, mine.training["start"]["model"]) == ("mine", "tiny")


def test_parts_can_be_frozen(small_run, archive, tmp_path):
    prepared = prepare(fine_tune(small_run, "training.rates={down: 0, stem: 0.1}"), archive)
    list(run_training(prepared, tmp_path / "run"))
    before = load(small_run).generator.network.state_dict()
    after = load(tmp_path / "run").generator.network.state_dict()
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name.partition(".")[0] for name in before} - {"down"}


@pytest.mark.parametrize(("name", "value"), [("noise_vector", 8), ("dropout", 0.2), ("attention_levels", 1)])
def test_a_setting_of_the_network_changes_that_of_the_model(small_run, archive, name, value):
    """What is added has no effect at first: without its noise, the network gives what it gave."""
    changes = ("one_shot.members=2", "network.heads=1", f"network.{name}={value}")
    prepared, before = prepare(fine_tune(small_run, *changes), archive), load(small_run)
    assert prepared.model.network == replace(before.config.network, heads=1, **{name: value})
    assert f"network.{name} 0" in prepared.origin
    network = loaded(prepared)
    x, time, past = torch.randn(1, 2, 3, 16, 24), torch.ones(1), torch.randn(1, 3, 2, 16, 24)
    assert torch.equal(network(x, time, past), before.generator.network(x, time, past))
    if length := network.noise_vector:
        first, second = (network(x, time, past, None, torch.randn(1, length)) for _ in range(2))
        assert not torch.equal(first, second)


def test_a_model_that_draws_in_one_shot_can_be_given_more_noise(small_run, archive, tmp_path):
    list(run_training(prepare(fine_tune(small_run, "one_shot.members=2"), archive), tmp_path / "one"))
    prepared = prepare(fine_tune(tmp_path / "one", "network.dropout=0.2"), archive)
    assert prepared.model.generator == load(tmp_path / "one").config.generator
    assert loaded(prepared).noise_vector
    with pytest.raises(ConfigError, match="noise of one-shot models"):
        prepare(fine_tune(small_run, "network.dropout=0.2"), archive)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (("network.width=8",), "network.width is 8 and was 4"),
        (("network={kind: video-unet, width: 8}",), "network.width is 8 and was 4"),
        (("network={kind: palette-video, width: 4}",), "does not fit"),
        (("target=future",), "target=change"),
    ],
)
def test_what_does_not_fit_is_refused(small_run, archive, changes, rule):
    with pytest.raises(ConfigError, match=rule):
        loaded(prepare(fine_tune(small_run, *changes), archive))


def test_a_recipe_without_a_network_needs_a_model_to_start_from(archive):
    with pytest.raises(ConfigError, match=r"training\.start"):
        prepare(load_recipe("fine-tune", OPEN), archive)


def test_the_curve_of_a_known_channel_is_kept_and_fitted_anew(small_run, archive):
    before = load(small_run).normaliser.stretches
    prepared = prepare(fine_tune(small_run, "data.past_channels=[94]", "data.future_channels=[94]"), archive)
    assert prepared.model.normaliser.stretches["94"].curve == before["94"].curve
    assert find_model(small_run).is_dir()
